//! The mean of several networks' weights.

use coxa_engine::Parameters;

use crate::bundle::Seen;
use crate::{Bundle, ModelError, Reading};

/// The mean of the weights of bundles that were trained from one another or from a common start (Izmailov et al. 2018; Wortsman et
/// al. 2022), with the last one's card. Its running statistics are the mean of theirs, which are not those of the mean network:
/// [`crate::tune::adapt`] measures these. The threshold and the calibration are the last one's too.
///
/// # Errors
/// When there are fewer than two bundles, or they differ in their classes, input size, way of fitting films, window, or whether mirror
/// images are read.
pub fn average(bundles: &[Bundle]) -> Result<Bundle, ModelError> {
    let Some((last, others)) = bundles.split_last().filter(|(_, others)| !others.is_empty()) else {
        return Err(ModelError::Setting("a mean needs two bundles at least".into()));
    };
    let mut card = last.card().clone();
    for other in others {
        let found = other.card();
        if (&found.classes, &found.input, Reading::of(found)) != (&card.classes, &card.input, Reading::of(&card)) {
            return Err(ModelError::Setting(format!(
                "bundle {} has the classes {} at {} pixels, but bundle {} has {} at {} pixels",
                other.short_hash(),
                found.classes.join(" / "),
                found.input.size,
                last.short_hash(),
                card.classes.join(" / "),
                card.input.size,
            )));
        }
    }
    let mut mean = Parameters::zeros(last.parameters().architecture());
    for bundle in bundles {
        for ((_, to), (_, _, from)) in mean.iter_mut().zip(bundle.parameters().iter()) {
            for (to, from) in to.iter_mut().zip(from) {
                *to += from / bundles.len() as f32;
            }
        }
    }
    let names: Vec<&str> = bundles.iter().map(Bundle::short_hash).collect();
    card.origin = format!("{}; mean of the weights of {}", card.origin, names.join(", "));
    // The scores were another network's.
    card.validation_scores = None;
    let seen = bundles.iter().fold(Seen::default(), |seen, bundle| seen.union(bundle.seen()));
    Ok(Bundle::new(card, mean)?.with_seen(seen))
}

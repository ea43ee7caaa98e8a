//! Normalization statistics of other films: a network is fitted to another hospital without a single label.

use coxa_engine::TrainerOptions;
use coxa_imaging::{Radiograph, preprocess};

use crate::backends::{Backend, threads_or_all, train_executor};
use crate::numbers::extend_scaled;
use crate::statistics::Measure;
use crate::{Bundle, ModelError};

/// The bundle with normalization statistics of these films in place of those it was trained with (Li et al. 2016, "Revisiting Batch
/// Normalization for Practical Domain Adaptation"). The weights stay; ranges of 8-bit arithmetic are dropped, as they no longer fit, and
/// the threshold is the old one. Films are normalized `batch` at a time. `measured_on` says in words what they are; `each` is called after
/// every film.
///
/// # Errors
/// When there are fewer than two films or less than two in a batch, one cannot be read, or the engine refuses.
pub fn adapt(
    bundle: &Bundle,
    films: impl Iterator<Item = Result<Radiograph, ModelError>>,
    batch: usize,
    threads: Option<usize>,
    measured_on: &str,
    mut each: impl FnMut(),
) -> Result<Bundle, ModelError> {
    if batch < 2 {
        return Err(ModelError::Setting(format!("batch is {batch}, but must be 2 or more")));
    }
    let mut card = bundle.card().clone();
    let (size, fit) = (card.input.size, card.input.fit);
    let options = TrainerOptions { threads: threads_or_all(threads), ..TrainerOptions::default() };
    let mut network = train_executor(Backend::Cpu, bundle.parameters().clone(), options)?;
    let mut measure = Measure::new();
    let (mut images, mut waiting) = (Vec::new(), 0);
    for film in films {
        extend_scaled(&mut images, &preprocess(&film?, size, fit));
        waiting += 1;
        each();
        if waiting == batch {
            measure.take(network.as_mut(), &images, waiting, size)?;
            images.clear();
            waiting = 0;
        }
    }
    // One film left over is no batch.
    if waiting > 1 {
        measure.take(network.as_mut(), &images, waiting, size)?;
    }
    if measure.seen() == 0 {
        return Err(ModelError::Setting("statistics need two films at least".into()));
    }
    card.origin = format!("{}; normalization statistics of {measured_on}", card.origin);
    // The scores were those with other statistics.
    card.validation_scores = None;
    Ok(Bundle::new(card, network.parameters()?)?.with_seen(bundle.seen().clone()))
}

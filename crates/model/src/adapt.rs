//! Normalization statistics of other films: a network made at home in another hospital without a single label.

use coxa_engine::TrainerOptions;
use coxa_imaging::{Radiograph, preprocess};

use crate::predict::{extend_scaled, threads_or_all};
use crate::{Backend, Bundle, ModelError, executor};

/// Measures a network's normalization statistics batch by batch.
pub(crate) struct Measure {
    seen: usize,
}

impl Measure {
    pub(crate) fn new() -> Self {
        Measure { seen: 0 }
    }

    /// Takes in `n` images; after the last the running statistics are the mean and variance over all of them.
    pub(crate) fn take(
        &mut self,
        network: &mut dyn executor::TrainExecutor,
        images: &[f32],
        n: usize,
        size: usize,
    ) -> Result<(), ModelError> {
        self.seen += n;
        network.observe(images, n, size, n as f32 / self.seen as f32)
    }
}

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
    let (size, fit) = (card.input.size, card.input.fit.imaging());
    let options = TrainerOptions { threads: threads_or_all(threads), ..TrainerOptions::default() };
    let mut network = executor::train_executor(Backend::Cpu, bundle.parameters().clone(), options)?;
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
    if measure.seen == 0 {
        return Err(ModelError::Setting("statistics need two films at least".into()));
    }
    card.origin = format!("{}; normalization statistics of {measured_on}", card.origin);
    Ok(Bundle::new(card, network.parameters()?)?.with_films(bundle.films().clone()))
}

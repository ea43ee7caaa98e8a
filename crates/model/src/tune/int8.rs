//! Ranges of 8-bit arithmetic, measured on films.

use coxa_engine::Predictor;
use coxa_imaging::Radiograph;

use crate::backends::{on, threads_or_all};
use crate::bundle::{Bundle, Int8};
use crate::{ModelError, numbers};

/// The bundle with the ranges of 8-bit arithmetic, measured on these films at the bundle's input size; `measured_on` says in words what
/// they are.
///
/// # Errors
/// When there are no films, or the engine refuses.
pub fn measure_int8(
    bundle: Bundle,
    films: &[Radiograph],
    threads: Option<usize>,
    measured_on: &str,
) -> Result<Bundle, ModelError> {
    let spec = &bundle.card().input;
    let images = numbers::of_films(films, spec.size, spec.fit);
    let ranges = Predictor::ranges(bundle.parameters(), &images, spec.size, on(threads_or_all(threads)))?;
    Ok(bundle.with_int8(Int8 { measured_on: measured_on.to_owned(), ranges }))
}

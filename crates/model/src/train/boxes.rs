//! A data set's boxes, in prepared films.

use std::collections::HashMap;

use coxa_cohort::{Dataset, Sample, TruthBox};
use coxa_imaging::Geometry;

use super::cache::Entry;
use super::context::Context;
use crate::ModelError;

/// The data set's boxes in prepared films, in the order of its samples: left, top, width and height in prepared pixels.
///
/// # Errors
/// When the data set has no boxes, or one does not lie on its film.
pub(super) fn prepared_boxes(
    context: &Context<'_>,
    dataset: &Dataset,
    samples: &[Sample],
    entries: &[Entry],
) -> Result<Vec<Vec<[f32; 4]>>, ModelError> {
    if dataset.truth.is_empty() {
        return Err(context.fault("localization or patches are asked for, but the data set's truth.csv has no boxes"));
    }
    let mut by_film = HashMap::<&str, Vec<_>>::new();
    for truth in &dataset.truth {
        by_film.entry(&truth.image_id).or_default().push(truth);
    }
    let boxes = samples.iter().zip(entries).map(|(sample, entry)| {
        let (width, height) = (entry.film_width, entry.film_height);
        let geometry = Geometry::new(width, height, context.stage.film_size(), context.stage.fit);
        let film = by_film.remove(sample.image_id.as_str()).unwrap_or_default();
        let to_prepared = |truth: &TruthBox| {
            truth.check_inside(width, height)?;
            let (left, top) = geometry.to_input(truth.x, truth.y);
            let (right, bottom) = geometry.to_input(truth.x + truth.width, truth.y + truth.height);
            Ok([left, top, right - left, bottom - top])
        };
        film.into_iter().map(to_prepared).collect()
    });
    boxes.collect()
}

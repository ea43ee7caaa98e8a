//! A dataset's labeled films read into a table of predictions.

use std::path::{Path, PathBuf};

use coxa_cohort::{Dataset, Film};
use coxa_model::{Detection, Detector};

use crate::reading::read_each;
use crate::table::PredictionTable;
use crate::{Failure, WorkEvent, WorkObserver, WorkflowError};

/// The films of a dataset without a reading.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    /// Films that the gate refused: file and reason.
    pub not_read: Vec<(PathBuf, String)>,
    /// Files that could not be decoded, or are not those that were imported.
    pub failed: usize,
}

/// Reads a dataset's labeled films into a table of predictions and gives each that was read to `each`, with its finding. A film that
/// cannot be decoded, or whose file is not the one that was imported, is reported as failed and left out.
///
/// # Errors
/// When the table cannot be written, the network fails, or what `each` returns.
pub(crate) fn read_labeled<'a>(
    dataset: &'a Dataset,
    detector: &mut Detector,
    table: &Path,
    observer: &mut dyn WorkObserver,
    mut each: impl FnMut(&'a Film, &Path, Box<Detection>) -> Result<(), WorkflowError>,
) -> Result<LeftOut, WorkflowError> {
    let films: Vec<&Film> = dataset.labeled().collect();
    let paths: Vec<PathBuf> = films.iter().map(|film| dataset.image_path(film)).collect();
    let mut table = PredictionTable::create(table)?;
    let mut left_out = LeftOut::default();
    read_each(detector, &paths, observer, |i, result, observer| {
        let detection = match result {
            Ok(detection) if has_changed(films[i], &detection) => Err(changed(films[i], &paths[i])),
            other => other,
        };
        match detection {
            Ok(detection) => match (detection.finding(), detection.not_read()) {
                (Some(finding), _) => {
                    table.row(&films[i].image_id, Some(films[i]), finding)?;
                    each(films[i], &paths[i], detection)
                }
                (None, reason) => {
                    left_out.not_read.push((paths[i].clone(), reason.unwrap_or_default().to_owned()));
                    Ok(())
                }
            },
            Err(failure) => {
                left_out.failed += 1;
                observer.on(&WorkEvent::Failed(&failure));
                Ok(())
            }
        }
    })?;
    table.finish()?;
    Ok(left_out)
}

/// Whether a file has been replaced since its film was imported.
fn has_changed(film: &Film, detection: &Detection) -> bool {
    !film.sha256.is_empty() && film.sha256 != detection.film().sha256()
}

fn changed(film: &Film, path: &Path) -> Failure {
    Failure {
        file: path.display().to_string(),
        error: format!("film {}: its file is not the one that the manifest describes (another SHA-256)", film.image_id),
        hint: Some("import it again".to_owned()),
    }
}

//! The figures of each epoch: the record, and `history.csv`.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{ModelError, files};

/// One epoch's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: usize,
    /// The learning rate of its last step.
    pub learning_rate: f64,
    /// Mean loss of the training batches, as they were learned from.
    pub train_loss: f64,
    /// Fraction of the training films classified right, as they were learned from.
    pub train_accuracy: f64,
    /// Mean loss of the validation films.
    pub val_loss: f64,
    /// Fraction of the validation films classified right (at 0.5 for two classes).
    pub val_accuracy: f64,
    /// Area under the ROC curve on the validation films; `None` for more than two classes, or with one class alone.
    pub val_auc: Option<f64>,
    /// Duration of the epoch; of the part since the run was resumed, if it was interrupted.
    pub seconds: f64,
}

/// Writes `history.csv`, a row an epoch.
pub(crate) fn write_csv(path: &Path, history: &[EpochRecord]) -> Result<(), ModelError> {
    let mut text =
        String::from("epoch,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,val_auc,seconds\n");
    for r in history {
        let auc = r.val_auc.map(|auc| format!("{auc:.6}")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{},{:e},{:.6},{:.6},{:.6},{:.6},{auc},{:.1}",
            r.epoch, r.learning_rate, r.train_loss, r.train_accuracy, r.val_loss, r.val_accuracy, r.seconds
        );
    }
    files::write_whole(path, text.as_bytes())
}

/// Reads a `history.csv`, for figures and reports.
///
/// # Errors
/// When the file cannot be read or a field is not a number; the row is named.
pub fn read_csv(path: &Path) -> Result<Vec<EpochRecord>, ModelError> {
    let text = files::read_text(path)?;
    let rows = text.lines().enumerate().skip(1).map(|(line, row)| {
        let fields: Vec<&str> = row.split(',').collect();
        let number = |at: usize| -> Result<f64, ModelError> {
            let field = fields.get(at).copied().unwrap_or_default();
            field.parse().map_err(|_| ModelError::format(path, format!("line {}: `{field}` is not a number", line + 1)))
        };
        Ok(EpochRecord {
            epoch: number(0)? as usize,
            learning_rate: number(1)?,
            train_loss: number(2)?,
            train_accuracy: number(3)?,
            val_loss: number(4)?,
            val_accuracy: number(5)?,
            val_auc: if fields.get(6).is_some_and(|field| field.is_empty()) { None } else { Some(number(6)?) },
            seconds: number(7)?,
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        let record = EpochRecord {
            epoch: 1,
            learning_rate: 1e-3,
            train_loss: 0.5,
            train_accuracy: 0.75,
            val_loss: 0.25,
            val_accuracy: 1.0,
            val_auc: Some(0.984375),
            seconds: 2.5,
        };
        let history = vec![record.clone(), EpochRecord { epoch: 2, val_auc: None, ..record }];
        write_csv(&path, &history).unwrap();
        assert_eq!(read_csv(&path).unwrap(), history);
    }
}

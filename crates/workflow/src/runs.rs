//! The curves of training runs.

use std::path::Path;

use coxa_model::train::{RunLayout, StageLayout, history};
use coxa_study::report::Epoch;

use crate::WorkflowError;

/// The curves of a run's stages, in the order in which they were trained.
///
/// # Errors
/// [`WorkflowError::Refused`] for a folder that is no run, or a `history.csv` that is none.
pub fn curves(run: &Path) -> Result<Vec<(String, Vec<Epoch>)>, WorkflowError> {
    let layout = RunLayout::new(run);
    if !layout.recipe().is_file() {
        return Err(WorkflowError::refused(
            format!("{}: not a training run, as it has no recipe.toml", run.display()),
            "name the folder of one run, as runs/paper-1",
        ));
    }
    let stages = layout.stages().into_iter().filter(|stage| stage.history().is_file());
    stages.map(|stage| Ok((name_of(&stage), epochs(&stage)?))).collect()
}

fn name_of(stage: &StageLayout) -> String {
    stage.folder().file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn epochs(stage: &StageLayout) -> Result<Vec<Epoch>, WorkflowError> {
    let records = history::read_csv(&stage.history())?;
    let epochs = records.iter().map(|record| Epoch {
        epoch: record.epoch,
        train_accuracy: record.train_accuracy,
        train_loss: record.train_loss,
        validation_accuracy: record.val_accuracy,
        validation_loss: record.val_loss,
    });
    Ok(epochs.collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn stages_are_in_the_order_of_their_numbers() {
        let run = tempfile::tempdir().unwrap();
        let refused = curves(run.path()).unwrap_err().to_string();
        assert!(refused.contains("no recipe.toml"), "{refused}");
        fs::write(run.path().join("recipe.toml"), "").unwrap();
        let header = "epoch,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,val_auc,seconds\n";
        for stage in ["10-films", "9-wide"] {
            fs::create_dir(run.path().join(stage)).unwrap();
            fs::write(run.path().join(stage).join("history.csv"), format!("{header}1,1e-3,0.5,0.6,0.7,0.8,,9\n"))
                .unwrap();
        }
        let stages = curves(run.path()).unwrap();
        assert_eq!(stages.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["9-wide", "10-films"]);
        assert_eq!(stages[0].1[0].validation_accuracy, 0.8);
    }
}

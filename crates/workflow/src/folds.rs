//! Cross-validation: patients are dealt into folds, and each film is tested by the network that was trained without its patient.

use std::path::PathBuf;

use coxa_model::Recipe;
use coxa_model::recipe::Fold;
use coxa_model::train::{self, TrainOptions};
use coxa_study::evaluate::{EvaluationOptions, Measures, evaluate};
use coxa_study::predictions::Predictions;

use crate::ablation::needs_two_classes;
use crate::observer::of_training;
use crate::{WorkEvent, WorkObserver, WorkflowError};

/// A fold and the measures on its films.
#[derive(Debug)]
pub struct FoldMeasures {
    /// The fold, from 1.
    pub fold: usize,
    /// Its measures.
    pub measures: Measures,
}

/// What a cross-validation found.
#[derive(Debug)]
pub struct CrossValidation {
    /// The folds one by one: their areas are of networks whose probabilities need not be on one scale.
    pub folds: Vec<FoldMeasures>,
    /// The table of all films' predictions.
    pub predictions: PathBuf,
    /// The measures on all films together.
    pub pooled: Measures,
}

/// Trains a recipe of one stage once for each of `of` folds, and evaluates the films of each and of all together.
///
/// # Errors
/// A recipe of several stages or of a target with more than two classes, or as [`train::train()`].
pub fn cross_validate(
    recipe: &Recipe,
    options: &TrainOptions,
    of: usize,
    observer: &mut dyn WorkObserver,
) -> Result<CrossValidation, WorkflowError> {
    let [stage] = &recipe.stages[..] else {
        return Err(WorkflowError::request(
            format!("recipe {} has {} stages, and a cross-validation trains one", recipe.name, recipe.stages.len()),
            "leave one: --stage NAME, and --start for where it begins",
        ));
    };
    needs_two_classes(Some(stage), "a cross-validation")?;
    let how = EvaluationOptions::default();
    let (mut folds, mut rows, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    let mut last_run = PathBuf::new();
    for index in 1..=of {
        let recipe = Recipe {
            name: format!("{}-fold{index}", recipe.name),
            seed: recipe.seed,
            stages: vec![stage.clone().for_fold(Fold { of, index })],
        };
        observer.on(&WorkEvent::Begun(&format!("fold {index} of {of}")));
        let outcome = train::train(&recipe, options, &mut of_training(observer))?;
        let Some(stage) = outcome.stages.last() else { return Err(WorkflowError::Stopped(format!("fold {index}"))) };
        let predictions = Predictions::load(&stage.layout.validation())?;
        folds.push(FoldMeasures { fold: index, measures: evaluate(&predictions, &how)?.measures });
        rows.extend(predictions.rows());
        columns = predictions.columns().to_vec();
        last_run = outcome.run;
    }
    let path = last_run.join("folds.csv");
    let pooled = Predictions::of_rows(&path, columns, rows)?;
    pooled.save(&path)?;
    Ok(CrossValidation { folds, pooled: evaluate(&pooled, &how)?.measures, predictions: path })
}

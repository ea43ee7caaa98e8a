//! What a recipe's first stage is worth: the recipe is trained without it and whole, and the arms are compared on the same films.

use std::path::{Path, PathBuf};

use coxa_cohort::{Dataset, Target};
use coxa_model::recipe::{Overrides, Stage, Start};
use coxa_model::train::{self, TrainOptions};
use coxa_model::weights::{self, Head};
use coxa_model::{Bundle, Detector, DetectorOptions, Recipe, RunOutcome};
use coxa_study::compare::{Comparison, compare};
use coxa_study::evaluate::{EvaluationOptions, Measures, evaluate};
use coxa_study::predictions::Predictions;

use crate::labeled::read_labeled;
use crate::observer::of_training;
use crate::{WorkEvent, WorkObserver, WorkflowError};

/// What is trained and compared.
#[derive(Debug)]
pub struct AblationRequest<'a> {
    /// The recipe, of two stages or more.
    pub recipe: &'a Recipe,
    /// How its arms are trained.
    pub options: &'a TrainOptions,
    /// A dataset that no stage has seen, on which the arms are compared; else they are on the last stage's validation films, the same
    /// for all.
    pub test: Option<&'a Path>,
    /// ImageNet's weights, for an arm that starts from them without the first stage.
    pub imagenet: Option<&'a Path>,
}

/// An arm and its measures.
#[derive(Debug)]
pub struct Arm {
    /// `scratch`, `imagenet` or `transfer`.
    pub name: &'static str,
    /// The folder of its last stage.
    pub folder: PathBuf,
    /// Its measures.
    pub measures: Measures,
}

/// Two arms on the same films.
#[derive(Debug)]
pub struct ArmsCompared {
    /// The arm whose difference to the other it is.
    pub a: &'static str,
    /// The other.
    pub b: &'static str,
    /// The paired comparison.
    pub comparison: Comparison,
}

/// What an ablation found.
#[derive(Debug)]
pub struct Ablation {
    /// The arms, in the order in which they were trained.
    pub arms: Vec<Arm>,
    /// Each arm against those before it.
    pub compared: Vec<ArmsCompared>,
    /// Films of the test that could not be read, or were refused; the same in every arm.
    pub failed: usize,
}

/// Trains every arm as a run of its own and compares them. What is wrong with the request is found before anything is trained.
///
/// # Errors
/// A recipe of one stage, a test that a stage has seen or that has no labels, weights that cannot be read, or as
/// [`train::train()`].
pub fn ablate(request: &AblationRequest<'_>, observer: &mut dyn WorkObserver) -> Result<Ablation, WorkflowError> {
    let recipe = request.recipe;
    let test = request.test.map(|folder| test_films(folder, recipe)).transpose()?;
    if test.is_none() {
        needs_two_classes(recipe.stages.last(), "an ablation without a test")?;
    }
    if let Some(weights) = request.imagenet {
        weights::import(weights, Head::Fresh { outputs: 1, seed: 0 })?;
    }
    let mut tables = Vec::new();
    let mut failed = 0;
    for (name, recipe) in arms(recipe, request.imagenet)? {
        observer.on(&WorkEvent::Begun(&format!("arm {name}")));
        let outcome = train::train(&recipe, request.options, &mut of_training(observer))?;
        let (folder, table, left_out) = match (&outcome.bundle, outcome.stages.last()) {
            (Some(bundle), Some(stage)) => match &test {
                Some(test) => {
                    let (table, left_out) = read_test(test, bundle, &outcome, request.options, observer)?;
                    (stage.layout.folder().to_owned(), table, left_out)
                }
                None => (stage.layout.folder().to_owned(), stage.layout.validation(), 0),
            },
            _ => return Err(WorkflowError::Stopped(format!("arm {name}"))),
        };
        failed = left_out;
        tables.push((name, folder, Predictions::load(&table)?));
    }
    compared(tables, failed)
}

/// The recipes of the arms, by name.
fn arms(recipe: &Recipe, imagenet: Option<&Path>) -> Result<Vec<(&'static str, Recipe)>, WorkflowError> {
    let rest: Vec<String> = match &recipe.stages[..] {
        [_, rest @ ..] if !rest.is_empty() => rest.iter().map(|stage| stage.name.clone()).collect(),
        _ => {
            return Err(WorkflowError::request(
                format!("recipe {} has one stage; an ablation needs one to leave out", recipe.name),
                "name a recipe of two stages or more",
            ));
        }
    };
    let without = |name: &str, start: Start| -> Result<Recipe, WorkflowError> {
        let rest = Overrides { stages: rest.clone(), start: Some(start), ..Overrides::default() };
        let mut recipe = recipe.clone().with(&rest)?;
        recipe.name = format!("{}-{name}", recipe.name);
        Ok(recipe)
    };
    let mut arms = vec![("scratch", without("scratch", Start::Scratch)?)];
    if let Some(weights) = imagenet {
        arms.push(("imagenet", without("imagenet", Start::Weights(weights.to_owned()))?));
    }
    arms.push(("transfer", recipe.clone()));
    Ok(arms)
}

/// Reads the test films by an arm's bundle; returns the table of predictions and the number of films that it lacks.
fn read_test(
    test: &Dataset,
    bundle: &Path,
    outcome: &RunOutcome,
    options: &TrainOptions,
    observer: &mut dyn WorkObserver,
) -> Result<(PathBuf, usize), WorkflowError> {
    let table = outcome.run.join("test.csv");
    let how = DetectorOptions { backend: options.backend, threads: options.threads, ..DetectorOptions::default() };
    let mut detector = Detector::new(&Bundle::load(bundle)?, &how)?;
    let left_out = read_labeled(test, &mut detector, &table, observer, |_, _, _| Ok(()))?;
    Ok((table, left_out.failed + left_out.not_read.len()))
}

fn compared(tables: Vec<(&'static str, PathBuf, Predictions)>, failed: usize) -> Result<Ablation, WorkflowError> {
    let options = EvaluationOptions::default();
    let mut compared = Vec::new();
    for (i, (b, _, of_b)) in tables.iter().enumerate() {
        for (a, _, of_a) in &tables[i + 1..] {
            let comparison = compare(of_a, of_b, [options.threshold; 2], &options)?;
            compared.push(ArmsCompared { a, b, comparison });
        }
    }
    let arms = tables.into_iter().map(|(name, folder, predictions)| {
        Ok(Arm { name, folder, measures: evaluate(&predictions, &options)?.measures })
    });
    Ok(Ablation { arms: arms.collect::<Result<_, WorkflowError>>()?, compared, failed })
}

/// The films that an ablation compares on, which no stage has seen.
fn test_films(folder: &Path, recipe: &Recipe) -> Result<Dataset, WorkflowError> {
    if let Some(last) = recipe.stages.last()
        && last.target != Target::Fracture
    {
        return Err(WorkflowError::request(
            format!(
                "{}: its films are labeled with fractures, but stage {} has another target",
                folder.display(),
                last.name
            ),
            "compare on the validation films: leave the test out",
        ));
    }
    let dataset = Dataset::load(folder)?;
    if dataset.labeled().next().is_none() {
        return Err(WorkflowError::refused(
            format!("{}: no film has a label", folder.display()),
            "name a dataset with labels in its manifest",
        ));
    }
    for stage in &recipe.stages {
        let Some(trained) = &stage.dataset else { continue };
        Dataset::load(trained)?.check_disjoint(&dataset).map_err(|error| {
            WorkflowError::refused(
                format!("{} and stage {}: {error}", folder.display(), stage.name),
                "test on films and patients that no stage has seen",
            )
        })?;
    }
    Ok(dataset)
}

/// Refuses a stage with more than two classes where one probability per film is needed.
///
/// # Errors
/// [`WorkflowError::Request`], naming the classes.
pub(crate) fn needs_two_classes(stage: Option<&Stage>, what: &str) -> Result<(), WorkflowError> {
    let Some((stage, folder)) = stage.and_then(|stage| Some((stage, stage.dataset.as_ref()?))) else { return Ok(()) };
    let classes = stage.classes(Dataset::load(folder)?)?;
    if classes.len() == 2 {
        return Ok(());
    }
    Err(WorkflowError::request(
        format!("{what} needs two classes, and stage {} has {}: {}", stage.name, classes.len(), classes.join(", ")),
        "choose a stage with the target fracture",
    ))
}

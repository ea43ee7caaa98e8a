//! The rules on a recipe's values and names; an error names the key at fault.

use coxa_cohort::Target;
use coxa_engine::{LARGEST_SIZE, Normalization};

use super::augment::Augment;
use super::optimizer::{Optimizer, Schedule};
use super::rules::{Start, ThresholdRule};
use super::stage::{Beside, Fold, LocalizationLoss, Patch, Stage};

/// Most epochs of a stage.
const MOST_EPOCHS: usize = 100_000;
/// Most films in a batch.
const MOST_FILMS: usize = 1024;
/// Most films that an epoch draws: their order is kept in memory.
const MOST_DRAWN: usize = 1 << 26;

/// Checks the whole recipe.
pub(super) fn recipe(name: &str, seed: u64, stages: &[Stage]) -> Result<(), String> {
    check_name("name", name)?;
    if seed > i64::MAX as u64 {
        return Err(format!("seed is {}, but must be below 2^63", seed));
    }
    if stages.is_empty() {
        return Err("there is no [[stage]]".into());
    }
    for (i, stage) in stages.iter().enumerate() {
        check_stage(stage).map_err(|reason| format!("stage {}: {reason}", stage.name))?;
        if stages[..i].iter().any(|earlier| earlier.name == stage.name) {
            return Err(format!("two stages are named {}", stage.name));
        }
        // Else a film that one stage holds out would be trained on by another, and its figures be no test.
        let shares = |other: &&Stage| {
            stage.dataset.is_some() && (&other.dataset, &other.target) == (&stage.dataset, &stage.target)
        };
        let split = |stage: &Stage| (stage.validation.to_bits(), stage.until_year, stage.fold);
        if let Some(earlier) = stages[..i].iter().find(|other| shares(other) && split(other) != split(stage)) {
            return Err(format!(
                "stages {} and {} share a dataset, so they must hold out the same films: give both the same validation and \
                 until_year",
                earlier.name, stage.name
            ));
        }
        if i == 0 && stage.start == Start::Previous {
            return Err(format!("stage {}: start is \"previous\", but no stage comes before it", stage.name));
        }
    }
    Ok(())
}

fn check_stage(stage: &Stage) -> Result<(), String> {
    check_name("name", &stage.name)?;
    check_films(stage)?;
    check_taught(stage)?;
    check_optimizer(&stage.optimizer)?;
    check_schedule(&stage.schedule, stage.optimizer.learning_rate)?;
    stage.threshold.check()?;
    check_augment(&stage.augment)
}

impl ThresholdRule {
    /// Checks the rule's own value.
    pub(crate) fn check(self) -> Result<(), String> {
        match self {
            ThresholdRule::Fixed { value } => {
                within("threshold.value", value, (0.0..=1.0).contains(&value), "between 0 and 1")
            }
            ThresholdRule::Sensitivity { at_least } | ThresholdRule::Specificity { at_least } => {
                within("threshold.at_least", at_least, at_least > 0.0 && at_least <= 1.0, "above 0 and at most 1")
            }
            ThresholdRule::Youden {} => Ok(()),
        }
    }
}

/// Which films are seen, how large, and how many at once.
fn check_films(stage: &Stage) -> Result<(), String> {
    let (validation, input_size, epochs, batch) = (stage.validation, stage.input_size, stage.epochs, stage.batch);
    within("validation", validation, validation > 0.0 && validation < 1.0, "above 0 and below 1")?;
    if let Some(Fold { of, index }) = stage.fold {
        within("fold.of", of, of >= 2, "2 or more")?;
        within("fold.index", index, (1..=of).contains(&index), "between 1 and fold.of")?;
    }
    let fits = (32..=LARGEST_SIZE).contains(&input_size) && input_size.is_multiple_of(32);
    within("input_size", input_size, fits, &format!("a multiple of 32 up to {LARGEST_SIZE}"))?;
    within("epochs", epochs, (1..=MOST_EPOCHS).contains(&epochs), &format!("from 1 to {MOST_EPOCHS}"))?;
    within("batch", batch, (1..=MOST_FILMS).contains(&batch), &format!("from 1 to {MOST_FILMS}"))?;
    let range = "2 or more at this input_size, as batch statistics of one value do not exist";
    within("batch", batch, batch >= 2 || input_size >= 64, range)?;
    if let Some(steps) = stage.steps_per_epoch {
        let films = steps.checked_mul(batch).filter(|films| (1..=MOST_DRAWN).contains(films));
        within("steps_per_epoch", steps, films.is_some(), &format!("1 or more, and at most {MOST_DRAWN} films"))?;
    }
    check_beside(&stage.beside, batch)
}

/// The data sets beside the stage's own, and their films in a batch.
fn check_beside(beside: &[Beside], batch: usize) -> Result<(), String> {
    let mut left = batch;
    for (i, other) in beside.iter().enumerate() {
        check_name("beside.name", &other.name)?;
        if beside[..i].iter().any(|earlier| earlier.name == other.name) {
            return Err(format!("two data sets beside the stage's own are named {}", other.name));
        }
        let share = other.share;
        let fits = share > 0.0 && share < 1.0 && (1..left).contains(&other.in_batch(batch));
        let range = format!("at least a film of a batch of {batch}, and leave one for the stage's own data set");
        within("beside.share", share, fits, &range)?;
        left -= other.in_batch(batch);
    }
    Ok(())
}

/// What is learned of them: the target, with what it needs.
fn check_taught(stage: &Stage) -> Result<(), String> {
    if let Some(Patch { film_size, jitter, elsewhere }) = stage.patch {
        let fits = film_size > stage.input_size && film_size <= LARGEST_SIZE && film_size.is_multiple_of(32);
        let range = format!("a multiple of 32 above input_size and up to {LARGEST_SIZE}");
        within("patch.film_size", film_size, fits, &range)?;
        within("patch.jitter", jitter, (0.0..=0.5).contains(&jitter), "between 0 and 0.5")?;
        within("patch.elsewhere", elsewhere, (0.0..1.0).contains(&elsewhere), "0 or more and below 1")?;
    }
    if let Some(window) = stage.window {
        let most = LARGEST_SIZE / 32;
        within("window", window, (1..=most).contains(&window), &format!("from 1 to {most}"))?;
    }
    if let Some(LocalizationLoss { weight, extent }) = stage.localization {
        let positive = |value: f32| value.is_finite() && value > 0.0;
        within("localization.weight", weight, positive(weight), "above 0")?;
        within("localization.extent", extent, positive(extent), "above 0")?;
    }
    if stage.target != Target::Fracture {
        let given = [("patch", stage.patch.is_some()), ("localization", stage.localization.is_some())];
        if let Some((key, _)) = given.into_iter().find(|(_, given)| *given) {
            return Err(format!("{key} is given, but only the target \"fracture\" has boxes"));
        }
    }
    let is_side = matches!(&stage.target, Target::Column(column) if column == "side");
    if let Some(flip) = stage.augment.flips().filter(|_| is_side) {
        return Err(format!(
            "augment.{flip} is true and target is {{ column = \"side\" }}: a film that is mirrored shows the other side; set \
             augment.{flip} to false"
        ));
    }
    if stage.normalization == Normalization::Running && stage.start == Start::Scratch {
        return Err("normalization is \"running\", but weights from scratch have no running statistics".into());
    }
    Ok(())
}

fn check_optimizer(optimizer: &Optimizer) -> Result<(), String> {
    let Optimizer { learning_rate: rate, beta1, beta2, epsilon, weight_decay } = *optimizer;
    within("optimizer.learning_rate", rate, rate > 0.0 && rate <= 10.0, "above 0 and at most 10")?;
    within("optimizer.beta1", beta1, (0.0..1.0).contains(&beta1), "in [0, 1)")?;
    within("optimizer.beta2", beta2, (0.0..1.0).contains(&beta2), "in [0, 1)")?;
    within("optimizer.epsilon", epsilon, epsilon > 0.0 && epsilon < 1.0, "above 0 and below 1")?;
    within("optimizer.weight_decay", weight_decay, (0.0..1.0).contains(&weight_decay), "in [0, 1)")
}

fn check_schedule(schedule: &Schedule, learning_rate: f64) -> Result<(), String> {
    let Schedule { factor, min_delta, min_lr, .. } = *schedule;
    within("schedule.factor", factor, factor > 0.0 && factor < 1.0, "above 0 and below 1")?;
    within("schedule.min_delta", min_delta, min_delta >= 0.0 && min_delta.is_finite(), "0 or more")?;
    let fits = min_lr >= 0.0 && min_lr <= learning_rate;
    within("schedule.min_lr", min_lr, fits, "between 0 and optimizer.learning_rate")
}

fn check_augment(augment: &Augment) -> Result<(), String> {
    for (key, value, most) in [
        ("augment.zoom", augment.zoom, 0.9),
        ("augment.rotation_degrees", augment.rotation_degrees, 180.0),
        ("augment.crop", augment.crop, 0.9),
        ("augment.contrast", augment.contrast, 1.0),
        ("augment.gamma", augment.gamma, 4.0),
        ("augment.brightness", augment.brightness, 1.0),
        ("augment.noise", augment.noise, 1.0),
        ("augment.blur", augment.blur, 8.0),
        ("augment.cutout", augment.cutout, 0.9),
    ] {
        within(key, value, (0.0..=most).contains(&value), &format!("between 0 and {most}"))?;
    }
    Ok(())
}

fn within(key: &str, value: impl std::fmt::Display, holds: bool, range: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{key} is {value}, but must be {range}")) }
}

fn check_name(key: &str, name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    within(
        key,
        format!("\"{name}\""),
        !name.is_empty() && name.len() <= 64 && name.chars().all(allowed),
        "1 to 64 letters, digits, - and _",
    )
}

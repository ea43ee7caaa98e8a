//! The recipe: what is trained on what and how, as TOML. A [`Recipe`] that exists has passed every check; unknown keys are errors.

mod augment;
mod check;
mod optimizer;
mod rules;
mod stage;
mod words;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use augment::Augment;
pub use optimizer::{Monitor, Optimizer, Schedule, ScheduleKind};
pub use rules::{CalibrationRule, ClassBalance, Keep, Order, Start, ThresholdRule, TrainingPrecision};
pub use stage::{Beside, Fold, LocalizationLoss, Patch, Stage};
pub(crate) use words::FitWord;

use crate::{ModelError, files};

/// The recipes that come with the program: name and TOML text.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("paper", include_str!("built_in/paper.toml")),
    ("small", include_str!("built_in/small.toml")),
    ("simulated", include_str!("built_in/simulated.toml")),
];

/// A whole training run: one stage after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Names the run's folder: letters, digits, `-` and `_`.
    pub name: String,
    /// Every random choice of the run follows from this number (below 2^63).
    pub seed: u64,
    /// The stages, in order.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
}

/// Changes to a recipe that are given when a run starts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overrides {
    /// Data sets by the stage's name; `stage.name` for one beside the stage's own.
    pub datasets: Vec<(String, PathBuf)>,
    /// Keep only the stages of these names; all, if empty.
    pub stages: Vec<String>,
    /// The start of the first stage that is kept.
    pub start: Option<Start>,
    /// The seed.
    pub seed: Option<u64>,
    /// Every stage's input size.
    pub input_size: Option<usize>,
    /// Every stage's epochs.
    pub epochs: Option<usize>,
    /// Every stage's batches in an epoch.
    pub steps_per_epoch: Option<usize>,
    /// Every stage's batch.
    pub batch: Option<usize>,
    /// Every stage's learning rate.
    pub learning_rate: Option<f64>,
    /// Every stage's precision.
    pub precision: Option<TrainingPrecision>,
}

impl Recipe {
    /// Checks every rule on values and names; the key at fault is named.
    pub(crate) fn check(&self) -> Result<(), String> {
        check::recipe(&self.name, self.seed, &self.stages)
    }

    /// A recipe that comes with the program: one of [`BUILT_IN`].
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn built_in(name: &str) -> Result<Recipe, ModelError> {
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Recipe::parse(text, name),
            None => Err(ModelError::Recipe {
                origin: name.into(),
                reason: format!("not a built-in recipe; there are {}", BUILT_IN.map(|(known, _)| known).join(", ")),
            }),
        }
    }

    /// A recipe from a file.
    ///
    /// # Errors
    /// When the file cannot be read, or as [`Recipe::parse`].
    pub fn load(path: &Path) -> Result<Recipe, ModelError> {
        Recipe::parse(&files::read_text(path)?, &path.display().to_string())
    }

    /// A recipe from TOML; `origin` names it in errors.
    ///
    /// # Errors
    /// When the text is not TOML, has an unknown key, lacks one, or has a value outside its range; each is named.
    pub fn parse(text: &str, origin: &str) -> Result<Recipe, ModelError> {
        let fail = |reason: String| ModelError::Recipe { origin: origin.into(), reason };
        let recipe: Recipe = toml::from_str(text).map_err(|error| fail(one_line(text, &error)))?;
        recipe.check().map_err(fail)?;
        Ok(recipe)
    }

    /// The recipe as TOML, every key written out.
    ///
    /// # Errors
    /// When a path in it is not UTF-8.
    pub fn to_toml(&self) -> Result<String, ModelError> {
        toml::to_string(self)
            .map_err(|error| ModelError::Recipe { origin: self.name.clone(), reason: error.to_string() })
    }

    /// The recipe with changes, checked again.
    ///
    /// # Errors
    /// When a stage that a change names does not exist, or a value is outside its range.
    pub fn with(mut self, overrides: &Overrides) -> Result<Recipe, ModelError> {
        let origin = self.name.clone();
        let fail = |reason: String| ModelError::Recipe { origin: origin.clone(), reason };
        for name in &overrides.stages {
            if !self.stages.iter().any(|stage| stage.name == *name) {
                let known: Vec<_> = self.stages.iter().map(|stage| stage.name.as_str()).collect();
                return Err(fail(format!("there is no stage {name}; the stages are {}", known.join(", "))));
            }
        }
        for (name, folder) in &overrides.datasets {
            match self.dataset_mut(name) {
                Some(dataset) => *dataset = Some(folder.clone()),
                None => {
                    let known = self.dataset_names().join(", ");
                    return Err(fail(format!("there is no data set {name}; the data sets are {known}")));
                }
            }
        }
        if !overrides.stages.is_empty() {
            self.stages.retain(|stage| overrides.stages.contains(&stage.name));
        }
        self.seed = overrides.seed.unwrap_or(self.seed);
        if let (Some(start), Some(first)) = (&overrides.start, self.stages.first_mut()) {
            first.start = start.clone();
        }
        for stage in &mut self.stages {
            stage.input_size = overrides.input_size.unwrap_or(stage.input_size);
            stage.epochs = overrides.epochs.unwrap_or(stage.epochs);
            stage.steps_per_epoch = overrides.steps_per_epoch.or(stage.steps_per_epoch);
            stage.batch = overrides.batch.unwrap_or(stage.batch);
            stage.optimizer.learning_rate = overrides.learning_rate.unwrap_or(stage.optimizer.learning_rate);
            stage.precision = overrides.precision.unwrap_or(stage.precision);
        }
        self.check().map_err(fail)?;
        Ok(self)
    }

    /// What the stages' data sets are called when a run starts: `stage`, or `stage.name` for one beside the stage's own.
    fn dataset_names(&self) -> Vec<String> {
        let of_stage = |stage: &Stage| {
            let beside = stage.beside.iter().map(|other| format!("{}.{}", stage.name, other.name));
            std::iter::once(stage.name.clone()).chain(beside).collect::<Vec<_>>()
        };
        self.stages.iter().flat_map(of_stage).collect()
    }

    fn dataset_mut(&mut self, name: &str) -> Option<&mut Option<PathBuf>> {
        let (of, other) = name.split_once('.').map_or((name, None), |(of, other)| (of, Some(other)));
        let stage = self.stages.iter_mut().find(|stage| stage.name == of)?;
        match other {
            None => Some(&mut stage.dataset),
            Some(other) => {
                stage.beside.iter_mut().find(|beside| beside.name == other).map(|beside| &mut beside.dataset)
            }
        }
    }
}

/// The comments at the head of a recipe that comes with the program: what it follows, and where it departs from that. Empty for any
/// other name.
pub fn head(name: &str) -> &'static str {
    let text = BUILT_IN.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text);
    let end = text.lines().take_while(|line| line.starts_with('#')).map(|line| line.len() + 1).sum::<usize>();
    &text[..end.min(text.len())]
}

/// A fault of the TOML on one line, with the number of the line where it is.
fn one_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coxa_cohort::Target;

    fn edited(from: &str, to: &str) -> Result<Recipe, ModelError> {
        let text = BUILT_IN[0].1;
        assert!(text.contains(from), "the recipe has no `{from}`");
        Recipe::parse(&text.replacen(from, to, 1), "edited")
    }

    #[test]
    fn sizes_that_no_memory_holds_are_refused() {
        for (line, name) in [
            ("batch = 100000", "batch"),
            ("epochs = 10000000", "epochs"),
            ("input_size = 3200000", "input_size"),
            ("steps_per_epoch = 1000000000000000", "steps_per_epoch"),
        ] {
            let written = Recipe::built_in("paper").unwrap().to_toml().unwrap();
            let known = written.lines().filter(|old| !old.starts_with(&format!("{name} = ")));
            let stages = known.map(|old| if old == "[[stage]]" { format!("{old}\n{line}") } else { old.to_owned() });
            let text: Vec<String> = stages.collect();
            let error = Recipe::parse(&text.join("\n"), "edited").unwrap_err().to_string();
            assert!(error.contains(&format!("{name} is 1")) || error.contains(&format!("{name} is 3")), "{error}");
        }
    }

    #[test]
    fn the_papers_recipe_is_the_papers() {
        let recipe = Recipe::built_in("paper").unwrap();
        let [limbs, films] = &recipe.stages[..] else { panic!("two stages") };
        assert_eq!((limbs.target.clone(), limbs.validation), (Target::BodyPart, 0.1));
        assert_eq!((films.target.clone(), films.validation), (Target::Fracture, 0.2));
        assert_eq!((&limbs.start, &films.start), (&Start::Scratch, &Start::Previous));
        for stage in &recipe.stages {
            assert_eq!((stage.input_size, stage.epochs, stage.batch), (512, 60, 8));
            assert_eq!(stage.optimizer, Optimizer { epsilon: 1e-7, ..Optimizer::default() });
            assert_eq!(stage.schedule, Schedule::default());
            let augment = &stage.augment;
            assert_eq!((augment.zoom, augment.rotation_degrees), (0.1, 10.0));
            assert!(augment.horizontal_flip && augment.vertical_flip);
            assert_eq!(stage.threshold, ThresholdRule::Fixed { value: 0.5 });
        }
    }

    #[test]
    fn the_papers_head_names_what_is_not_keras() {
        let head = head("paper");
        assert!(head.lines().all(|line| line.starts_with('#')) && head.ends_with('\n'));
        for named in ["epsilon", "momentum 0.99", "Glorot", "keep = \"best\"", "Zoom and rotation"] {
            assert!(head.contains(named), "{named}");
        }
        assert_eq!(super::head("no-such-recipe"), "");
    }

    #[test]
    fn built_in_recipes_survive_being_written_out() {
        for (name, _) in BUILT_IN {
            let recipe = Recipe::built_in(name).unwrap();
            assert_eq!(Recipe::parse(&recipe.to_toml().unwrap(), name).unwrap(), recipe);
        }
    }

    #[test]
    fn faults_are_named() {
        for (from, to, named) in [
            ("seed =", "sead =", "sead"),
            ("epochs = 60", "epochs = 0", "epochs is 0"),
            ("epochs = 60", "epochs = 60\nepoch = 1", "epoch"),
            ("input_size = 512", "input_size = 500", "input_size is 500"),
            ("validation = 0.1", "validation = 1.0", "validation is 1"),
            ("zoom = 0.1", "zoom = 1.5", "augment.zoom is 1.5"),
            ("zoom = 0.1", "zooom = 0.1", "zooom"),
            ("learning_rate = 1e-3", "learning_rate = nan", "optimizer.learning_rate is NaN"),
            ("kind = \"plateau\"", "kind = \"plato\"", "plato"),
            ("start = \"scratch\"", "start = \"previous\"", "no stage comes before"),
            ("start = \"scratch\"", "start = \"scratch\"\nnormalization = \"running\"", "no running statistics"),
            ("start = \"scratch\"", "start = { wights = \"a.pth\" }", "wights"),
            (
                "threshold = { rule = \"fixed\", value = 0.5 }",
                "threshold = { rule = \"youden\", value = 0.5 }",
                "value",
            ),
            ("name = \"films\"", "name = \"limbs\"", "two stages are named limbs"),
            ("name = \"films\"", "name = \"../films\"", "../films"),
            ("target = \"fracture\"", "target = \"fractures\"", "fractures"),
            (
                "target = \"body_part\"",
                "target = { column = \"side\" }",
                "augment.horizontal_flip is true and target is",
            ),
        ] {
            let error = edited(from, to).unwrap_err().to_string();
            assert!(error.contains(named) && !error.contains('\n'), "`{to}`: {error}");
        }
    }

    #[test]
    fn changes_are_checked_too() {
        let recipe = Recipe::built_in("paper").unwrap();
        let films = Overrides {
            stages: vec!["films".into()],
            start: Some(Start::Scratch),
            datasets: vec![("films".into(), "somewhere".into())],
            input_size: Some(64),
            ..Overrides::default()
        };
        let changed = recipe.clone().with(&films).unwrap();
        assert_eq!((changed.stages.len(), changed.stages[0].input_size), (1, 64));
        assert_eq!(changed.stages[0].dataset, Some("somewhere".into()));
        let bad = Overrides { input_size: Some(33), ..Overrides::default() };
        assert!(recipe.clone().with(&bad).unwrap_err().to_string().contains("input_size is 33"));
        let unknown = Overrides { stages: vec!["hips".into()], ..Overrides::default() };
        assert!(recipe.clone().with(&unknown).unwrap_err().to_string().contains("limbs, films"));
        let orphan = Overrides { stages: vec!["films".into()], ..Overrides::default() };
        assert!(recipe.with(&orphan).is_err());
    }
}

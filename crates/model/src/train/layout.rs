//! Where everything lies in a run's folder.
//!
//! ```text
//! runs/<recipe>-<n>/
//!   recipe.toml  environment.json  lock  patient.key
//!   1-<stage>/   split.csv  history.csv  validation.csv  events.out.tfevents.coxa  last.safetensors  best.safetensors  bundle/
//!   2-<stage>/   …
//!   bundle/      the last stage's
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use crate::{ModelError, files};

/// A run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLayout {
    folder: PathBuf,
}

impl RunLayout {
    /// The run in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        RunLayout { folder: folder.into() }
    }

    /// Creates `runs/<recipe>-<n>` with the least `n` ≥ 1 that is free. Two processes that ask at once get two folders, as creating a
    /// folder either succeeds for one of them or fails.
    pub(super) fn create(runs: &Path, recipe: &str) -> Result<Self, ModelError> {
        files::create_folder(runs)?;
        let mut n = 1usize;
        loop {
            let folder = runs.join(format!("{recipe}-{n}"));
            match fs::create_dir(&folder) {
                Ok(()) => return Ok(Self { folder }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
                Err(source) => return Err(ModelError::Io { path: folder, source }),
            }
        }
    }

    /// The runs in a folder, by their recipes' names and then by their numbers: `small-9` before `small-10`. A folder that cannot be read
    /// has none.
    pub fn all(runs: &Path) -> Vec<Self> {
        let mut found: Vec<((String, usize), Self)> = folders(runs)
            .filter_map(|folder| {
                let name = folder.file_name()?.to_str()?;
                let (recipe, number) = name.rsplit_once('-')?;
                Some(((recipe.to_owned(), number.parse().ok()?), Self { folder }))
            })
            .filter(|(_, run)| run.recipe().is_file())
            .collect();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found.into_iter().map(|(_, run)| run).collect()
    }

    /// The run that a bundle's folder lies in: that of the run itself, or of one of its stages.
    pub fn of_bundle(bundle: &Path) -> Option<Self> {
        let bundle = bundle.canonicalize().ok()?;
        bundle.ancestors().skip(1).take(2).map(Self::new).find(|run| run.recipe().is_file())
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The recipe; a run that has it can be resumed.
    pub fn recipe(&self) -> PathBuf {
        self.folder.join("recipe.toml")
    }

    /// What the run was made with.
    pub fn environment(&self) -> PathBuf {
        self.folder.join("environment.json")
    }

    /// The file that is locked while a process trains the run.
    pub(super) fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    /// The secret key under which the run's bundles know their patients ([`crate::bundle::PatientKey`]); it is not to be passed on with
    /// them.
    pub fn patient_key(&self) -> PathBuf {
        self.folder.join("patient.key")
    }

    /// The bundle of the last stage.
    pub fn bundle(&self) -> PathBuf {
        self.folder.join("bundle")
    }

    /// Whether every stage is done.
    pub fn is_finished(&self) -> bool {
        self.bundle().is_dir()
    }

    /// The folder of the stage at a place in the recipe, from 0.
    pub fn stage(&self, index: usize, name: &str) -> StageLayout {
        StageLayout {
            folder: self.folder.join(format!("{}-{name}", index + 1)),
            number: index + 1,
            name: name.to_owned(),
        }
    }

    /// The stages that have begun, in their order: `9-a` before `10-b`.
    pub fn stages(&self) -> Vec<StageLayout> {
        let mut found: Vec<StageLayout> = folders(&self.folder)
            .filter_map(|folder| {
                let (number, name) = folder.file_name()?.to_str()?.split_once('-')?;
                let (number, name) = (number.parse().ok()?, name.to_owned());
                Some(StageLayout { folder, number, name })
            })
            .collect();
        found.sort_by_key(|stage| stage.number);
        found
    }
}

/// The folder of a run's stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageLayout {
    folder: PathBuf,
    number: usize,
    name: String,
}

impl StageLayout {
    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The stage's name in the recipe.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which films are trained on and which are held out.
    pub fn split(&self) -> PathBuf {
        self.folder.join("split.csv")
    }

    /// The epochs' figures ([`super::history::read_csv`]).
    pub fn history(&self) -> PathBuf {
        self.folder.join("history.csv")
    }

    /// The kept weights' predictions of the validation films, for `coxa evaluate` and `coxa compare`; of two classes only.
    /// Probabilities are the network's own, before any calibration.
    pub fn validation(&self) -> PathBuf {
        self.folder.join("validation.csv")
    }

    /// The last checkpoint.
    pub fn last(&self) -> PathBuf {
        self.folder.join("last.safetensors")
    }

    /// The weights of the least validation loss.
    pub fn best(&self) -> PathBuf {
        self.folder.join("best.safetensors")
    }

    /// The stage's bundle; it is there when the stage is done.
    pub fn bundle(&self) -> PathBuf {
        self.folder.join("bundle")
    }
}

fn folders(parent: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_folders_never_meet() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = [1, 2].map(|_| RunLayout::create(folder.path(), "run").unwrap());
        assert_eq!((first.folder(), second.folder()), (&*folder.path().join("run-1"), &*folder.path().join("run-2")));
    }

    #[test]
    fn runs_and_stages_stand_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["small-10", "small-9", "paper-11", "films", "small-x"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("recipe.toml"), "").unwrap();
        }
        fs::create_dir(folder.path().join("small-12")).unwrap();
        let names = |paths: Vec<&Path>| -> Vec<String> {
            paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        let runs = RunLayout::all(folder.path());
        // One without a recipe was killed before it began.
        assert_eq!(names(runs.iter().map(RunLayout::folder).collect()), ["paper-11", "small-9", "small-10"]);
        let run = &runs[2];
        for (index, name) in [(9, "b"), (8, "a"), (0, "a-1")] {
            fs::create_dir_all(run.stage(index, name).bundle()).unwrap();
        }
        let stages = run.stages();
        assert_eq!(names(stages.iter().map(StageLayout::folder).collect()), ["1-a-1", "9-a", "10-b"]);
        assert_eq!(stages[0].name(), "a-1");
        assert!(!run.is_finished());
        for bundle in [run.bundle(), run.stage(9, "b").bundle()] {
            fs::create_dir_all(&bundle).unwrap();
            let found = RunLayout::of_bundle(&bundle).unwrap();
            assert_eq!(found.folder(), run.folder().canonicalize().unwrap());
        }
        assert_eq!(RunLayout::of_bundle(folder.path()), None);
    }
}

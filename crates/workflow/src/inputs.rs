//! The films that a request names: files, folders, dataset folders.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use coxa_cohort::{Dataset, Film};
use coxa_files::find::films_below;

use crate::{Failure, WorkflowError};

/// A film to read.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its file, as it was named or found.
    pub path: PathBuf,
    /// Its row, where it is of a dataset.
    pub film: Option<Film>,
    /// What it is called in tables, unlike any other of the same request: its `image_id` in a dataset, else its path within the named
    /// folder with `/` between folders, or the name of the named file. Where two would be called the same, the whole path.
    pub name: String,
}

/// What lies below the named files and folders.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The films, in the order in which they are named and, within a folder, in that of their names.
    pub films: Vec<Input>,
    /// Files that are no films.
    pub others: Vec<PathBuf>,
    /// Folders that are named twice or to which links lead a second time, and films that are named twice: they are read once.
    pub repeated: Vec<PathBuf>,
    /// Folders and links that cannot be followed.
    pub unreadable: Vec<Failure>,
}

/// Finds the films below the named files and folders. A named file is always tried; in a folder, films are known by the ending of their
/// names or by their first bytes; of a dataset folder, the films that are not excluded.
///
/// # Errors
/// A dataset whose tables cannot be read.
pub fn find_inputs(named: &[PathBuf]) -> Result<Inputs, WorkflowError> {
    let mut inputs = Inputs::default();
    for path in named {
        if !path.is_dir() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            inputs.films.push(Input { path: path.clone(), film: None, name });
        } else if path.join("manifest.csv").is_file() {
            inputs.add_dataset(path)?;
        } else {
            inputs.add_folder(path);
        }
    }
    inputs.drop_repeated();
    inputs.tell_apart();
    Ok(inputs)
}

impl Inputs {
    fn add_dataset(&mut self, folder: &Path) -> Result<(), WorkflowError> {
        let dataset = Dataset::load(folder)?;
        for film in dataset.films.iter().filter(|film| !film.excluded) {
            let path = dataset.image_path(film);
            self.films.push(Input { path, film: Some(film.clone()), name: film.image_id.clone() });
        }
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path) {
        let found = films_below(folder);
        self.films.extend(found.films.into_iter().map(|path| {
            let name = slashed(path.strip_prefix(folder).unwrap_or(&path));
            Input { path, film: None, name }
        }));
        self.others.extend(found.others);
        self.repeated.extend(found.repeated);
        self.unreadable.extend(found.unreadable.into_iter().map(|(path, reason)| {
            let file = path.display().to_string();
            Failure { error: format!("{file}: {reason}"), file, hint: None }
        }));
    }

    fn drop_repeated(&mut self) {
        let mut known = HashSet::new();
        let (films, repeated) =
            std::mem::take(&mut self.films).into_iter().partition(|input| known.insert(slashed(&input.path)));
        self.films = films;
        self.repeated.extend(repeated.into_iter().map(|input: Input| input.path));
    }

    /// Calls films by their whole paths where their names are not theirs alone.
    fn tell_apart(&mut self) {
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for input in &self.films {
            *uses.entry(&input.name).or_default() += 1;
        }
        let is_shared: Vec<bool> = self.films.iter().map(|input| uses[input.name.as_str()] > 1).collect();
        for (input, _) in self.films.iter_mut().zip(is_shared).filter(|(_, is_shared)| *is_shared) {
            input.name = slashed(&input.path);
        }
    }
}

/// A path with `/` between its parts, whatever the system writes, and without `.`.
fn slashed(path: &Path) -> String {
    let mut text = String::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::RootDir => text.push('/'),
            part => {
                if !text.is_empty() && !text.ends_with('/') {
                    text.push('/');
                }
                text.push_str(&part.as_os_str().to_string_lossy());
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn films_of_one_name_are_told_apart_by_their_folders() {
        let folder = tempfile::tempdir().unwrap();
        for (place, name) in [("cd/ST1", "IM1"), ("cd/ST2", "IM1"), ("cd/ST2", "IM2"), ("dvd/ST1", "IM1")] {
            fs::create_dir_all(folder.path().join(place)).unwrap();
            fs::write(folder.path().join(place).join(format!("{name}.png")), b"").unwrap();
        }
        let [cd, dvd] = ["cd", "dvd"].map(|name| folder.path().join(name));
        let names = |named: &[PathBuf]| {
            let films = find_inputs(named).unwrap().films;
            films.into_iter().map(|input| input.name).collect::<Vec<_>>()
        };
        assert_eq!(names(std::slice::from_ref(&cd)), ["ST1/IM1.png", "ST2/IM1.png", "ST2/IM2.png"]);
        let whole = |place: &str| slashed(&folder.path().join(place));
        assert_eq!(
            names(&[cd.clone(), dvd.clone()]),
            [whole("cd/ST1/IM1.png"), "ST2/IM1.png".to_owned(), "ST2/IM2.png".to_owned(), whole("dvd/ST1/IM1.png")]
        );
        let [a, b] = [cd.join("ST1/IM1.png"), dvd.join("ST1/IM1.png")];
        assert_eq!(names(&[a.clone(), b]), [whole("cd/ST1/IM1.png"), whole("dvd/ST1/IM1.png")]);
        let twice = find_inputs(&[cd.clone(), cd.join("."), a]).unwrap();
        assert_eq!((twice.films.len(), twice.repeated.len()), (3, 4));
    }
}

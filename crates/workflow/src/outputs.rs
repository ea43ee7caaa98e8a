//! What is written: names that are unlike each other, and no file in the place of one that the program did not make.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use coxa_files::find::without_ending;
use coxa_files::sha256;
use coxa_files::whole::{Partial, refuse_foreign};
use coxa_imaging::encode::is_marked;

use crate::WorkflowError;
use crate::inputs::Input;

/// The most bytes of a file's name before what is appended to it (names end at 255 bytes on every common file system).
const LONGEST: usize = 230;

/// Gives films names of files, each once.
#[derive(Debug, Default)]
pub(crate) struct FileNames {
    taken: HashSet<String>,
}

impl FileNames {
    /// A file's name, without an ending, after a film's: with `-` between folders and a number where that is taken.
    pub fn name(&mut self, film: &str) -> String {
        let base = file_name(&without_ending(Path::new(film)).to_string_lossy());
        let mut name = base.clone();
        let mut n = 2;
        while !self.taken.insert(name.to_lowercase()) {
            name = format!("{base}-{n}");
            n += 1;
        }
        name
    }
}

/// A text as a file's name: only letters, digits and `-_.`, not hidden, and not too long.
fn file_name(text: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = text.trim_start_matches(['/', '.']).chars().map(plain).collect();
    if name.len() <= LONGEST {
        return if name.is_empty() { "film".to_owned() } else { name };
    }
    let hash = sha256(text.as_bytes());
    let mut start = String::new();
    for c in name.chars().take_while(|c| c.is_alphanumeric() || "-_.".contains(*c)) {
        if start.len() + c.len_utf8() > LONGEST - 17 {
            break;
        }
        start.push(c);
    }
    format!("{start}-{}", &hash[..16])
}

/// The places of the inputs' heat maps in a folder, in the inputs' order.
pub(crate) fn heat_map_places(folder: &Path, inputs: &[Input]) -> Vec<PathBuf> {
    let mut names = FileNames::default();
    inputs.iter().map(|input| folder.join(format!("{}.png", names.name(&input.name)))).collect()
}

/// Refuses places for heat maps where an input lies, or a file that is no heat map of this program.
///
/// # Errors
/// [`WorkflowError::Request`] and [`WorkflowError::Io`].
pub(crate) fn check_heat_maps(places: &[PathBuf], inputs: &[Input]) -> Result<(), WorkflowError> {
    let there: Vec<&PathBuf> = places.iter().filter(|place| place.exists()).collect();
    if there.is_empty() {
        return Ok(());
    }
    let films = canonical(inputs);
    for place in there {
        refuse_input(place, &films, "a heat map", "name a folder without films")?;
        refuse_foreign(place, is_marked).map_err(WorkflowError::io(place))?;
    }
    Ok(())
}

/// Refuses an output in the place of an input.
///
/// # Errors
/// [`WorkflowError::Request`].
pub(crate) fn check_table(place: &Path, inputs: &[Input]) -> Result<(), WorkflowError> {
    if !place.exists() {
        return Ok(());
    }
    refuse_input(place, &canonical(inputs), "the table", "name another file")
}

fn canonical(inputs: &[Input]) -> HashSet<PathBuf> {
    inputs.iter().filter_map(|input| input.path.canonicalize().ok()).collect()
}

fn refuse_input(place: &Path, films: &HashSet<PathBuf>, what: &str, hint: &str) -> Result<(), WorkflowError> {
    match place.canonicalize() {
        Ok(real) if films.contains(&real) => Err(WorkflowError::request(
            format!("{}: {what} would replace this film, which is an input", place.display()),
            hint,
        )),
        _ => Ok(()),
    }
}

/// Writes a picture whole, where nothing lies or an earlier one of this program.
///
/// # Errors
/// The system's, or [`io::ErrorKind::AlreadyExists`].
pub(crate) fn write_picture(place: &Path, png: &[u8]) -> io::Result<()> {
    let partial = Partial::replacing(place, is_marked)?;
    fs::write(partial.path(), png)?;
    partial.keep()
}

/// Creates a folder and those above it.
///
/// # Errors
/// The system's.
pub(crate) fn create_folder(path: &Path) -> Result<(), WorkflowError> {
    fs::create_dir_all(path).map_err(WorkflowError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain_and_unlike_each_other() {
        let mut names = FileNames::default();
        let given = ["ST1/IM1", "ST1-IM1.dcm", "st1-im1.png", "1.2.840.10008", "../a b:c.png", "髖/1.dcm", ""];
        let made = given.map(|film| names.name(film));
        assert_eq!(made, ["ST1-IM1", "ST1-IM1-2", "st1-im1-3", "1.2.840.10008", "a-b-c", "髖-1", "film"]);
    }

    #[test]
    fn long_names_are_cut_and_stay_unlike() {
        let mut names = FileNames::default();
        let long = "髖/".repeat(200);
        let [a, b] = ["1.dcm", "2.dcm"].map(|end| names.name(&format!("{long}{end}")));
        assert!(a != b && a.len() <= LONGEST && b.len() <= LONGEST, "{a} {b}");
        assert_eq!(names.name(&"a".repeat(226)), "a".repeat(226));
    }

    #[test]
    fn only_a_picture_of_ours_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.png");
        let ours = coxa_imaging::encode::png_rgb8_to_vec(1, 1, &[1, 2, 3]).unwrap();
        write_picture(&place, &ours).unwrap();
        write_picture(&place, &ours).unwrap();
        let film = coxa_imaging::encode::png_gray8_to_vec(1, 1, &[1]).unwrap();
        fs::write(&place, &film).unwrap();
        assert_eq!(write_picture(&place, &ours).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&place).unwrap(), film);
    }
}

//! The films below a folder: chosen by the ending of their names, and where that tells nothing, by their first bytes.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Endings of the names of films; other files are judged by their first bytes.
pub const FILM_ENDINGS: [&str; 8] = ["dcm", "dicom", "ima", "png", "jpg", "jpeg", "tif", "tiff"];

/// What lies below a folder.
#[derive(Debug, Default)]
pub struct Found {
    /// The films, in the order of their names.
    pub films: Vec<PathBuf>,
    /// Files that are no films.
    pub others: Vec<PathBuf>,
    /// Links that lead to a folder which was searched already; they were not followed again.
    pub repeated: Vec<PathBuf>,
    /// Folders and links that cannot be followed: the path and the system's reason.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Searches a folder and those below it, in the order of names. Links are followed, but no folder is searched twice. Hidden files and
/// folders are left out.
pub fn films_below(folder: &Path) -> Found {
    let mut found = Found::default();
    let mut searched = HashSet::new();
    let mut walk = walkdir::WalkDir::new(folder).sort_by_file_name().follow_links(true).into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.fail(folder, &error);
                continue;
            }
        };
        if entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".") {
            if entry.file_type().is_dir() {
                walk.skip_current_dir();
            }
        } else if entry.file_type().is_dir() {
            let is_new = entry.path().canonicalize().is_ok_and(|place| searched.insert(place));
            if !is_new {
                found.repeated.push(entry.into_path());
                walk.skip_current_dir();
            }
        } else if entry.file_type().is_file() {
            let path = entry.into_path();
            if is_film(&path) { &mut found.films } else { &mut found.others }.push(path);
        }
    }
    found
}

impl Found {
    fn fail(&mut self, folder: &Path, error: &walkdir::Error) {
        let path = error.path().unwrap_or(folder).to_owned();
        if error.loop_ancestor().is_some() {
            self.repeated.push(path);
        } else {
            let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
            self.unreadable.push((path, reason));
        }
    }
}

/// Whether a file is a film: by the ending of its name, else by its first bytes. A directory of a medium (DICOMDIR) is none.
fn is_film(path: &Path) -> bool {
    if path.file_stem().is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR")) {
        return false;
    }
    has_film_ending(path) || starts_as_film(path)
}

/// A film's path without the ending of a film; other endings are part of the name, as the last number of a UID is.
pub fn without_ending(path: &Path) -> PathBuf {
    if has_film_ending(path) { path.with_extension("") } else { path.to_owned() }
}

fn has_film_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    FILM_ENDINGS.contains(&ending.as_str())
}

/// Whether a file's first bytes are those of a format that films come in. What cannot be opened is none.
fn starts_as_film(path: &Path) -> bool {
    let mut head = Vec::with_capacity(HEAD);
    let read = File::open(path).and_then(|file| file.take(HEAD as u64).read_to_end(&mut head));
    read.is_ok() && is_film_head(&head)
}

const HEAD: usize = 132;

/// Whether a file that begins with these bytes (132 of them, or the whole file) is DICOM, PNG, JPEG or TIFF. A DICOM data set without
/// a preamble is known by its first element: one of the groups 0002 and 0008, as every image has, with a short value.
pub fn is_film_head(head: &[u8]) -> bool {
    const MAGIC: [&[u8]; 6] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];
    head.get(128..132) == Some(b"DICM") || MAGIC.iter().any(|magic| head.starts_with(magic)) || is_data_set(head)
}

fn is_data_set(head: &[u8]) -> bool {
    let Some([group @ .., e0, e1, v0, v1, l0, l1]) = head.first_chunk::<8>() else { return false };
    let is_first_group = matches!(group, [2 | 8, 0]);
    let is_low_element = *e1 == 0 && matches!(e0, 0..=0x20);
    let is_explicit = v0.is_ascii_uppercase() && v1.is_ascii_uppercase();
    let is_short = |length: [u8; 4]| u32::from_le_bytes(length) <= 256;
    is_first_group && is_low_element && (is_explicit || is_short([*v0, *v1, *l0, *l1]))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(paths: &[PathBuf], folder: &Path) -> Vec<String> {
        paths.iter().map(|path| path.strip_prefix(folder).unwrap().display().to_string()).collect()
    }

    #[test]
    fn films_are_found_whatever_their_names_end_in() {
        let folder = tempfile::tempdir().unwrap();
        let mut dicom = vec![0; 128];
        dicom.extend(b"DICM");
        let bare = b"\x08\0\x05\0CS\x0a\0ISO_IR 100";
        fs::create_dir_all(folder.path().join("a/.hidden")).unwrap();
        for (name, bytes) in [
            ("a/1.2.840.10008.1", &dicom[..]),
            ("a/IM000001", &dicom),
            ("a/.hidden/film.dcm", &dicom),
            ("bare.7", bare),
            ("cut.png", b""),
            ("notes.txt", b"Dear colleague"),
            ("scan.jpeg2", b"\xff\xd8\xff\xe0"),
            ("DICOMDIR", &dicom),
        ] {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let found = films_below(folder.path());
        assert_eq!(
            names(&found.films, folder.path()),
            ["a/1.2.840.10008.1", "a/IM000001", "bare.7", "cut.png", "scan.jpeg2"]
        );
        assert_eq!(names(&found.others, folder.path()), ["DICOMDIR", "notes.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn no_folder_is_searched_twice() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        for place in ["one", "two"] {
            fs::create_dir(folder.path().join(place)).unwrap();
            fs::write(folder.path().join(place).join("a.png"), b"").unwrap();
            symlink(folder.path(), folder.path().join(place).join("up")).unwrap();
        }
        symlink(folder.path().join("one"), folder.path().join("two/again")).unwrap();
        symlink(folder.path().join("gone"), folder.path().join("two/broken")).unwrap();
        let found = films_below(folder.path());
        assert_eq!(names(&found.films, folder.path()), ["one/a.png", "two/a.png"]);
        assert_eq!(names(&found.repeated, folder.path()), ["one/up", "two/again", "two/up"]);
        assert_eq!(found.unreadable.len(), 1);
    }
}

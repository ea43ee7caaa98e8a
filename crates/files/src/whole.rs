//! Files and folders that appear whole or not at all.
//!
//! Each is made under a hidden name beside its place, flushed to the disk and then renamed: a reader, a kill or a power cut finds
//! what was there before, or the whole new one.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::hash::sha256;

/// How the name of something in the making ends.
const PARTIAL: &str = ".partial";

/// How many of a file's first bytes tell what it is.
pub const HEAD: usize = 4096;

/// The most bytes of its place's name that a hidden name repeats: names end at 255 bytes on every common file system.
const REPEATED: usize = 64;

/// A file or folder in the making; dropped before [`Partial::keep`], it is removed.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    place: PathBuf,
    kept: bool,
}

impl Partial {
    /// Begins a file, which is there from now on, empty.
    ///
    /// # Errors
    /// A place that is something else than a file (a folder, a device) or has no name, or the disk.
    pub fn file(place: &Path) -> io::Result<Self> {
        if place.exists() && !place.is_file() {
            return Err(invalid("not a file, so it cannot be written whole; name a file"));
        }
        Self::beside(place, |path| File::create_new(path).map(drop))
    }

    /// Begins a file that may take the place of one that this program made, and of no other: `is_ours` judges by the first bytes (up to
    /// [`HEAD`]) of what lies there.
    ///
    /// # Errors
    /// As [`Partial::file`], and [`io::ErrorKind::AlreadyExists`] where what lies there is not ours.
    pub fn replacing(place: &Path, is_ours: impl FnOnce(&[u8]) -> bool) -> io::Result<Self> {
        refuse_foreign(place, is_ours)?;
        Self::file(place)
    }

    /// Begins a folder, which is there from now on, empty. The files that are to outlast a power cut are written into it by
    /// [`write_synced`].
    ///
    /// # Errors
    /// A place without a name, or the disk.
    pub fn folder(place: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent_of(place))?;
        Self::beside(place, |path| fs::create_dir(path))
    }

    /// Two that begin at once get two names, whatever processes and machines they are of, as creating succeeds for one of them only.
    fn beside(place: &Path, create: impl Fn(&Path) -> io::Result<()>) -> io::Result<Self> {
        let place = followed(place)?;
        let prefix = prefix_of(&place)?;
        let mut n = 0u32;
        loop {
            let path = place.with_file_name(format!("{prefix}{}-{n}{PARTIAL}", std::process::id()));
            match create(&path) {
                Ok(()) => return Ok(Self { path, place, kept: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => n += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is while it is made: hidden, and beside its place.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves it to its place: a file takes that of the one before, a folder that of an empty one.
    ///
    /// # Errors
    /// A folder that holds something by now, or the disk; nothing stays behind then.
    pub fn keep(mut self) -> io::Result<()> {
        if self.path.is_file() {
            File::options().write(true).open(&self.path)?.sync_all()?;
        } else {
            sync_folders(&self.path);
            if self.place.is_dir() {
                fs::remove_dir(&self.place)?;
            }
        }
        fs::rename(&self.path, &self.place)?;
        self.kept = true;
        sync_folder(&parent_of(&self.place));
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed is hidden, and there is nobody to tell here.
            remove(&self.path);
        }
    }
}

/// Refuses a place where a file lies that this program did not make; `is_ours` judges by its first bytes (up to [`HEAD`]). An empty
/// file may be replaced.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or the disk's.
pub fn refuse_foreign(place: &Path, is_ours: impl FnOnce(&[u8]) -> bool) -> io::Result<()> {
    let file = match File::open(place) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // What is no file is refused where it is begun.
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    let mut head = Vec::with_capacity(HEAD);
    file.take(HEAD as u64).read_to_end(&mut head)?;
    if head.is_empty() || is_ours(&head) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "this file exists and is not an earlier output of this command, so it is not replaced; name another file",
    ))
}

/// Writes a file whole or not at all.
///
/// # Errors
/// As [`Partial::file`], or the disk; nothing stays behind then.
pub fn write_whole(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = Partial::file(place)?;
    fs::write(partial.path(), bytes)?;
    partial.keep()
}

/// Writes a file where it stands, and waits until it has reached the disk.
///
/// # Errors
/// The disk's.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// What others have begun for this place: they were killed, or are still at it.
pub fn left_of(place: &Path) -> Vec<PathBuf> {
    let Ok(place) = followed(place) else { return Vec::new() };
    let Ok(prefix) = prefix_of(&place) else { return Vec::new() };
    left_in(&parent_of(&place), |name| {
        let number = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(PARTIAL));
        number.is_some_and(|number| number.chars().all(|c| c.is_ascii_digit() || c == '-'))
    })
}

/// Removes what processes that were killed had begun in a folder; nobody else may be writing there. What cannot be removed
/// stays.
pub fn sweep(folder: &Path) {
    left_in(folder, |name| name.starts_with('.') && name.ends_with(PARTIAL)).iter().for_each(|path| remove(path));
}

fn left_in(folder: &Path, is_left: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().filter(|entry| is_left(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect()
}

fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// What a link leads to is replaced, not the link.
fn followed(place: &Path) -> io::Result<PathBuf> {
    if place.is_symlink() { place.canonicalize() } else { Ok(place.to_owned()) }
}

/// How the hidden names for a place begin: with its name, or, where that is long, with its first characters and a hash of it, so that
/// every name that the disk takes can be written.
fn prefix_of(place: &Path) -> io::Result<String> {
    let name = place.file_name().ok_or_else(|| invalid("the path has no name"))?;
    let name = name.to_string_lossy();
    if name.len() <= REPEATED {
        return Ok(format!(".{name}."));
    }
    let start: String = name.chars().take(REPEATED / 4).collect();
    Ok(format!(".{start}-{}.", &sha256(name.as_bytes())[..16]))
}

fn parent_of(place: &Path) -> PathBuf {
    place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Waits until the folders' entries have reached the disk, the innermost first.
fn sync_folders(folder: &Path) {
    if let Ok(entries) = fs::read_dir(folder) {
        let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        entries.flatten().filter(is_folder).for_each(|entry| sync_folders(&entry.path()));
    }
    sync_folder(folder);
}

/// Waits until a folder's entries have reached the disk, where the system can: not every one opens a folder as a file, and what was
/// renamed is in its place all the same.
fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_nothing_stays_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.txt");
        write_whole(&place, b"one").unwrap();
        write_whole(&place, b"two").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn what_is_dropped_leaves_the_old_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.txt");
        write_whole(&place, b"old").unwrap();
        let partial = Partial::file(&place).unwrap();
        let second = Partial::file(&place).unwrap();
        assert_ne!(partial.path(), second.path());
        fs::write(partial.path(), b"half").unwrap();
        assert_eq!(left_of(&place).len(), 2);
        drop((partial, second));
        assert_eq!(fs::read(&place).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn only_an_earlier_output_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.csv");
        let is_ours = |head: &[u8]| head.starts_with(b"image_id,");
        Partial::replacing(&place, is_ours).unwrap().keep().unwrap();
        write_whole(&place, b"image_id,label").unwrap();
        Partial::replacing(&place, is_ours).unwrap().keep().unwrap();
        write_whole(&place, b"name,date").unwrap();
        let error = Partial::replacing(&place, is_ours).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&place).unwrap(), b"name,date");
        assert_eq!(names(folder.path()), ["a.csv"]);
    }

    #[test]
    fn every_name_that_the_disk_takes_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let long = "a".repeat(251) + ".png";
        let chinese = "髖".repeat(85);
        for name in [long.as_str(), chinese.as_str()] {
            let place = folder.path().join(name);
            let partial = Partial::file(&place).unwrap();
            assert_eq!(left_of(&place), [partial.path()]);
            partial.keep().unwrap();
            assert!(place.is_file());
        }
        let other = folder.path().join("a".repeat(250) + "b.png");
        let partial = Partial::file(&folder.path().join(&long)).unwrap();
        assert!(left_of(&other).is_empty());
        drop(partial);
    }

    #[test]
    fn a_folder_takes_the_place_of_an_empty_one_only() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("set");
        fs::create_dir(&place).unwrap();
        let partial = Partial::folder(&place).unwrap();
        write_synced(&partial.path().join("a"), b"a").unwrap();
        partial.keep().unwrap();
        assert_eq!(names(&place), ["a"]);
        let second = Partial::folder(&place).unwrap();
        assert!(second.keep().is_err());
        assert_eq!(names(&place), ["a"]);
        assert_eq!(names(folder.path()), ["set"]);
    }

    #[test]
    fn a_folder_or_a_path_without_a_name_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_whole(folder.path(), b"x").unwrap_err().to_string().contains("not a file"));
        assert!(write_whole(Path::new(".."), b"x").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_a_link_leads_to_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (place, link) = (folder.path().join("a.txt"), folder.path().join("link"));
        fs::write(&place, b"old").unwrap();
        std::os::unix::fs::symlink(&place, &link).unwrap();
        write_whole(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&place).unwrap(), b"new");
    }

    #[test]
    fn sweeping_takes_hidden_leftovers_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".S1.png.7-0.partial", "S1.png", ".films"] {
            fs::write(folder.path().join(name), b"x").unwrap();
        }
        sweep(folder.path());
        assert_eq!(names(folder.path()), [".films", "S1.png"]);
    }
}

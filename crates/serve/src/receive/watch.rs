//! Watched folders, by looking through them every few seconds: a notification of the system says nothing on network drives.
//!
//! A file is taken when its length and time have stayed the same for one round, and stays where it is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::io::AsyncReadExt as _;
use tokio::sync::watch::Receiver;

use super::{Announced, Intake, IntakeError};
use crate::config::Watch;

/// How a file looked when it was last seen.
type Looks = (u64, SystemTime);

/// What a look through a folder found.
#[derive(Debug, Default)]
struct Seen {
    files: BTreeMap<PathBuf, Looks>,
    /// Folders that cannot be read, and why.
    unreadable: HashMap<PathBuf, String>,
}

/// What is known of a folder's files.
#[derive(Debug, Default)]
struct Known {
    settling: HashMap<PathBuf, Looks>,
    taken: HashMap<PathBuf, Looks>,
    unreadable: HashSet<PathBuf>,
}

/// Looks through the folders until `stop`.
pub async fn watch(folders: Watch, intake: Intake, mut stop: Receiver<bool>) {
    let mut known: Vec<Known> = folders.folders.iter().map(|_| Known::default()).collect();
    let mut ticks = tokio::time::interval(Duration::from_secs(folders.every_seconds.max(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        for (folder, known) in folders.folders.iter().zip(&mut known) {
            let seen = tokio::task::spawn_blocking({
                let folder = folder.clone();
                move || look(&folder)
            });
            match seen.await {
                Ok(seen) => {
                    known.tell(&seen);
                    known.settle(seen, &intake).await;
                }
                Err(_) => tracing::error!("looking through a watched folder failed"),
            }
        }
    }
}

impl Known {
    /// Says which folders cannot be read, each once.
    fn tell(&mut self, seen: &Seen) {
        for (folder, error) in &seen.unreadable {
            if self.unreadable.insert(folder.clone()) {
                tracing::error!(folder = %folder.display(), "a watched folder cannot be read, the others are: {error}");
            }
        }
        self.unreadable.retain(|folder| seen.unreadable.contains_key(folder));
    }

    async fn settle(&mut self, seen: Seen, intake: &Intake) {
        // Files that are gone are forgotten; those of a folder that cannot be read now may still be there.
        let is_there = |file: &PathBuf| {
            seen.files.contains_key(file) || file.ancestors().any(|folder| seen.unreadable.contains_key(folder))
        };
        self.taken.retain(|file, _| is_there(file));
        self.settling.retain(|file, _| is_there(file));
        for (file, looks) in seen.files {
            if self.taken.get(&file) == Some(&looks) {
                continue;
            }
            if self.settling.get(&file) != Some(&looks) {
                self.settling.insert(file, looks);
                continue;
            }
            self.settling.remove(&file);
            match take(&file, looks.0, intake).await {
                Err(error) if error.is_passing() => tracing::warn!("a file of a watched folder waits: {error}"),
                Err(error) => {
                    tracing::warn!("a file of a watched folder is no film: {error}");
                    self.taken.insert(file, looks);
                }
                Ok(()) => {
                    self.taken.insert(file, looks);
                }
            }
        }
    }
}

/// The files of a folder and of those below it. One that cannot be read, or has gone meanwhile, hides no other.
fn look(folder: &Path) -> Seen {
    let mut seen = Seen::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        let entries = match std::fs::read_dir(&below) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && below != folder => continue,
            Err(error) => {
                seen.unreadable.insert(below, error.to_string());
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    seen.unreadable.insert(below.clone(), error.to_string());
                    break;
                }
            };
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            // A link could lead anywhere.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !is_hidden => folders.push(entry.path()),
                Ok(kind) if kind.is_file() && !is_hidden => {
                    // A file that has gone meanwhile is no error.
                    if let Ok(data) = entry.metadata() {
                        let time = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                        seen.files.insert(entry.path(), (data.len(), time));
                    }
                }
                _ => {}
            }
        }
    }
    seen
}

async fn take(file: &Path, length: u64, intake: &Intake) -> Result<(), IntakeError> {
    if length > intake.largest() {
        return Err(IntakeError::Large { bytes: length, most: intake.largest() });
    }
    intake.has_room_for(length)?;
    let disk = |error: std::io::Error| IntakeError::Store(error.into());
    // It may grow while it is read.
    let mut source = tokio::fs::File::open(file).await.map_err(disk)?.take(length);
    let mut incoming = intake.begin().await?;
    let mut piece = vec![0; 256 * 1024];
    loop {
        let read = source.read(&mut piece).await.map_err(disk)?;
        if read == 0 {
            break;
        }
        intake.write(&mut incoming, &piece[..read]).await?;
    }
    intake.finish(incoming, Announced::default(), "folder").await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_has_gone_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert!(look(&missing).unreadable.contains_key(&missing));
        std::fs::create_dir(folder.path().join("below")).unwrap();
        std::fs::write(folder.path().join("below/film"), "1").unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        let seen = look(folder.path());
        assert_eq!(seen.files.keys().collect::<Vec<_>>(), [&folder.path().join("below/film")]);
        assert!(seen.unreadable.is_empty());
    }
}

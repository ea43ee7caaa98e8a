//! Watched folders, by looking through them every few seconds: a notification of the system says nothing on network drives.
//!
//! A file is taken when its length and time have stayed the same for one round, and stays where it is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::io::AsyncReadExt as _;
use tokio::sync::watch::Receiver;

use super::{Intake, IntakeError};
use crate::config::Watch;

/// How a file looked when it was last seen.
type Looks = (u64, SystemTime);

/// What is known of a folder's files.
#[derive(Debug, Default)]
struct Known {
    settling: HashMap<PathBuf, Looks>,
    taken: HashMap<PathBuf, Looks>,
}

/// Looks through the folders until `stop`.
pub async fn watch(folders: Watch, intake: Intake, mut stop: Receiver<bool>) {
    let mut known = Known::default();
    let mut ticks = tokio::time::interval(Duration::from_secs(folders.every_seconds.max(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        for folder in &folders.folders {
            let seen = tokio::task::spawn_blocking({
                let folder = folder.clone();
                move || look(&folder)
            });
            match seen.await {
                Ok(Ok(files)) => known.settle(files, &intake).await,
                Ok(Err(error)) => {
                    tracing::error!(folder = %folder.display(), "a watched folder cannot be read: {error}")
                }
                Err(_) => tracing::error!("looking through a watched folder failed"),
            }
        }
    }
}

impl Known {
    async fn settle(&mut self, files: Vec<(PathBuf, Looks)>, intake: &Intake) {
        for (file, looks) in files {
            if self.taken.get(&file) == Some(&looks) {
                continue;
            }
            if self.settling.get(&file) != Some(&looks) {
                self.settling.insert(file, looks);
                continue;
            }
            self.settling.remove(&file);
            match take(&file, intake).await {
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

fn look(folder: &Path) -> std::io::Result<Vec<(PathBuf, Looks)>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            // A link could lead anywhere.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !is_hidden => folders.push(entry.path()),
                Ok(kind) if kind.is_file() && !is_hidden => {
                    // A file that has gone meanwhile is no error.
                    if let Ok(data) = entry.metadata() {
                        files.push((entry.path(), (data.len(), data.modified().unwrap_or(SystemTime::UNIX_EPOCH))));
                    }
                }
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

async fn take(file: &Path, intake: &Intake) -> Result<(), IntakeError> {
    let disk = |error: std::io::Error| IntakeError::Store(error.into());
    let mut source = tokio::fs::File::open(file).await.map_err(disk)?;
    let mut incoming = intake.begin().await?;
    let mut piece = vec![0; 256 * 1024];
    loop {
        let read = source.read(&mut piece).await.map_err(disk)?;
        if read == 0 {
            break;
        }
        incoming.write(&piece[..read]).await?;
    }
    intake.finish(incoming, None, "folder").await.map(drop)
}

//! Backup and restore of a node: its database and films, whole or not at all, while it works.
//!
//! The database is copied first, at one moment; a film that its rows name was on the disk before them, so every one of them is found
//! afterwards. A backup is a folder like a data folder, with the hash of each file as its name, which is checked on the way back.

use std::io;
use std::path::{Path, PathBuf};

use coxa_files::Partial;

use crate::db::{Database, DbError};

const DATABASE: &str = "coxa.sqlite";
const FILMS: &str = "films";

/// What failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A place.
    #[error("{}: {source}", place.display())]
    Place {
        /// The file or folder.
        place: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A folder that is no data folder or backup.
    #[error("{}: no database of a node is here", .0.display())]
    NoDatabase(PathBuf),
    /// A place that has something already.
    #[error("{}: something is there already", .0.display())]
    Taken(PathBuf),
    /// A film whose bytes are not those of its name.
    #[error("{}: the film is damaged: its bytes are not those that its name tells", .0.display())]
    Damaged(PathBuf),
}

impl coxa_schema::Hint for BackupError {
    fn kind(&self) -> coxa_schema::ErrorKind {
        match self {
            Self::Taken(_) | Self::NoDatabase(_) => coxa_schema::ErrorKind::Usage,
            _ => coxa_schema::ErrorKind::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoDatabase(_) => {
                Some("films in PostgreSQL's care are backed up by pg_dump and the bucket's own means".into())
            }
            Self::Taken(_) => Some("name a folder that is not there yet".into()),
            Self::Damaged(_) => {
                Some("restore from another backup; the others of this one can still be read by hand".into())
            }
            _ => None,
        }
    }
}

fn at(place: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let place = place.to_owned();
    |source| BackupError::Place { place, source }
}

/// Copies a node's data folder to a new folder; how many films there are. `progress` gets the number of films so far.
///
/// # Errors
/// A folder that is none of a node, a place that has something, the disk.
pub async fn backup(data: &Path, to: &Path, progress: impl FnMut(usize)) -> Result<usize, BackupError> {
    if !data.join(DATABASE).is_file() {
        return Err(BackupError::NoDatabase(data.to_owned()));
    }
    if to.exists() {
        return Err(BackupError::Taken(to.to_owned()));
    }
    let making = Partial::folder(to).map_err(at(to))?;
    // Before the database, so that the audit log's head is in it.
    copy_small(data, making.path())?;
    let database = Database::in_folder(data).await?;
    database.copy_to(&making.path().join(DATABASE)).await?;
    database.close().await;
    let films = copy_films(&data.join(FILMS), &making.path().join(FILMS), progress)?;
    making.keep().map_err(at(to))?;
    Ok(films)
}

/// Makes a data folder of a backup; how many films there are.
///
/// # Errors
/// A folder that is no backup, a place that has something, a damaged film, the disk.
pub fn restore(from: &Path, data: &Path, progress: impl FnMut(usize)) -> Result<usize, BackupError> {
    if !from.join(DATABASE).is_file() {
        return Err(BackupError::NoDatabase(from.to_owned()));
    }
    if data.exists() {
        return Err(BackupError::Taken(data.to_owned()));
    }
    let making = Partial::folder(data).map_err(at(data))?;
    let place = from.join(DATABASE);
    let bytes = std::fs::read(&place).map_err(at(&place))?;
    coxa_files::whole::write_synced(&making.path().join(DATABASE), &bytes).map_err(at(&place))?;
    copy_small(from, making.path())?;
    let films = copy_films(&from.join(FILMS), &making.path().join(FILMS), progress)?;
    making.keep().map_err(at(data))?;
    Ok(films)
}

/// Copies the node's name, its keys and the audit log's head, where they are there; the keys stay their owner's alone.
fn copy_small(from: &Path, to: &Path) -> Result<(), BackupError> {
    for name in ["node", crate::people::VAULT_FILE].into_iter().chain(crate::audit::FILES) {
        let place = from.join(name);
        match std::fs::read(&place) {
            Ok(bytes) => {
                coxa_files::whole::write_synced(&to.join(name), &bytes).map_err(at(&place))?;
                let permissions = std::fs::metadata(&place).map_err(at(&place))?.permissions();
                std::fs::set_permissions(to.join(name), permissions).map_err(at(&place))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&place)(error)),
        }
    }
    Ok(())
}

/// How many films a data folder or backup has.
///
/// # Errors
/// When there are none to be read.
pub fn count(data: &Path) -> Result<usize, BackupError> {
    let films = data.join(FILMS);
    let mut count = 0;
    for folder in std::fs::read_dir(&films).map_err(at(&films))? {
        let folder = folder.map_err(at(&films))?.path();
        count += if folder.is_dir() { std::fs::read_dir(&folder).map_err(at(&folder))?.count() } else { 0 };
    }
    Ok(count)
}

/// Copies films, each checked against its name.
fn copy_films(from: &Path, to: &Path, mut progress: impl FnMut(usize)) -> Result<usize, BackupError> {
    let mut count = 0;
    for folder in std::fs::read_dir(from).map_err(at(from))? {
        let folder = folder.map_err(at(from))?.path();
        if !folder.is_dir() {
            continue;
        }
        let place = to.join(folder.file_name().unwrap_or_default());
        std::fs::create_dir_all(&place).map_err(at(&place))?;
        for film in std::fs::read_dir(&folder).map_err(at(&folder))? {
            let film = film.map_err(at(&folder))?.path();
            let bytes = match std::fs::read(&film) {
                Ok(bytes) => bytes,
                // Retention removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(at(&film)(error)),
            };
            let name = film.file_name().unwrap_or_default();
            if *coxa_files::sha256(&bytes) != *name.to_string_lossy() {
                return Err(BackupError::Damaged(film));
            }
            let place = place.join(name);
            coxa_files::whole::write_synced(&place, &bytes).map_err(at(&place))?;
            count += 1;
            progress(count);
        }
    }
    Ok(count)
}

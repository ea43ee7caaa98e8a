//! `coxa backup` and `coxa restore`: a node's database and films.

use std::path::PathBuf;

use clap::Args;
use coxa_serve::backup;

use crate::output::Outcome;
use crate::progress::Bar;

/// Copy a node's database and films to a new folder, while the node works.
///
/// A copy appears whole or not at all. It names patients: keep it as safe as the node's own folder.
#[derive(Args)]
#[command(after_help = "Example: coxa backup --data coxa-data --to /backup/coxa-2026-11-28")]
pub struct Backup {
    /// The node's data folder.
    #[arg(long, value_name = "DIR", default_value = "coxa-data", env = "COXA_SERVE_DATA")]
    data: PathBuf,
    /// Make this new folder.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

impl Backup {
    /// Copies.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let bar = Bar::new("films copied", backup::count(&self.data).unwrap_or(0));
        let films = runtime.block_on(backup::backup(&self.data, &self.to, |done| bar.set(done, "")))?;
        drop(bar);
        println!("{films} films are in {}", self.to.display());
        Ok(Outcome::Done)
    }
}

/// Make a node's data folder of a backup. Every film is checked against its hash.
#[derive(Args)]
#[command(after_help = "Example: coxa restore --from /backup/coxa-2026-11-28 --data coxa-data")]
pub struct Restore {
    /// The backup.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Make this new data folder.
    #[arg(long, value_name = "DIR", default_value = "coxa-data", env = "COXA_SERVE_DATA")]
    data: PathBuf,
}

impl Restore {
    /// Copies back.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let bar = Bar::new("films copied", backup::count(&self.from).unwrap_or(0));
        let films = backup::restore(&self.from, &self.data, |done| bar.set(done, ""))?;
        drop(bar);
        println!("{films} films are in {}", self.data.display());
        Ok(Outcome::Done)
    }
}

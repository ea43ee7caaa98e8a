//! A node's data as the commands for administrators open it: the folder, the database, the audit log.

use std::path::PathBuf;

use clap::Args;
use coxa_serve::audit::{Deed, Event, Keys, Log, Who};
use coxa_serve::db::Database;

use crate::output::usage;

/// Which node's data.
#[derive(Args)]
pub struct Place {
    /// The node's data folder.
    #[arg(long, value_name = "DIR", default_value = "coxa-data", env = "COXA_SERVE_DATA")]
    pub data: PathBuf,
    /// The node's database, where it is not in the data folder.
    #[arg(long, value_name = "URL", env = "COXA_SERVE_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
}

/// A node's data.
pub struct Opened {
    /// The database.
    pub db: Database,
    /// The node's signing key.
    pub keys: Keys,
    log: Log,
}

impl Place {
    /// Opens the data of a node, which may be running.
    pub async fn open(&self) -> anyhow::Result<Opened> {
        if !self.data.is_dir() {
            return Err(usage(
                format!("{}: there is no such folder", self.data.display()),
                "name the node's data folder with --data, or start the node once",
            ));
        }
        let url = self.database.clone().unwrap_or_else(|| coxa_serve::db::sqlite_url(&self.data));
        let db = Database::open(&url).await?;
        let keys = Keys::open(&self.data)?;
        let node = std::fs::read_to_string(self.data.join("node")).unwrap_or_default();
        let log = Log::begin(db.clone(), keys.clone(), node.trim());
        Ok(Opened { db, keys, log })
    }
}

impl Opened {
    /// Records what is done at the command line, before it is done.
    pub async fn record(&self, deed: Deed, details: &[(&str, &str)]) -> anyhow::Result<()> {
        let event = Event::new(deed, Who::command_line());
        Ok(self.log.add(details.iter().fold(event, |event, (key, value)| event.with(key, value))).await?)
    }
}

//! `coxa token`: tokens of a node's web interfaces.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use coxa_serve::db::{Database, Scope};

use crate::output::{Outcome, usage};

/// Make or take back a token for a node's web interfaces.
#[derive(Args)]
pub struct Token {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print a new token, which is shown this once.
    Create {
        /// Call it so: whoever uses it.
        #[arg(long)]
        name: String,
        /// Allow reading alone, or all.
        #[arg(long, value_parser = ["read", "admin"])]
        scope: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take a token back.
    Revoke {
        /// The token's name.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Args)]
struct Place {
    /// The node's data folder.
    #[arg(long, value_name = "DIR", default_value = "coxa-data", env = "COXA_SERVE_DATA")]
    data: PathBuf,
    /// The node's database, where it is not in the data folder.
    #[arg(long, value_name = "URL", env = "COXA_SERVE_DATABASE", hide_env_values = true)]
    database: Option<String>,
}

impl Place {
    async fn open(&self) -> anyhow::Result<Database> {
        let url = self.database.clone().unwrap_or_else(|| coxa_serve::db::sqlite_url(&self.data));
        if self.database.is_none() && !self.data.is_dir() {
            return Err(usage(
                format!("{}: there is no such folder", self.data.display()),
                "name the node's data folder with --data, or start the node once",
            ));
        }
        Ok(Database::open(&url).await?)
    }
}

impl Token {
    /// Makes or takes back.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            match self.verb {
                Verb::Create { name, scope, place } => {
                    let scope = Scope::parse(&scope).unwrap_or(Scope::Read);
                    let token = coxa_serve::secret();
                    if !place.open().await?.add_token(&name, &token, scope).await? {
                        return Err(usage(
                            format!("there is a token {name}"),
                            "choose another name, or revoke it first",
                        ));
                    }
                    println!("{token}");
                }
                Verb::Revoke { name, place } => {
                    if !place.open().await?.remove_token(&name).await? {
                        return Err(usage(
                            format!("there is no token {name}"),
                            "tokens are named as they were created",
                        ));
                    }
                }
            }
            Ok(Outcome::Done)
        })
    }
}

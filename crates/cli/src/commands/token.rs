//! `coxa token`: tokens of a node's web interfaces.

use clap::{Args, Subcommand};
use coxa_serve::audit::Deed;
use coxa_serve::db::Scope;

use super::place::Place;
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

impl Token {
    /// Makes or takes back.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            match self.verb {
                Verb::Create { name, scope, place } => {
                    let scope = Scope::parse(&scope).unwrap_or(Scope::Read);
                    let token = coxa_serve::secret();
                    let node = place.open().await?;
                    node.record(Deed::TokenCreated, &[("name", &name), ("scope", scope.as_str())]).await?;
                    if !node.db.add_token(&name, &token, scope).await? {
                        return Err(usage(
                            format!("there is a token {name}"),
                            "choose another name, or revoke it first",
                        ));
                    }
                    println!("{token}");
                }
                Verb::Revoke { name, place } => {
                    let node = place.open().await?;
                    node.record(Deed::TokenRevoked, &[("name", &name)]).await?;
                    if !node.db.remove_token(&name).await? {
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

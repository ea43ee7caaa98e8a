//! `coxa people`: accounts, from the command line of the node's own machine.

use clap::{Args, Subcommand};
use coxa_serve::audit::Deed;
use coxa_serve::db::NewPerson;
use coxa_serve::people::{Passwords, Roles, account};

use super::place::Place;
use crate::output::{Outcome, usage};

/// List accounts, add one, or give one a new password, on the node's own machine.
///
/// For an administrator who cannot sign in any more; everything else is on the page /people. Each use is recorded in the audit log.
#[derive(Args)]
pub struct People {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print a line for each account: name, roles, last sign-in.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Print the password of a new account, which is shown this once.
    Add {
        /// Sign in with this name.
        #[arg(long)]
        name: String,
        /// Give it these roles: physician, reviewer, reader, administrator, auditor.
        #[arg(long, value_name = "ROLES", value_delimiter = ',', required = true)]
        roles: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Print a new password of an account, which is shown this once; remove its second factor and end its sessions.
    Reset {
        /// The account's name.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

impl People {
    /// Lists, adds or resets.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            match self.verb {
                Verb::List { place } => list(&place).await,
                Verb::Add { name, roles, place } => add(&place, &name, &roles.join(" ")).await,
                Verb::Reset { name, place } => reset(&place, &name).await,
            }
        })
    }
}

async fn list(place: &Place) -> anyhow::Result<Outcome> {
    for account in place.open().await?.db.people().await? {
        let state = if account.is_disabled { " disabled" } else { "" };
        let seen = if account.signed_in_at == 0 { "never signed in" } else { "has signed in" };
        println!("{}\t{}\t{seen}{state}", account.person.name, account.person.roles);
    }
    Ok(Outcome::Done)
}

async fn hash_of(password: &str) -> anyhow::Result<String> {
    Passwords::default()
        .hash(password)
        .await
        .map_err(|_| anyhow::anyhow!("the password cannot be hashed: no memory is left"))
}

async fn add(place: &Place, name: &str, roles: &str) -> anyhow::Result<Outcome> {
    let known = Roles::parse(roles).ok_or_else(|| {
        usage(format!("`{roles}` are no roles"), "roles are physician, reviewer, reader, administrator and auditor")
    })?;
    let name = account::name(name).ok_or_else(|| {
        usage(format!("`{name}` is no name of an account"), "a name has 1 to 64 small letters, digits and . - _ @")
    })?;
    let node = place.open().await?;
    let password = account::one_time_password();
    let person = NewPerson {
        name: name.clone(),
        full_name: String::new(),
        roles: known,
        password: hash_of(&password).await?,
        is_local: false,
    };
    node.record(Deed::PersonAdded, &[("name", &name), ("roles", &known.to_string())]).await?;
    if node.db.add_person(&person).await?.is_none() {
        return Err(usage(
            format!("there is an account {name}"),
            "choose another name, or give it a new password with reset",
        ));
    }
    println!("{password}");
    Ok(Outcome::Done)
}

async fn reset(place: &Place, name: &str) -> anyhow::Result<Outcome> {
    let node = place.open().await?;
    let Some(account) = node.db.account_named(&name.trim().to_lowercase()).await? else {
        return Err(usage(format!("there is no account {name}"), "coxa people list prints their names"));
    };
    if node.db.is_linked(account.person.id).await? {
        return Err(usage(
            format!("the account {name} signs in through the identity provider"),
            "it has no password here: the provider gives another one",
        ));
    }
    let password = account::one_time_password();
    let hash = hash_of(&password).await?;
    node.record(Deed::PasswordReset, &[("name", &account.person.name)]).await?;
    node.db.set_password(account.person.id, &hash, true).await?;
    node.db.set_totp(account.person.id, "").await?;
    node.db.end_sessions(account.person.id, 0).await?;
    println!("{password}");
    Ok(Outcome::Done)
}

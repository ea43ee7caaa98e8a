//! People: who signs in, with what, and what each may do.
//!
//! - [`Role`], [`Roles`]: what a person is here.
//! - [`may`]: the one table of who may do what; every route asks it.
//! - [`Passwords`]: Argon2id, few at a time.
//! - [`Throttle`]: wrong passwords cost time, by account and by address.
//! - [`totp`]: the second factor (RFC 6238).
//! - [`Vault`]: the second factor's secrets, sealed with a key that is not in the database.
//! - [`session`]: the cookie of a session, and the token that its forms carry.
//! - [`account`]: one-time passwords, the first account, what a name and a password must be.

pub mod account;
mod may;
#[cfg(feature = "oidc")]
pub(crate) mod oidc;
mod password;
mod role;
pub mod session;
mod throttle;
pub mod totp;
mod vault;

pub use may::{Action, Asker, Part, Person, Subject, may};
pub(crate) use password::same;
pub use password::{Busy, Passwords};
pub use role::{Role, Roles};
pub use throttle::{Place, Throttle};
pub(crate) use vault::FILE as VAULT_FILE;
pub use vault::{Unopened, Vault, VaultError};

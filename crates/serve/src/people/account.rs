//! Accounts: what a name and a password must be, one-time passwords, and the first account.

use crate::db::{Database, DbError, NewPerson};
use crate::people::{Passwords, Role, Roles};

/// The name of the first account.
pub const FIRST: &str = "admin";
/// The shortest and the longest password, characters.
const LENGTHS: std::ops::RangeInclusive<usize> = 10..=256;
/// The longest names.
const LONGEST_NAME: usize = 64;
const LONGEST_FULL_NAME: usize = 128;
/// What is guessed first, from the lists of common passwords that have ten characters or more.
const COMMON: [&str; 16] = [
    "1234567890",
    "0123456789",
    "0987654321",
    "password12",
    "password123",
    "password1234",
    "qwertyuiop",
    "1q2w3e4r5t",
    "1qaz2wsx3edc",
    "iloveyou12",
    "administrator",
    "changeme123",
    "letmein123",
    "welcome123",
    "radiology123",
    "hospital123",
];

/// A name as it is kept: lower case, of letters, digits and `.`, `-`, `_`, `@`.
pub fn name(text: &str) -> Option<String> {
    let name = text.trim().to_lowercase();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '@');
    (!name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(fits)).then_some(name)
}

/// A full name as it is kept; `None` where it is too long.
pub fn full_name(text: &str) -> Option<String> {
    let name: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    (name.chars().count() <= LONGEST_FULL_NAME).then_some(name)
}

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// It has less than 10 characters or more than 256.
    Length,
    /// It would be among the first guesses.
    Guessed,
}

/// Why a password is not taken; `None` where it is.
pub fn weakness(password: &str, account: &str) -> Option<Weakness> {
    let length = password.chars().count();
    let lower = password.to_lowercase();
    let repeats = password.chars().collect::<std::collections::HashSet<_>>().len() < 5;
    if !LENGTHS.contains(&length) {
        Some(Weakness::Length)
    } else if lower.contains(account) || lower.contains("coxa") || COMMON.contains(&lower.as_str()) || repeats {
        Some(Weakness::Guessed)
    } else {
        None
    }
}

/// A password that is good once: 80 bits in groups of four.
pub fn one_time_password() -> String {
    super::totp::recovery_codes().swap_remove(0)
}

/// Makes the first account where there is none, or gives it a new password where it was never used; the password.
///
/// The account has the roles that one person needs who tries the program alone; more people, each with their own roles, come later.
///
/// # Errors
/// When the database fails.
pub async fn first(db: &Database, passwords: &Passwords) -> Result<Option<String>, DbError> {
    let people = db.people().await?;
    let unused = match people.as_slice() {
        [] => None,
        [only] if only.is_local && only.is_one_time && only.signed_in_at == 0 => Some(only.person.id),
        _ => return Ok(None),
    };
    let password = one_time_password();
    // Nobody else is served yet.
    let Ok(hash) = passwords.hash(&password).await else { return Ok(None) };
    let roles: Roles = [Role::Physician, Role::Administrator, Role::Auditor].into_iter().collect();
    match unused {
        Some(id) => db.set_password(id, &hash, true).await?,
        None => {
            let person = NewPerson {
                name: FIRST.into(),
                full_name: "First administrator".into(),
                roles,
                password: hash,
                is_local: true,
            };
            // Another node that starts at this moment may have made it.
            if db.add_person(&person).await?.is_none() {
                return Ok(None);
            }
        }
    }
    Ok(Some(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords() {
        assert_eq!(name(" J.Doe@Hospital "), Some("j.doe@hospital".into()));
        for wrong in ["", "a b", "<script>", "=cmd", "j\u{202E}doe", &"x".repeat(65)] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
        assert_eq!(weakness("four unrelated words", "doe"), None);
        for weak in ["short", "aaaaaaaaaaaaa", "password123", "johndoe12345", "Coxa-2026-hip"] {
            assert!(weakness(weak, "johndoe").is_some(), "{weak}");
        }
    }
}

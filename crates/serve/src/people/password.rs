//! Passwords: Argon2id (RFC 9106) with a salt of 16 bytes, 19 MiB and two passes.
//!
//! Each hash takes memory and a processor for some tens of milliseconds, and whoever asks for many must not get many: two are made at
//! once, a few wait, and the rest are turned away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::Semaphore;

/// Hashes at once.
const AT_ONCE: usize = 2;
/// Requests that may wait for their turn, the ones in hand among them.
const WAITING: usize = 16;
/// How long one waits at most.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a hash costs.
const COST: Cost = (19 * 1024, 2, 1);

/// Too many passwords are being checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// Hashes and checks passwords, few at a time.
#[derive(Debug, Clone)]
pub struct Passwords {
    line: Arc<Semaphore>,
    places: Arc<Semaphore>,
    in_hand: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            line: Arc::new(Semaphore::new(WAITING)),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            in_hand: Arc::default(),
            most: Arc::default(),
        }
    }
}

impl Passwords {
    /// The hash of a password with a new salt, in PHC format.
    ///
    /// # Errors
    /// When too many are waiting.
    pub async fn hash(&self, password: &str) -> Result<String, Busy> {
        let mut salt = [0u8; 16];
        // The system's random numbers do not fail once it is up; without them there must be no hash.
        assert!(SystemRandom::new().fill(&mut salt).is_ok(), "the system gives no random numbers");
        let hash = self.run(password, salt.to_vec(), COST, 32).await?;
        let (m, t, p) = COST;
        Ok(format!(
            "$argon2id$v=19$m={m},t={t},p={p}${}${}",
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(hash)
        ))
    }

    /// Whether a password belongs to a hash. Without a hash (there is no such account) the same work is done for nothing.
    ///
    /// # Errors
    /// When too many are waiting.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, Busy> {
        let parsed = hash.and_then(parse);
        let is_real = parsed.is_some();
        let (cost, salt, wanted) = parsed.unwrap_or((COST, vec![0; 16], vec![0; 32]));
        let found = self.run(password, salt, cost, wanted.len()).await?;
        Ok(same(&found, &wanted) && is_real)
    }

    /// How many were made at once at most, for tests.
    pub fn most_at_once(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    async fn run(&self, password: &str, salt: Vec<u8>, cost: Cost, length: usize) -> Result<Vec<u8>, Busy> {
        let in_line = Arc::clone(&self.line).try_acquire_owned().map_err(|_| Busy)?;
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| Busy)?.map_err(|_| Busy)?;
        let (password, in_hand, most) = (password.to_owned(), Arc::clone(&self.in_hand), Arc::clone(&self.most));
        // The place goes with the work: it is held until the work is done, even where the request is gone.
        let work = tokio::task::spawn_blocking(move || {
            let _held = (place, in_line);
            most.fetch_max(in_hand.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            let (m, t, p) = cost;
            let mut out = vec![0; length];
            let done = Params::new(m, t, p, Some(length)).and_then(|params| {
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
                    password.as_bytes(),
                    &salt,
                    &mut out,
                )
            });
            in_hand.fetch_sub(1, Ordering::Relaxed);
            done.map(|()| out).map_err(|_| Busy)
        });
        work.await.map_err(|_| Busy)?
    }
}

/// KiB of memory, passes, lanes.
type Cost = (u32, u32, u32);

/// Parameters, salt and hash of a PHC string that this program wrote.
fn parse(text: &str) -> Option<(Cost, Vec<u8>, Vec<u8>)> {
    let mut parts = text.strip_prefix("$argon2id$v=19$")?.split('$');
    let mut numbers = parts.next()?.split(',').zip(["m=", "t=", "p="]);
    let mut number = || numbers.next().and_then(|(part, key)| part.strip_prefix(key)?.parse().ok());
    let cost = (number()?, number()?, number()?);
    let mut bytes = || STANDARD_NO_PAD.decode(parts.next()?).ok();
    Some((cost, bytes()?, bytes()?))
}

/// Whether two secrets are the same, in a time that does not depend on where they differ.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of the reference implementation of Argon2 (`src/test.c`).
    const REFERENCE: &str = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    #[tokio::test]
    async fn a_password_is_known_again() {
        let passwords = Passwords::default();
        assert!(passwords.verify("password", Some(REFERENCE)).await.unwrap());
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash("correct horse").await.unwrap(), "each has a salt of its own");
        assert!(passwords.verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horsf", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
        assert!(!passwords.verify("", Some("")).await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_do_not_run_at_once() {
        let passwords = Passwords::default();
        let many: Vec<_> = (0..200)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.verify("guess", None).await })
            })
            .collect();
        let mut busy = 0;
        for one in many {
            busy += usize::from(one.await.unwrap() == Err(Busy));
        }
        assert!(
            busy > 0 && passwords.most_at_once() <= AT_ONCE,
            "{busy} turned away, {} at once",
            passwords.most_at_once()
        );
    }
}

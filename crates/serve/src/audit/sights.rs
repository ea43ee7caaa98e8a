//! Which films a person has seen a moment ago: a list that renews itself, and a film whose pixels come in parts, are one sight.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// After so long, seeing a film again is recorded again.
const ONE_SIGHT: Duration = Duration::from_secs(600);
/// Sights that are kept before old ones are looked for.
const KEPT: usize = 50_000;

/// How much of a film was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sight {
    /// A row of a list.
    Row,
    /// The film.
    Film,
}

/// Sights of a moment ago, in this process's memory.
#[derive(Debug, Default)]
pub struct Sights {
    seen: Mutex<HashMap<(i64, i64, Sight), Instant>>,
}

impl Sights {
    /// Rows of a list that a person has not seen a moment ago.
    pub fn rows(&self, person: i64, films: impl IntoIterator<Item = i64>) -> Vec<i64> {
        films.into_iter().filter(|film| self.is_new(person, *film, Sight::Row)).collect()
    }

    /// Whether a person has not opened a film a moment ago.
    pub fn film(&self, person: i64, film: i64) -> bool {
        self.is_new(person, film, Sight::Film)
    }

    fn is_new(&self, person: i64, film: i64, sight: Sight) -> bool {
        let (now, mut seen) = (Instant::now(), self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        if seen.len() >= KEPT {
            seen.retain(|_, at| now.duration_since(*at) < ONE_SIGHT);
        }
        if seen.len() >= 2 * KEPT {
            seen.clear();
        }
        let last = seen.insert((person, film, sight), now);
        // A list that stays open does not prolong its own sight.
        match last {
            Some(at) if now.duration_since(at) < ONE_SIGHT => {
                seen.insert((person, film, sight), at);
                false
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_renews_itself_is_one_sight() {
        let sights = Sights::default();
        assert_eq!(sights.rows(1, [10, 11]), [10, 11]);
        assert_eq!(sights.rows(1, [10, 11, 12]), [12]);
        assert_eq!(sights.rows(2, [10]), [10], "another person");
        assert!(sights.film(1, 10) && !sights.film(1, 10), "a row is not the film");
    }
}

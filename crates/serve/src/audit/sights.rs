//! Which films a person has seen a moment ago: a list that renews itself, and a film whose pixels come in parts, are one sight.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After so long, seeing a film again is recorded again.
const ONE_SIGHT: Duration = Duration::from_secs(600);
/// Sights that are kept before old ones are looked for.
const KEPT: usize = 50_000;

/// What was seen of which film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sight {
    /// A row of a list, by the film's row.
    Row(i64),
    /// The film, by its row.
    Film(i64),
    /// A film of a labeling, by its row there: imported films have no other.
    Labeled(i64),
}

/// Sights of a moment ago, in this process's memory.
#[derive(Debug, Default)]
pub struct Sights {
    seen: Mutex<HashMap<(i64, Sight), Instant>>,
}

impl Sights {
    /// Whether a person has not had a sight a moment ago.
    pub fn is_new(&self, person: i64, sight: Sight) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&(person, sight)).is_none_or(|at| at.elapsed() >= ONE_SIGHT)
    }

    /// Keeps sights whose entries are in the log. A list that stays open does not prolong its own sight.
    pub fn keep(&self, person: i64, sights: impl IntoIterator<Item = Sight>) {
        let (now, mut seen) = (Instant::now(), self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        if seen.len() >= KEPT {
            seen.retain(|_, at| now.duration_since(*at) < ONE_SIGHT);
        }
        if seen.len() >= 2 * KEPT {
            seen.clear();
        }
        for sight in sights {
            let at = seen.entry((person, sight)).or_insert(now);
            if now.duration_since(*at) >= ONE_SIGHT {
                *at = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sight_is_one_once_it_is_kept() {
        let sights = Sights::default();
        assert!(sights.is_new(1, Sight::Row(10)) && sights.is_new(1, Sight::Row(10)), "asking keeps nothing");
        sights.keep(1, [Sight::Row(10), Sight::Row(11)]);
        assert!(!sights.is_new(1, Sight::Row(10)) && !sights.is_new(1, Sight::Row(11)));
        assert!(sights.is_new(1, Sight::Row(12)), "another film");
        assert!(sights.is_new(2, Sight::Row(10)), "another person");
        assert!(sights.is_new(1, Sight::Film(10)) && sights.is_new(1, Sight::Labeled(10)), "a row is not the film");
    }
}

//! Wrong passwords cost time: after a few, an account or an address waits, twice as long each time.
//!
//! Attempts from this machine are counted apart and wait some seconds at most: whoever tries from elsewhere cannot keep the administrator
//! out who sits at the machine. What is counted is in this process's memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Wrong passwords before an account waits.
const FREE_ACCOUNT: u32 = 5;
/// The same for an address, behind which there may be many people.
const FREE_ADDRESS: u32 = 20;
/// The longest wait of somebody elsewhere, and of somebody at this machine.
const LONGEST: Duration = Duration::from_secs(900);
const LONGEST_HERE: Duration = Duration::from_secs(5);
/// Entries that are kept; the older half goes where there are more.
const KEPT: usize = 10_000;
/// After so long without an attempt nothing is left of it.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// Where an attempt comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// This machine, through no proxy.
    Here,
    /// Anywhere else.
    Elsewhere(IpAddr),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Account(String, bool),
    Address(Place),
}

#[derive(Debug, Clone, Copy)]
struct Count {
    wrong: u32,
    last: Instant,
    until: Instant,
}

/// Counts of wrong passwords.
#[derive(Debug, Default)]
pub struct Throttle {
    counts: Mutex<HashMap<Key, Count>>,
}

impl Throttle {
    /// Begins an attempt: it counts as wrong until [`Throttle::right`].
    ///
    /// # Errors
    /// How long to wait first.
    pub fn attempt(&self, account: &str, place: Place) -> Result<(), Duration> {
        self.attempt_at(account, place, Instant::now())
    }

    fn attempt_at(&self, account: &str, place: Place, now: Instant) -> Result<(), Duration> {
        let mut counts = self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let keys = keys(account, place);
        let wait = keys.iter().filter_map(|key| counts.get(key)?.until.checked_duration_since(now)).max();
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        if counts.len() >= KEPT {
            forget_the_older_half(&mut counts);
        }
        let longest = if place == Place::Here { LONGEST_HERE } else { LONGEST };
        for (key, free) in keys.into_iter().zip([FREE_ACCOUNT, FREE_ADDRESS]) {
            let count = counts.entry(key).or_insert(Count { wrong: 0, last: now, until: now });
            if now.duration_since(count.last) >= FORGOTTEN {
                count.wrong = 0;
            }
            count.wrong = count.wrong.saturating_add(1);
            count.last = now;
            if count.wrong >= free {
                let pause = Duration::from_secs(1 << (count.wrong - free).min(20));
                count.until = now + pause.min(longest);
            }
        }
        Ok(())
    }

    /// An attempt was not judged: it counts for nothing.
    pub fn unjudged(&self, account: &str, place: Place) {
        let mut counts = self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for key in keys(account, place) {
            if let Some(count) = counts.get_mut(&key) {
                count.wrong = count.wrong.saturating_sub(1);
                count.until = count.last;
            }
        }
    }

    /// An attempt was right: the account begins anew, and the address has this one back.
    pub fn right(&self, account: &str, place: Place) {
        let mut counts = self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let [account, address] = keys(account, place);
        counts.remove(&account);
        if let Some(count) = counts.get_mut(&address) {
            count.wrong = count.wrong.saturating_sub(1);
            count.until = count.last;
        }
    }
}

/// Whoever fills the memory with names and addresses makes older attempts forgotten, and no more.
fn forget_the_older_half(counts: &mut HashMap<Key, Count>) {
    let mut all: Vec<(Instant, Key)> = counts.iter().map(|(key, count)| (count.last, key.clone())).collect();
    all.sort_by_key(|(last, _)| *last);
    for (_, key) in &all[..all.len() / 2] {
        counts.remove(key);
    }
}

fn keys(account: &str, place: Place) -> [Key; 2] {
    [Key::Account(account.to_owned(), place == Place::Here), Key::Address(place)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: Place = Place::Elsewhere(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7)));

    #[test]
    fn wrong_passwords_cost_ever_more_time() {
        let (throttle, mut now) = (Throttle::default(), Instant::now());
        for _ in 0..FREE_ACCOUNT {
            throttle.attempt_at("doe", THERE, now).unwrap();
        }
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = throttle.attempt_at("doe", THERE, now).unwrap_err();
            waits.push(wait.as_secs());
            now += wait;
            throttle.attempt_at("doe", THERE, now).unwrap();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        throttle.right("doe", THERE);
        throttle.attempt_at("doe", THERE, now).unwrap();
    }

    #[test]
    fn nobody_elsewhere_keeps_out_who_sits_here() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        while throttle.attempt_at("admin", THERE, now).is_ok() {}
        throttle.attempt_at("admin", Place::Here, now).unwrap();
        let mut now = now;
        for _ in 0..50 {
            if let Err(wait) = throttle.attempt_at("admin", Place::Here, now) {
                assert!(wait <= LONGEST_HERE);
                now += wait;
            }
        }
    }

    #[test]
    fn an_address_that_tries_many_accounts_waits() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let tried = (0..100).take_while(|i| throttle.attempt_at(&format!("user{i}"), THERE, now).is_ok()).count();
        assert_eq!(tried, FREE_ADDRESS as usize);
        let other = Place::Elsewhere(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 8)));
        throttle.attempt_at("user1", other, now).unwrap();
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for i in 0..2 * KEPT as u32 {
            let place = Place::Elsewhere(IpAddr::V4(i.into()));
            let _ = throttle.attempt_at(&format!("user{i}"), place, now);
        }
        assert!(throttle.counts.lock().unwrap().len() <= KEPT + 1);
    }
}

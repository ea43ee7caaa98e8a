//! How often an archive is asked: no faster than the rules say, ever more slowly while it is busy, and faster again once it is not.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The pace of requests.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    least: Duration,
    most: Duration,
    now: Duration,
    next: Instant,
}

impl Pace {
    /// The pause that a busy archive gets at least.
    const FIRST: Duration = Duration::from_millis(250);

    /// At most `per_second` requests, and a pause of `most` at the slowest.
    pub(crate) fn new(per_second: f64, most: Duration) -> Self {
        let least = Duration::from_secs_f64(1.0 / per_second.clamp(0.01, 1000.0)).min(most);
        Self { least, most, now: least, next: Instant::now() }
    }

    /// Waits for the next request's turn.
    pub(crate) async fn wait(&mut self) {
        sleep_until(self.next).await;
        self.next = Instant::now() + self.now;
    }

    /// The archive is busy: half as fast from now on, beginning with a pause.
    pub(crate) fn slower(&mut self) {
        self.now = (self.now * 2).max(Self::FIRST).min(self.most);
        self.next = Instant::now() + self.now;
    }

    /// The archive asks to be left alone for so long.
    pub(crate) fn hold(&mut self, wait: Duration) {
        self.next = self.next.max(Instant::now() + wait);
    }

    /// A request was answered.
    pub(crate) fn faster(&mut self) {
        self.now = self.now.mul_f64(0.8).max(self.least);
    }

    /// The pause between requests now.
    #[cfg(test)]
    pub(crate) fn pause(&self) -> Duration {
        self.now
    }
}

/// The wait before attempt `attempt`, counted from 1; none before the first. It doubles from half a second.
pub(crate) fn back_off(attempt: u32, most: Duration) -> Duration {
    if attempt <= 1 {
        return Duration::ZERO;
    }
    Duration::from_millis(500).saturating_mul(2u32.saturating_pow(attempt - 2)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_archive_is_asked_more_slowly_and_then_faster_again() {
        let mut pace = Pace::new(10.0, Duration::from_secs(2));
        assert_eq!(pace.pause(), Duration::from_millis(100));
        pace.slower();
        assert_eq!(pace.pause(), Duration::from_millis(250));
        (0..9).for_each(|_| pace.slower());
        assert_eq!(pace.pause(), Duration::from_secs(2));
        (0..99).for_each(|_| pace.faster());
        assert_eq!(pace.pause(), Duration::from_millis(100));
        let (before, wait) = (Instant::now(), Duration::from_secs(60));
        pace.hold(wait);
        pace.hold(Duration::ZERO);
        assert!(pace.next >= before + wait, "a wait that was asked for is kept");
        let most = Duration::from_secs(5);
        assert_eq!([1, 2, 3, 9].map(|attempt| back_off(attempt, most).as_millis()), [0, 500, 1000, 5000]);
    }
}

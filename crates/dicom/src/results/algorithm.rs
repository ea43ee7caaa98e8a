//! Who made a result, and when.

use super::ResultError;

/// The program and the network that made a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithm {
    name: String,
    version: String,
    network: String,
}

impl Algorithm {
    /// Coxa in this version, with a network by the hash of its bundle.
    ///
    /// # Errors
    /// [`ResultError::Argument`] where the hash is not 1 to 64 hexadecimal digits.
    pub fn coxa(network: &str) -> Result<Self, ResultError> {
        if network.is_empty() || network.len() > 64 || !network.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ResultError::argument("the network's hash", network, "1 to 64 hexadecimal digits"));
        }
        Ok(Self { name: "Coxa".into(), version: env!("CARGO_PKG_VERSION").into(), network: network.into() })
    }

    /// The name, `Coxa`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of the program.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The hash of the network's bundle.
    pub fn network(&self) -> &str {
        &self.network
    }
}

/// The day and the time of day at which a result was made: an argument, so that a retried job makes the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    pub(super) date: String,
    pub(super) time: String,
}

impl Moment {
    /// A day `YYYYMMDD` and a time of day `HHMMSS`, both as the film's own dates are: of the hospital's clock.
    ///
    /// # Errors
    /// [`ResultError::Argument`] where either has another form or is no day or time.
    pub fn new(date: &str, time: &str) -> Result<Self, ResultError> {
        let number = |text: &str, from: usize, to: usize| text[from..to].parse::<u32>().unwrap_or(u32::MAX);
        let is_digits = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(date, 8) || !(1..=12).contains(&number(date, 4, 6)) || !(1..=31).contains(&number(date, 6, 8)) {
            return Err(ResultError::argument("the date", date, "YYYYMMDD"));
        }
        if !is_digits(time, 6) || number(time, 0, 2) > 23 || number(time, 2, 4) > 59 || number(time, 4, 6) > 59 {
            return Err(ResultError::argument("the time", time, "HHMMSS"));
        }
        Ok(Self { date: date.into(), time: time.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_and_a_hash_have_a_form() {
        assert!(Moment::new("20261128", "235959").is_ok());
        for (date, time) in [("2026-1-1", "000000"), ("20261301", "000000"), ("20261128", "240000"), ("20261128", "")] {
            assert!(Moment::new(date, time).is_err(), "{date} {time}");
        }
        assert!(Algorithm::coxa("0123456789abcdef").is_ok());
        assert!(Algorithm::coxa("").is_err() && Algorithm::coxa("a hash").is_err());
    }
}

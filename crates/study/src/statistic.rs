//! How a statistic looks in JSON: `{"value", "low", "high", "method"}`, or `{"undefined": reason}`.

use coxa_stats::{Estimate, Limits, Undefined};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A statistic as the program prints it.
///
/// Defined: `{"value", "low", "high", "method"}`. With a value but no interval (an area from one case, a likelihood ratio of
/// 0): the same with `low` and `high` null and `method` saying why. Undefined: `{"undefined": reason}`, never a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistic(pub Result<Estimate, Undefined>);

impl Statistic {
    /// The estimate, with or without an interval.
    pub fn estimate(&self) -> Option<&Estimate> {
        self.0.as_ref().ok()
    }

    /// The point value, with or without an interval.
    pub fn value(&self) -> Option<f64> {
        self.estimate().map(|estimate| estimate.value)
    }

    /// The interval, where there is one.
    pub fn limits(&self) -> Option<Limits> {
        self.estimate().and_then(|estimate| estimate.limits.ok())
    }
}

impl From<Result<Estimate, Undefined>> for Statistic {
    fn from(result: Result<Estimate, Undefined>) -> Self {
        Self(result)
    }
}

impl Serialize for Statistic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.0 {
            Ok(estimate) => {
                map.serialize_entry("value", &estimate.value)?;
                map.serialize_entry("low", &estimate.low())?;
                map.serialize_entry("high", &estimate.high())?;
                match estimate.limits {
                    Ok(limits) => map.serialize_entry("method", limits.method)?,
                    Err(why) => map.serialize_entry("method", &format!("no interval: {why}"))?,
                }
            }
            Err(undefined) => map.serialize_entry("undefined", &undefined.reason)?,
        }
        map.end()
    }
}

/// A bare number that may be undefined: a JSON number, or `{"undefined": reason}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Number(pub Result<f64, Undefined>);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Ok(value) => serializer.serialize_f64(*value),
            Err(undefined) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("undefined", &undefined.reason)?;
                map.end()
            }
        }
    }
}

/// An analysis that may be undefined: its own JSON, or `{"undefined": reason}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Defined<T>(pub Result<T, Undefined>);

impl<T: Serialize> Serialize for Defined<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Ok(value) => value.serialize(serializer),
            Err(undefined) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("undefined", &undefined.reason)?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coxa_stats::{Level, Reason, Scored, auc};

    fn json(statistic: impl Into<Statistic>) -> String {
        serde_json::to_string(&statistic.into()).unwrap()
    }

    #[test]
    fn the_three_forms() {
        let estimate = Estimate::new(0.5, (0.25, 0.75), "Wilson", 8);
        assert_eq!(json(Ok(estimate)), r#"{"value":0.5,"low":0.25,"high":0.75,"method":"Wilson"}"#);
        let undefined = Undefined::new("sensitivity", Reason::NoCases);
        assert_eq!(json(Err(undefined.clone())), r#"{"undefined":"no positive case"}"#);
        let one =
            auc::delong(Scored::new(&[0.1, 0.9, 0.2], &[false, true, false]).unwrap(), Level::P95, Default::default());
        assert!(json(one).starts_with(r#"{"value":1.0,"low":null,"high":null,"method":"no interval"#));
        assert_eq!(serde_json::to_string(&Number(Err(undefined))).unwrap(), r#"{"undefined":"no positive case"}"#);
    }
}

//! Where a network found something: rectangles in the film's pixels, and the raw map that they come from.

use serde::{Deserialize, Serialize};

use crate::Side;

/// A rectangle on the film, in the film's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// The patient's side (the left of a frontal film is the patient's right); `None`, written `unknown`, where the film does not
    /// tell.
    #[serde(with = "side_or_unknown", default)]
    pub side: Option<Side>,
    /// How strong the finding is in it, 0 to 1.
    pub score: f32,
}

impl Region {
    /// The center: x and y.
    pub fn center(&self) -> (f64, f64) {
        let middle = |from: f32, length: f32| f64::from(from) + f64::from(length) / 2.0;
        (middle(self.x, self.width), middle(self.y, self.height))
    }
}

/// A raw class activation map (Grad-CAM): never scaled by its own minimum and maximum. Its cells tile the network's square input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeatMap {
    /// Rows of cells.
    pub rows: usize,
    /// Columns of cells.
    pub columns: usize,
    /// `rows * columns` values of at least 0, row by row.
    pub values: Vec<f32>,
}

/// A side as JSON lines spell it: `left`, `right` or `unknown`.
mod side_or_unknown {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::Side;

    pub(super) fn serialize<S: Serializer>(side: &Option<Side>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(side.map_or("unknown", Side::as_str))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Side>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        match text.as_deref() {
            None | Some("unknown" | "") => Ok(None),
            Some(text) => Side::parse(text)
                .map(Some)
                .ok_or_else(|| D::Error::custom(format!("`{text}` is no side: left, right or unknown"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_read_as_it_was_written() {
        let region = Region { x: 1.5, y: 2.0, width: 3.0, height: 4.0, side: Some(Side::Left), score: 0.25 };
        let text = serde_json::to_string(&region).unwrap();
        assert_eq!(text, r#"{"x":1.5,"y":2.0,"width":3.0,"height":4.0,"side":"left","score":0.25}"#);
        assert_eq!(serde_json::from_str::<Region>(&text).unwrap(), region);
        let unknown = Region { side: None, ..region };
        assert!(serde_json::to_string(&unknown).unwrap().contains(r#""side":"unknown""#));
        assert_eq!(
            serde_json::from_str::<Region>(r#"{"x":0,"y":0,"width":1,"height":1,"score":1}"#).unwrap().side,
            None
        );
        assert!(serde_json::from_str::<Region>(r#"{"x":0,"y":0,"width":1,"height":1,"side":"up","score":1}"#).is_err());
        assert_eq!(region.center(), (3.0, 4.0));
    }
}

//! The ranges in which films are varied in training.

use serde::{Deserialize, Serialize};

/// The ranges that variations are drawn from; all off by default.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Width and height are magnified by factors from 1 − zoom to 1 + zoom, each its own; in [0, 0.9].
    pub zoom: f64,
    /// Mirror left and right, half the time.
    pub horizontal_flip: bool,
    /// Mirror top and bottom, half the time.
    pub vertical_flip: bool,
    /// Turn by up to so many degrees either way; in [0, 180].
    pub rotation_degrees: f64,
    /// Cut away up to this fraction of each side's length, at a random place, and enlarge the rest; in [0, 0.9].
    pub crop: f64,
    /// Multiply gray levels' distance from the film's mean by 1 − contrast to 1 + contrast; in [0, 1].
    pub contrast: f64,
    /// Raise gray levels to a power between 1/(1 + gamma) and 1 + gamma; in [0, 4].
    pub gamma: f64,
    /// Add up to so much of the full range to gray levels, either way; in [0, 1].
    pub brightness: f64,
    /// Add noise of up to this standard deviation, as a fraction of the full range; in [0, 1].
    pub noise: f64,
    /// Blur half the films by a Gaussian of up to this standard deviation, in pixels of the input; in [0, 8].
    pub blur: f64,
    /// Black out a square of up to this fraction of the film's side; in [0, 0.9].
    pub cutout: f64,
    /// Invert gray levels, half the time.
    pub invert: bool,
}

impl Augment {
    /// The key of the first flip that is on: a flip mirrors the film, so that a left hip looks like a right one.
    pub(crate) fn flips(&self) -> Option<&'static str> {
        let flips = [("horizontal_flip", self.horizontal_flip), ("vertical_flip", self.vertical_flip)];
        flips.into_iter().find(|(_, on)| *on).map(|(key, _)| key)
    }
}

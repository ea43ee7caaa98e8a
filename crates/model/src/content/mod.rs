//! What a film shows, by the network's own features: the part of the gate that looks at the picture.
//!
//! The network has seen the film when this is asked, so it costs next to nothing. A bundle may lack it.

mod fit;
mod words;

use coxa_engine::architecture::FEATURES;
use coxa_stats::{Interval, Level};
use serde::{Deserialize, Serialize};

pub(crate) use fit::fit;
pub use fit::{Example, Part};
use words::reason;

/// The classes that may be read: frontal films, upright, of a quality that suffices.
pub const ACCEPTED: [&str; 2] = ["hip", "pelvis"];

/// The classes of films that show a pelvis or hip and cannot be read all the same.
pub const FAULTS: [&str; 6] = ["cut off", "lateral", "moved", "several views", "turned", "washed out"];

/// The class of what resembles nothing that the gate was fitted on.
pub const OTHER: &str = "other";

/// Numbers of a film that the gate is given: the square root of each channel's mean over the upper half, then over the lower half. The
/// root makes channels that are mostly silent comparable with those that are mostly loud.
pub const INPUTS: usize = 2 * FEATURES;

/// A linear classifier of contents on the network's features, with its thresholds. Each class has an indicator, near 1 on its films and
/// near 0 on others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContentGate {
    /// What films may show, [`ACCEPTED`] among it.
    pub classes: Vec<String>,
    /// What is subtracted from each of the [`INPUTS`], and what it is divided by then.
    pub center: Vec<f32>,
    /// See `center`; positive.
    pub scale: Vec<f32>,
    /// [classes × inputs].
    pub weights: Vec<f32>,
    /// One for each class.
    pub bias: Vec<f32>,
    /// A film is read if the indicators of [`ACCEPTED`] sum to so much more than the greatest of what shows no hip at all.
    pub margin_over_parts: f32,
    /// A film is read if the indicators of [`ACCEPTED`] sum to so much more than the greatest of [`FAULTS`].
    pub margin_over_faults: f32,
    /// The accepted films' mean of each scaled input.
    pub mean: Vec<f32>,
    /// The inverse of the accepted films' variance of each scaled input.
    pub precision: Vec<f32>,
    /// A film is read up to this distance from the accepted films: the mean over the inputs of the squared difference over the variance.
    pub most_distance: f32,
    /// What it was fitted on, in words.
    pub fitted_on: String,
    /// How it did on films that it was not fitted on.
    #[serde(default)]
    pub figures: Vec<Figure>,
}

/// How many films of a kind a gate refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// What the films are, in words.
    pub source: String,
    /// Whether thresholds were chosen on them.
    pub part: Part,
    /// Whether they should be read.
    pub is_accepted: bool,
    /// How many they are.
    pub films: usize,
    /// How many of them are refused.
    pub refused: usize,
}

/// How a film looks to the gate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Look {
    /// The sum of the indicators of [`ACCEPTED`], less the greatest of what shows no hip.
    over_parts: f32,
    /// The same sum, less the greatest of [`FAULTS`].
    over_faults: f32,
    /// Its distance from the accepted films.
    distance: f32,
    /// The class of the greatest indicator of what shows no hip, and of [`FAULTS`].
    likeliest: [Option<usize>; 2],
}

impl Figure {
    /// The share of the films that is correctly let through or refused, with its 95% interval (Wilson).
    pub fn line(&self) -> String {
        let (right, verb) =
            if self.is_accepted { (self.films - self.refused, "let through") } else { (self.refused, "refused") };
        let part = if self.part == Part::Test { "test" } else { "validation" };
        let (low, high) = Interval::Wilson.bounds(right as u64, self.films.max(1) as u64, Level::P95);
        let (source, films) = (&self.source, self.films);
        let share = right as f64 / films.max(1) as f64;
        format!("{part:<10} {source:<34} {right} of {films} {verb}: {share:.3} ({low:.3}–{high:.3})")
    }
}

impl ContentGate {
    /// Why a film with these features, quarters × [`FEATURES`], is not to be read; `None` if it may be.
    pub(crate) fn refusal(&self, features: &[f32]) -> Option<String> {
        let look = self.look(&inputs(features));
        let [part, fault] = look.likeliest.map(|class| class.map_or(OTHER, |class| &self.classes[class]));
        if look.over_parts < self.margin_over_parts {
            Some(reason(part))
        } else if look.over_faults < self.margin_over_faults {
            Some(reason(fault))
        } else {
            (look.distance > self.most_distance).then(|| reason(OTHER))
        }
    }

    /// Whether a film with these inputs is not to be read.
    pub(crate) fn refuses(&self, inputs: &[f32]) -> bool {
        let look = self.look(inputs);
        look.over_parts < self.margin_over_parts
            || look.over_faults < self.margin_over_faults
            || look.distance > self.most_distance
    }

    /// How a film with these inputs looks.
    fn look(&self, inputs: &[f32]) -> Look {
        let scaled = scaled(inputs, &self.center, &self.scale);
        let unit = to_unit(&scaled);
        let rows = self.weights.chunks_exact(INPUTS).zip(&self.bias);
        let indicators: Vec<f32> = rows.map(|(row, bias)| bias + dot(row, &unit)).collect();
        let is_of = |kinds: &[&str], class: usize| kinds.contains(&self.classes[class].as_str());
        let accepted: f32 =
            (0..indicators.len()).filter(|&class| is_of(&ACCEPTED, class)).map(|class| indicators[class]).sum();
        let likeliest = [false, true].map(|is_fault| {
            (0..indicators.len())
                .filter(|&class| !is_of(&ACCEPTED, class) && is_of(&FAULTS, class) == is_fault)
                .max_by(|&a, &b| indicators[a].total_cmp(&indicators[b]))
        });
        let over = |class: Option<usize>| accepted - class.map_or(0.0, |class| indicators[class]);
        let differences = scaled.iter().zip(&self.mean).zip(&self.precision);
        let distance = differences.map(|((x, mean), precision)| (x - mean).powi(2) * precision).sum::<f32>();
        Look {
            over_parts: over(likeliest[0]),
            over_faults: over(likeliest[1]),
            distance: distance / INPUTS as f32,
            likeliest,
        }
    }

    /// Whether its parts fit together.
    ///
    /// # Errors
    /// The part that does not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let n = self.classes.len();
        for (name, values, expected) in [
            ("center", &self.center, INPUTS),
            ("scale", &self.scale, INPUTS),
            ("weights", &self.weights, n * INPUTS),
            ("bias", &self.bias, n),
            ("mean", &self.mean, INPUTS),
            ("precision", &self.precision, INPUTS),
        ] {
            if values.len() != expected {
                return Err(format!("{name} has {} numbers, but needs {expected}", values.len()));
            }
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(format!("{name} holds {value}"));
            }
        }
        if self.scale.iter().any(|&scale| scale <= 0.0) {
            return Err("scale has a number that is not positive".to_owned());
        }
        if ![self.margin_over_parts, self.margin_over_faults, self.most_distance].iter().all(|value| value.is_finite())
        {
            return Err("a threshold is no number".to_owned());
        }
        let is_accepted = |class: &String| ACCEPTED.contains(&class.as_str());
        if !self.classes.iter().any(is_accepted) || self.classes.iter().all(is_accepted) {
            return Err(format!("classes needs one of {} and another", ACCEPTED.join(", ")));
        }
        Ok(())
    }
}

/// The gate's inputs of a film's features, quarters × [`FEATURES`], none of them negative.
pub(crate) fn inputs(features: &[f32]) -> Vec<f32> {
    let halves = features.chunks_exact(2 * FEATURES).map(|half| half.split_at(FEATURES));
    halves.flat_map(|(left, right)| left.iter().zip(right).map(|(a, b)| ((a + b) / 2.0).max(0.0).sqrt())).collect()
}

/// Each input less its center, over its scale.
fn scaled(inputs: &[f32], center: &[f32], scale: &[f32]) -> Vec<f32> {
    inputs.iter().zip(center).zip(scale).map(|((x, center), scale)| (x - center) / scale).collect()
}

/// The same direction, with a mean square of 1: exposure and contrast change a film's features together.
fn to_unit(scaled: &[f32]) -> Vec<f32> {
    let size = (dot(scaled, scaled) / INPUTS as f32).sqrt().max(f32::MIN_POSITIVE);
    scaled.iter().map(|x| x / size).collect()
}

/// Σ a·b in eight sums side by side, in the same order everywhere.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

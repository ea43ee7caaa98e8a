//! What a film shows, by the network's own features: the part of the gate that looks at the picture.
//!
//! The network has seen the film when this is asked, so it costs next to nothing. A bundle may lack it.

mod fit;
mod words;

use coxa_engine::QUARTERS;
use coxa_engine::architecture::FEATURES;
use coxa_stats::{Interval, Level};
use serde::{Deserialize, Serialize};

pub(crate) use fit::fit;
pub use fit::{Example, Part};
use words::reason;

/// The classes that may be read: frontal films, upright, of a quality that suffices.
pub const ACCEPTED: [&str; 2] = ["hip", "pelvis"];

/// The class of what resembles nothing that the gate was fitted on.
pub const OTHER: &str = "other";

/// Numbers of a film that the gate looks at: of each channel the mean over the film, and by how much the upper half exceeds the lower.
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
    /// A film is read from this score on: the sum of the indicators of [`ACCEPTED`], less the greatest of the others.
    pub least_score: f32,
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
    /// The sum of the indicators of [`ACCEPTED`], less the greatest of the others.
    pub score: f32,
    /// Its distance from the accepted films.
    pub distance: f32,
    /// The class of the greatest indicator that is not accepted.
    pub other_class: usize,
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
    /// Why a film with these features, [`QUARTERS`] × [`FEATURES`], is not to be read; `None` if it may be.
    pub(crate) fn refusal(&self, features: &[f32]) -> Option<String> {
        let look = self.look(&inputs(features));
        let class = if look.score < self.least_score { &self.classes[look.other_class] } else { OTHER };
        self.is_refused(&look).then(|| reason(class))
    }

    /// Whether a film with these inputs is not to be read.
    pub(crate) fn refuses(&self, inputs: &[f32]) -> bool {
        self.is_refused(&self.look(inputs))
    }

    fn is_refused(&self, look: &Look) -> bool {
        look.score < self.least_score || look.distance > self.most_distance
    }

    /// How a film with these inputs looks.
    fn look(&self, inputs: &[f32]) -> Look {
        let scaled: Vec<f32> =
            inputs.iter().zip(&self.center).zip(&self.scale).map(|((x, c), s)| (x - c) / s).collect();
        let rows = self.weights.chunks_exact(INPUTS).zip(&self.bias);
        let indicators: Vec<f32> = rows.map(|(row, bias)| bias + dot(row, &scaled)).collect();
        let (accepted, others): (Vec<usize>, Vec<usize>) =
            (0..indicators.len()).partition(|&class| ACCEPTED.contains(&self.classes[class].as_str()));
        let likeliest = others.iter().copied().max_by(|&a, &b| indicators[a].total_cmp(&indicators[b]));
        let differences = scaled.iter().zip(&self.mean).zip(&self.precision);
        let distance = differences.map(|((x, mean), precision)| (x - mean).powi(2) * precision).sum::<f32>();
        Look {
            score: accepted.iter().map(|&class| indicators[class]).sum::<f32>()
                - likeliest.map_or(0.0, |class| indicators[class]),
            distance: distance / INPUTS as f32,
            other_class: likeliest.unwrap_or_default(),
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
        if !(self.least_score.is_finite() && self.most_distance.is_finite()) {
            return Err("a threshold is no number".to_owned());
        }
        let is_accepted = |class: &String| ACCEPTED.contains(&class.as_str());
        if !self.classes.iter().any(is_accepted) || self.classes.iter().all(is_accepted) {
            return Err(format!("classes needs one of {} and another", ACCEPTED.join(", ")));
        }
        Ok(())
    }
}

/// The gate's inputs of a film's features, [`QUARTERS`] × [`FEATURES`].
pub(crate) fn inputs(features: &[f32]) -> Vec<f32> {
    let quarter = |i: usize| &features[i * FEATURES..][..FEATURES];
    let [top_left, top_right, bottom_left, bottom_right] = [quarter(0), quarter(1), quarter(2), quarter(3)];
    let mut inputs = vec![0.0; INPUTS];
    let (means, rises) = inputs.split_at_mut(FEATURES);
    for channel in 0..FEATURES {
        let (top, bottom) = (top_left[channel] + top_right[channel], bottom_left[channel] + bottom_right[channel]);
        means[channel] = (top + bottom) / QUARTERS as f32;
        rises[channel] = (top - bottom) / 2.0;
    }
    inputs
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

//! The words that more than one crate uses, each defined once, with serde in both directions.
//!
//! A JSON line or a CSV row is written and read by the same type, so that a writer and a reader cannot disagree:
//!
//! - [`Side`], [`Sex`], [`BodyPart`], [`FractureType`], [`Label`]: the vocabularies of a manifest;
//! - [`Region`] and [`HeatMap`]: where a network found something, in the film's pixels and in the network's cells;
//! - [`FilmPrediction`]: a film that was read ([`Finding`]) or was not, with the reason; [`PredictionLine`] is its JSON line;
//! - [`PredictionRow`]: a row of `predictions.csv`;
//! - [`Rating`]: a reader's rating of a case;
//! - [`Hint`] and [`ErrorKind`]: what an error says beside its message, and whose fault it is.
//!
//! No type here does anything but hold, parse and print its value.

mod error;
mod prediction;
mod rating;
mod region;
mod vocabulary;

pub use error::{ErrorKind, Hint};
pub use prediction::{FilmPrediction, Finding, LineOutcome, NOTICE, PredictionLine, PredictionRow};
pub use rating::Rating;
pub use region::{HeatMap, Region};
pub use vocabulary::{BodyPart, FractureType, Label, Sex, Side};

//! The network with what people need around it: bundle, recipe, training, the detector with its gate, Grad-CAM, other executors.
//!
//! - [`Bundle`]: a folder with a network's weights and a card that describes them; [`weights`] brings them from and to other
//!   programs; [`tune`] makes bundles of bundles.
//! - [`Recipe`] and [`train()`]: from data sets to a bundle, in a run that can be interrupted at any moment.
//! - [`Detector`]: from a film to a [`Detection`], a finding with its raw Grad-CAM and regions, or the reason why the film is not read.
//!
//! What the network runs on is behind two traits in `backends`; the processor's engine is always there.
//!
//! # What cannot happen
//! No function of this crate gives a probability for a film that has not passed the gate, and none draws a heat map on a film that is
//! not called positive. Each of these is no public path, and [`Detector::read`] is:
//!
//! ```compile_fail
//! use coxa_model::executor::infer_executor;
//! ```
//! ```compile_fail
//! use coxa_model::backends::infer_executor;
//! ```
//! ```compile_fail
//! fn skip(detector: &mut coxa_model::Detector, film: &coxa_imaging::Radiograph) {
//!     detector.read_film(film);
//! }
//! ```
//! ```compile_fail
//! fn skip(detector: &mut coxa_model::Detector) {
//!     detector.read_inputs(&[]);
//! }
//! ```
//! ```compile_fail
//! fn skip(detector: &mut coxa_model::Detector) {
//!     detector.predict(Vec::new());
//! }
//! ```
//! ```compile_fail
//! fn skip(detector: &mut coxa_model::Detector, film: &coxa_imaging::Radiograph) {
//!     detector.class_probabilities(film);
//! }
//! ```
//! ```compile_fail
//! fn skip(network: &mut coxa_model::Workload) -> f64 {
//!     network.run().unwrap()
//! }
//! ```
//! ```compile_fail
//! fn forge(film: coxa_imaging::Radiograph, prediction: coxa_schema::FilmPrediction) -> coxa_model::Detection {
//!     coxa_model::Detection { film, prediction, concerns: Vec::new(), output: None }
//! }
//! ```
//! ```
//! fn gated(detector: &mut coxa_model::Detector, path: &std::path::Path) -> Result<Option<f64>, coxa_model::ModelError> {
//!     Ok(detector.read(path)?.finding().map(|finding| finding.probability))
//! }
//! ```

mod backends;
pub mod bundle;
pub mod content;
pub mod detect;
mod error;
mod files;
mod numbers;
mod reading;
pub mod recipe;
mod settle;
mod statistics;
pub mod train;
pub mod tune;
pub mod weights;

pub use backends::Backend;
pub use bundle::{Bundle, Card};
pub use coxa_engine::Precision;
pub use detect::{Detection, Detector, DetectorOptions, FilmSource, Prepared, Preparer, Workload};
pub use error::ModelError;
pub use numbers::probability;
pub use reading::Reading;
pub use recipe::{Overrides, Recipe};
pub use train::progress::{Control, Event, Observer, Quiet};
pub use train::{RunOutcome, StageOutcome, TrainOptions, resume, train};
pub use weights::WeightsFormat;

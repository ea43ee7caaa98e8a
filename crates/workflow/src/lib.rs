//! What a subcommand and a server both do: each function is a piece of work from its request to its result.
//!
//! - [`inputs`]: the films that files, folders and dataset folders hold;
//! - [`models`]: a bundle, named or shipped, made ready to read films;
//! - [`gate`]: the gate by pixels, fitted on labeled films;
//! - [`predict`]: films become findings, heat maps and a table;
//! - [`report`]: a dataset is read, evaluated and reported on one page;
//! - [`ablation`] and [`folds`]: trainings that answer a question together;
//! - [`check`]: simulated hips measured against real ones;
//! - [`demo`]: the whole way on simulated films;
//! - [`seen`]: films that a network knows are no test of it.
//!
//! Nothing here prints or knows of a command line: what happens meanwhile goes to an [`WorkObserver`], what is wrong is a
//! [`WorkflowError`].

pub mod ablation;
pub mod check;
pub mod demo;
mod error;
pub mod folds;
pub mod gate;
pub mod inputs;
mod labeled;
pub mod models;
mod near_copies;
pub mod observer;
mod outputs;
pub mod predict;
mod reading;
pub mod report;
pub mod runs;
pub mod seen;
mod table;

pub use error::WorkflowError;
pub use observer::{Failure, Unobserved, WorkEvent, WorkObserver};

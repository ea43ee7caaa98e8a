//! One file per subcommand.

pub mod audit;
pub mod backup;
pub mod bench;
mod check;
pub mod collect;
pub mod compare;
pub mod deidentify;
pub mod demo;
pub mod evaluate;
pub mod import;
pub mod labeling;
pub mod model;
pub mod people;
pub mod place;
pub mod power;
pub mod predict;
mod profile;
pub mod readers;
pub mod report;
pub mod send;
pub mod serve;
pub mod simulate;
pub mod token;
pub mod train;
pub mod trial;

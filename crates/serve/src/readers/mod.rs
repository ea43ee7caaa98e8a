//! Reader studies: physicians read the same films on the pages of a node, with and without the network's result.
//!
//! A [`Design`] says what is asked, of how many, in which arms; a [`Plan`] is what follows from it for one reader: which film in which arm
//! in which order. Both are functions of the design alone, so that a study can be continued on any node and checked afterwards.

mod csv;
mod design;
mod plan;

pub use csv::{Truths, ratings};
pub use design::{Answer, Arms, Design, DesignError, Marks, Practice};
pub(crate) use plan::Random;
pub use plan::{Arm, Item, Plan, Session};

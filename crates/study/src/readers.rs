//! Reader studies: physicians' ratings of films, read from files and analyzed.
//!
//! [`ReaderTable::load`] reads Coxa's own CSV, iMRMC's text and RJafroc's workbooks, and [`convert`] writes them; [`analyze`] computes
//! what `coxa readers analyze` prints, and [`page`] is its report.

mod analysis;
mod checklist;
mod convert;
mod imrmc;
mod layout;
mod load;
mod marks;
mod page;
mod performance;
mod rjafroc;
mod side_results;
mod table;

pub use analysis::{ReaderAnalysis, ReaderOptions, analyze};
pub use convert::{Converted, convert};
pub use layout::Layout;
pub use page::page;
pub use performance::{GroupPerformance, ModelCurve, Performance, ReaderPerformance};
pub use side_results::{Agreement, ReadingTimes, TimeModel, TimeRatio, TimeSpread};
pub use table::{Marks, RatedRow, ReaderTable};

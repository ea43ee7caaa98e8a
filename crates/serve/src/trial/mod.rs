//! A randomized trial of the reader: its plan, the sequence of arms, who is eligible, and what the audit log has of it.
//!
//! A patient is randomized in the transaction that writes the result of the patient's first film ([`crate::db`]); a result that is
//! withheld is not written to the tables of results at all, but sealed beside them, so that no page and no interface can show it.

mod allocation;
mod diagnoses;
mod eligible;
mod plan;
mod record;
mod verify;

pub(crate) use allocation::sealed_arm;
pub use allocation::{Allocation, commitment};
pub use diagnoses::{NewDiagnosis, Whose, read_diagnoses};
pub(crate) use eligible::age;
pub use plan::{Stratum, TrialPlan, Unit};
pub use record::record_randomizations;
pub use verify::{AllocationTable, verify_allocation};

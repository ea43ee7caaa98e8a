//! Integration tests: reference values from R, properties that must always hold, and public data where they are at hand.

mod fixture;
mod golden_auc;
mod golden_calibration;
mod golden_counts;
mod golden_drift;
mod golden_mixed;
mod golden_mrmc;
mod golden_readers;
mod golden_tests;
mod mrmcaov;
mod properties;
mod public_data;

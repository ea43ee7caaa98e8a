//! Data sets that a stage learns from beside its own.

use std::collections::HashSet;

use coxa_cohort::{Dataset, Sample};

use super::context::Context;
use crate::ModelError;

/// A data set beside the stage's own.
pub(super) struct Other {
    pub dataset: Dataset,
    /// Its films. Their patients carry the data set's name, as those of two data sets are not the same.
    pub samples: Vec<Sample>,
}

/// Loads the data sets beside the stage's own, whose classes are given.
///
/// # Errors
/// When one has no folder, cannot be read, has no film, or other classes.
pub(super) fn load(context: &Context<'_>, classes: &[String]) -> Result<Vec<Other>, ModelError> {
    let stage = context.stage;
    let others = stage.beside.iter().map(|beside| {
        let name = &beside.name;
        let Some(folder) = &beside.dataset else {
            return Err(context.fault(format!("no dataset is given for {name}; give --data {}.{name}=DIR", stage.name)));
        };
        let dataset = Dataset::load(folder)?;
        let (mut samples, found) = coxa_cohort::samples(&dataset, &stage.target)?;
        if found != classes {
            let (found, wanted) = (found.join(", "), classes.join(", "));
            return Err(context.fault(format!("{name} has the classes {found}, the stage's own data set {wanted}")));
        }
        if samples.is_empty() {
            return Err(context.fault(format!("{name} has no film to train on")));
        }
        samples.iter_mut().for_each(|sample| sample.patient = format!("{name}/{}", sample.patient));
        Ok(Other { dataset, samples })
    });
    others.collect()
}

/// The name of a film's patient in its own data set.
pub(super) fn patient(sample: &Sample) -> &str {
    sample.patient.split_once('/').map_or("", |(_, patient)| patient)
}

/// Refuses films to validate on that are also trained on in a data set beside the stage's own: contents by SHA-256.
pub(super) fn check_apart<'a>(
    context: &Context<'_>,
    validation: impl Iterator<Item = &'a str>,
    beside: impl Iterator<Item = &'a str>,
) -> Result<(), ModelError> {
    let beside: HashSet<&str> = beside.collect();
    match validation.filter(|sha256| beside.contains(sha256)).count() {
        0 => Ok(()),
        n => Err(context.fault(format!(
            "{n} films to validate on are also in a data set beside the stage's own, which is trained on whole; remove them there"
        ))),
    }
}

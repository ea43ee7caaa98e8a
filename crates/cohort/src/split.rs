//! Splits by patient. A [`Split`] cannot be made in any other way: its fields are private, and every constructor puts all
//! films of a patient on one side.

use std::collections::BTreeMap;
use std::path::Path;

use crate::deal::{class_counts, counts_of, draw_order, units};
use crate::error::CohortError;
use crate::sample::Sample;
use coxa_files::table::{Table, to_csv};
use coxa_files::whole::write_whole;

/// Samples for training and for validation (or test) that share no patient and no film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    train: Vec<Sample>,
    validation: Vec<Sample>,
}

impl Split {
    /// Splits by patient, at random, stratified by target: in each part the classes keep their proportions as far as the
    /// patients allow. The paper's splits are `validation_fraction` 0.2 (pelvis) and 0.1 (limbs). The same seed gives the
    /// same split; both parts keep the samples' order.
    ///
    /// PatientSource with the same numbers of films of each class are drawn from together, so that patients with many films
    /// are as likely to be chosen as those with one.
    ///
    /// # Errors
    /// [`CohortError::NoPatient`], [`CohortError::SharedFilm`] for a film that is there twice, [`CohortError::Split`] for a
    /// fraction that is not between 0 and 1 or for fewer than two patients.
    pub fn by_patient(samples: Vec<Sample>, validation_fraction: f64, seed: u64) -> Result<Self, CohortError> {
        let units = units(&samples)?;
        random_split(samples, &units, validation_fraction, seed)
    }

    /// Splits as a file says that [`Split::save`] wrote (columns `image_id`, `part`; `part` is `train` or
    /// `validation`).
    ///
    /// # Errors
    /// A sample that the file does not name, a film or a patient in both parts, another spelling of a part.
    pub fn load(path: &Path, samples: Vec<Sample>) -> Result<Self, CohortError> {
        let table = Table::read(path)?;
        table.require("image_id")?;
        table.require("part")?;
        let mut parts: BTreeMap<&str, &str> = BTreeMap::new();
        for row in table.rows() {
            let part = row.text("part");
            if !["train", "validation"].contains(&part) {
                return Err(row.value_error("part", "train or validation").into());
            }
            let image_id = row.required("image_id", "the film's name")?;
            match parts.insert(image_id, part) {
                Some(before) if before != part => {
                    return Err(CohortError::SharedFilm { image_id: image_id.to_owned() });
                }
                Some(_) => return Err(row.value_error("image_id", "a film that is named once").into()),
                None => {}
            }
        }
        units(&samples)?;
        let mut split = Self { train: Vec::new(), validation: Vec::new() };
        for sample in samples {
            match parts.get(sample.image_id.as_str()) {
                Some(&"train") => split.train.push(sample),
                Some(_) => split.validation.push(sample),
                None => {
                    return Err(refused(format!("{} does not name film `{}`", path.display(), sample.image_id)));
                }
            }
        }
        split.checked()
    }

    /// Writes the split as a table (image_id, patient, part), whole or not at all.
    ///
    /// # Errors
    /// [`CohortError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), CohortError> {
        let parts = [("train", &self.train), ("validation", &self.validation)];
        let rows = parts.iter().flat_map(|(part, samples)| {
            samples.iter().map(move |sample| [sample.image_id.as_str(), sample.patient.as_str(), part])
        });
        let bytes = to_csv(&["image_id", "patient", "part"], rows);
        write_whole(path, &bytes).map_err(CohortError::io(path))
    }

    /// Divides the samples into `k` folds by patient, stratified by target, and returns the `k` splits in which each fold
    /// in turn is the validation part.
    ///
    /// # Errors
    /// As [`Split::by_patient`], and [`CohortError::Split`] for `k` under 2 or more folds than patients.
    pub fn folds(samples: &[Sample], k: usize, seed: u64) -> Result<Vec<Self>, CohortError> {
        let units = units(samples)?;
        if k < 2 || k > units.len() {
            return Err(refused(format!("{k} folds of {} patients", units.len())));
        }
        let totals = class_counts(samples);
        let mut filled = vec![vec![0.0; totals.len()]; k];
        let mut fold_of = vec![0; samples.len()];
        for unit in draw_order(samples, &units, totals.len(), seed) {
            let counts = counts_of(samples, &unit, totals.len());
            let load = |fold: &Vec<f64>| -> (f64, f64) {
                let own: f64 = (0..counts.len()).map(|c| counts[c] * fold[c] / totals[c].max(1.0)).sum();
                (own, fold.iter().sum())
            };
            let lightest = (0..k).min_by(|&a, &b| {
                let (a, b) = (load(&filled[a]), load(&filled[b]));
                a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
            });
            let fold = lightest.unwrap_or(0);
            for (sum, count) in filled[fold].iter_mut().zip(&counts) {
                *sum += count;
            }
            unit.iter().for_each(|&i| fold_of[i] = fold);
        }
        (0..k).map(|fold| Self::of(samples.to_vec(), |i| fold_of[i] == fold).checked()).collect()
    }

    /// The samples to train on.
    pub fn train(&self) -> &[Sample] {
        &self.train
    }

    /// The samples to validate or test on.
    pub fn validation(&self) -> &[Sample] {
        &self.validation
    }

    fn of(samples: Vec<Sample>, in_validation: impl Fn(usize) -> bool) -> Self {
        let mut split = Self { train: Vec::new(), validation: Vec::new() };
        for (i, sample) in samples.into_iter().enumerate() {
            if in_validation(i) { &mut split.validation } else { &mut split.train }.push(sample);
        }
        split
    }

    /// The last check of every constructor: both parts have films and share no patient.
    fn checked(self) -> Result<Self, CohortError> {
        for (name, part) in [("training", &self.train), ("validation", &self.validation)] {
            if part.is_empty() {
                return Err(refused(format!("the {name} part would have no film")));
            }
        }
        let first: BTreeMap<&str, &str> =
            self.train.iter().map(|sample| (sample.patient.as_str(), sample.image_id.as_str())).collect();
        for sample in &self.validation {
            if let Some(image_id) = first.get(sample.patient.as_str()) {
                return Err(CohortError::SharedPatient {
                    patient: sample.patient.clone(),
                    first: (*image_id).to_owned(),
                    second: sample.image_id.clone(),
                });
            }
        }
        Ok(self)
    }
}

/// The number in a film's name: its last run of digits, `IMG0002337` being 2337; `None` without digits.
pub fn number_in(image_id: &str) -> Option<u64> {
    let end = image_id.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = image_id[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |i| i + image_id[i..].chars().next().map_or(1, char::len_utf8));
    image_id[start..end].parse().ok()
}

fn refused(reason: impl Into<String>) -> CohortError {
    CohortError::Split { reason: reason.into() }
}

/// Deals the units out with error diffusion: each class carries the number of films that validation is still owed, and a
/// unit goes to validation when that brings the classes nearer to what they are owed.
fn random_split(samples: Vec<Sample>, units: &[Vec<usize>], fraction: f64, seed: u64) -> Result<Split, CohortError> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(refused(format!("a validation fraction of {fraction} is not between 0 and 1")));
    }
    if units.len() < 2 {
        return Err(refused(format!("{} patient(s) cannot be on two sides", units.len())));
    }
    let totals = class_counts(&samples);
    let mut owed = vec![0.0; totals.len()];
    let mut in_validation = vec![false; samples.len()];
    let order = draw_order(&samples, units, totals.len(), seed);
    for unit in &order {
        let counts = counts_of(&samples, unit, totals.len());
        let mut gain = 0.0;
        for c in 0..counts.len() {
            owed[c] += fraction * counts[c];
            gain += counts[c] * (2.0 * owed[c] - counts[c]) / totals[c].max(1.0);
        }
        if gain > 0.0 {
            owed.iter_mut().zip(&counts).for_each(|(owed, count)| *owed -= count);
            unit.iter().for_each(|&i| in_validation[i] = true);
        }
    }
    // With very few patients everything can round to one side; the last, smallest unit then goes to the other.
    let chosen = in_validation.iter().filter(|&&chosen| chosen).count();
    if let Some(last) = order.last().filter(|_| chosen == 0 || chosen == samples.len()) {
        last.iter().for_each(|&i| in_validation[i] = chosen == 0);
    }
    Split::of(samples, |i| in_validation[i]).checked()
}

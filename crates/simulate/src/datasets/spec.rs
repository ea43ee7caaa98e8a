//! The settings of a dataset.

use std::path::PathBuf;

use crate::film::options::{Domain, Proportions};

/// Which films.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilmSet {
    /// Frontal films of pelvis and hip, with and without fracture.
    Pelvis,
    /// Films of the five limb parts in equal numbers, without fractures.
    Limbs,
}

/// The files' format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilmFormat {
    /// Digital X-ray images for presentation.
    Dicom,
    /// 8-bit gray PNG of the display values.
    Png,
}

/// The dataset to write.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetSpec {
    /// Which films.
    pub what: FilmSet,
    /// How many, 1 to 10,000,000.
    pub n: usize,
    /// Everything follows from it.
    pub seed: u64,
    /// Longest side in pixels, 64 to 4096.
    pub size: usize,
    /// The files' format.
    pub format: FilmFormat,
    /// Classes of pelvic films.
    pub proportions: Proportions,
    /// Films of a patient.
    pub patients: FilmsPerPatient,
    /// How much else varies.
    pub domain: Domain,
    /// A folder of bone surfaces that replace the built-in ones ([`crate::bones::surfaces`]).
    pub anatomy: Option<PathBuf>,
}

impl Default for DatasetSpec {
    fn default() -> Self {
        Self {
            what: FilmSet::Pelvis,
            n: 1000,
            seed: 1,
            size: 512,
            format: FilmFormat::Dicom,
            proportions: Proportions::default(),
            patients: FilmsPerPatient::default(),
            domain: Domain::default(),
            anatomy: None,
        }
    }
}

/// How many films a patient has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FilmsPerPatient {
    /// One.
    #[default]
    Single,
    /// Two pelvic films, with and without a fracture, that differ in nothing else, so that only the fracture can be learned from
    /// the two together. They have the same patient; their ids and their places in the manifest say nothing of pair or class. The
    /// proportions then say how often each kind of fracture is.
    Pairs,
}

/// The settings as text, by which an unfinished run is recognized. The DICOM UIDs of films are made of it too, so that films of
/// other settings are other objects: renaming a field changes them.
pub(super) fn plan(spec: &DatasetSpec) -> String {
    let order = match spec.patients {
        FilmsPerPatient::Single => "",
        FilmsPerPatient::Pairs => "ids in shuffled order\n",
    };
    format!("coxa-simulate {}\n{order}{spec:#?}\n", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change here gives every simulated DICOM film other UIDs, and keeps unfinished runs from being resumed.
    #[test]
    fn the_plan_is_the_text_that_uids_are_made_of() {
        let spec = DatasetSpec { patients: FilmsPerPatient::Pairs, ..DatasetSpec::default() };
        let settings = [
            "DatasetSpec {",
            "    what: Pelvis,",
            "    n: 1000,",
            "    seed: 1,",
            "    size: 512,",
            "    format: Dicom,",
            "    proportions: Proportions {",
            "        normal: 0.5,",
            "        femoral_neck: 0.25,",
            "        trochanteric: 0.22,",
            "        subtrochanteric: 0.03,",
            "    },",
            "    patients: Pairs,",
            "    domain: Domain {",
            "        variation: 1.0,",
            "        hardware: 0.08,",
            "        close_up: 0.35,",
            "        clutter: 0.3,",
            "    },",
            "    anatomy: None,",
            "}",
            "",
        ]
        .join("\n");
        let version = format!("coxa-simulate {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(plan(&spec), format!("{version}ids in shuffled order\n{settings}"));
        let single = DatasetSpec::default();
        assert_eq!(plan(&single), format!("{version}{}", settings.replace("Pairs", "Single")));
    }
}

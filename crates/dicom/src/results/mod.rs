//! Result objects: what a network predicts for a film, as objects of the film's own study.
//!
//! Four writers, each making an object in a series of its own that refers to the film and never alters it:
//!
//! - [`FilmResult::structured_report`]: Comprehensive 3D SR by TID 1500, the primary result;
//! - [`FilmResult::presentation_state`]: outlines and text that a viewer lays over the film;
//! - [`FilmResult::secondary_capture`]: a picture for viewers that show neither;
//! - [`FilmResult::parametric_map`]: the raw heat map as numbers.
//!
//! Each names program, version and network, and carries "research use only". UIDs are made of the film's SOP Instance UID, the
//! network's hash and the kind of object, and dates are an argument: the same arguments give the same bytes.
//!
//! ```
//! use coxa_dicom::results::{Algorithm, Moment, FilmResult, ResultSource};
//! use coxa_schema::FilmPrediction;
//! # use coxa_dicom::dx;
//! # use dicom_dictionary_std::tags;
//! # let pixels = [0u16; 16];
//! # let options = dx::DxOptions {
//! #     rows: 4, columns: 4, bits_stored: 12, monochrome1: false, pixels: &pixels, window: None, spacing_mm: 0.1,
//! #     view_position: dx::Projection::AnteroPosterior, laterality: coxa_imaging::Laterality::Both,
//! #     body_part: dx::AnatomicRegion::Pelvis, seed_uid: "a film", study_date: dx::NO_DATE, patient_id: "SIM-1",
//! #     age: None, sex: None, burned_in_annotation: false,
//! # };
//! # let file = dx::to_vec(&options)?;
//! let film = dicom_object::from_reader(&file[..])?;
//! let source = ResultSource::of(&film)?;
//! let algorithm = Algorithm::coxa("0123456789abcdef")?;
//! let prediction = FilmPrediction::NotRead { not_read: "lateral view".into() };
//! let result = FilmResult::new(&source, &prediction, &algorithm, None, Moment::new("20261128", "101500")?)?;
//! let report = result.structured_report()?;
//! let bytes = report.to_vec()?;
//! assert_eq!(report.sop_instance_uid, report.kind.instance_uid(source.sop_instance_uid(), algorithm.network()));
//! # assert_eq!(film.element(tags::STUDY_INSTANCE_UID)?.to_str()?, source.study_instance_uid());
//! # assert!(bytes.len() > 1000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod capture;
mod code;
mod display;
mod error;
mod object;
mod parametric_map;
mod presentation;
mod report;
mod source;

use coxa_imaging::RgbImage;
use coxa_schema::{FilmPrediction, HeatMap, Region};

pub use algorithm::{Algorithm, Moment};
pub use error::ResultError;
pub use object::{ResultKind, ResultObject};
pub use parametric_map::MapPlace;
pub use source::ResultSource;

/// A film with what became of it: what all writers need.
///
/// Its UIDs depend on the film, the network and the kind of object alone, so a retried job must pass the moment of the first try:
/// otherwise an object with the same UID has other bytes.
#[derive(Debug, Clone)]
pub struct FilmResult<'a> {
    source: &'a ResultSource,
    prediction: &'a FilmPrediction,
    algorithm: &'a Algorithm,
    high_specificity: Option<f64>,
    created: Moment,
}

/// What a film is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// It was not read.
    NotRead,
    /// Below the threshold.
    Negative,
    /// From the threshold to below the high-specificity point.
    Suspected,
    /// At or above the high-specificity point, or the threshold where there is no such point.
    Positive,
}

impl<'a> FilmResult<'a> {
    /// A film with its prediction. `high_specificity` is the probability from which a finding counts as definite: a called film
    /// below it is "suspected" and outlined differently. Without it every called film counts as definite.
    ///
    /// # Errors
    /// - [`ResultError::OtherFilm`] where the finding is of a film of another size;
    /// - [`ResultError::Argument`] where a probability is not within 0 to 1, or the finding is of another network.
    pub fn new(
        source: &'a ResultSource,
        prediction: &'a FilmPrediction,
        algorithm: &'a Algorithm,
        high_specificity: Option<f64>,
        created: Moment,
    ) -> Result<Self, ResultError> {
        let points = high_specificity.map(|point| ("the high-specificity point", point));
        let of_finding =
            prediction.finding().map(|f| [("the probability", f.probability), ("the threshold", f.threshold)]);
        for (name, value) in points.into_iter().chain(of_finding.into_iter().flatten()) {
            if !(0.0..=1.0).contains(&value) {
                return Err(ResultError::argument(name, value, "0 to 1"));
            }
        }
        if let Some(finding) = prediction.finding()
            && !is_same_hash(&finding.model, algorithm.network())
        {
            return Err(ResultError::argument("the finding's network", &finding.model, "the algorithm's network"));
        }
        if let Some(finding) = prediction.finding()
            && (finding.width, finding.height) != (usize::from(source.columns), usize::from(source.rows))
        {
            let found = format!("{}×{}", finding.width, finding.height);
            return Err(ResultError::OtherFilm { found, expected: format!("{}×{}", source.columns, source.rows) });
        }
        Ok(Self { source, prediction, algorithm, high_specificity, created })
    }

    /// The result as Comprehensive 3D SR by TID 1500: presence and certainty of a fracture, or the reason why the film was not read,
    /// and for each region its outline and side.
    ///
    /// # Errors
    /// [`ResultError::Encode`].
    pub fn structured_report(&self) -> Result<ResultObject, ResultError> {
        report::write(self)
    }

    /// The result as Grayscale Softcopy Presentation State: the result in words, and the outlines of regions: solid from the
    /// high-specificity point up, dashed below it.
    ///
    /// # Errors
    /// - [`ResultError::Color`] where the film is in color;
    /// - [`ResultError::Encode`].
    pub fn presentation_state(&self) -> Result<ResultObject, ResultError> {
        presentation::write(self)
    }

    /// The result as Secondary Capture of a picture: film and film with result side by side, drawn by the caller with "research use
    /// only" in it.
    ///
    /// # Errors
    /// - [`ResultError::Argument`] where the picture's size and samples do not fit together;
    /// - [`ResultError::Encode`].
    pub fn secondary_capture(&self, picture: &RgbImage) -> Result<ResultObject, ResultError> {
        capture::write(self, picture)
    }

    /// The raw heat map of a film that was read as Parametric Map, whatever the film is called: the numbers are for research.
    /// `reference` is the value that is shown brightest, the same for all films of a network (the bundle's reference).
    ///
    /// # Errors
    /// - [`ResultError::Argument`] where the map has no values, one that is not finite, no place or no reference above 0, or the film was not read;
    /// - [`ResultError::Encode`].
    pub fn parametric_map(&self, map: &HeatMap, place: MapPlace, reference: f32) -> Result<ResultObject, ResultError> {
        if self.call() == Call::NotRead {
            return Err(ResultError::argument("the film", "not read", "a film that was read"));
        }
        parametric_map::write(self, map, place, reference)
    }

    fn call(&self) -> Call {
        match self.prediction.finding() {
            None => Call::NotRead,
            Some(finding) if !finding.is_positive => Call::Negative,
            Some(finding) if self.high_specificity.is_some_and(|point| finding.probability < point) => Call::Suspected,
            Some(_) => Call::Positive,
        }
    }

    /// A text of the result as it can be written beside the film's: see [`ResultSource::of`].
    fn own_text(&self, text: &str) -> String {
        match self.source.character_set {
            Some(_) => text.replace('×', "x").replace(|c: char| !c.is_ascii(), "?"),
            None => text.to_owned(),
        }
    }

    /// The regions of a called film; none of any other.
    fn regions(&self) -> &'a [Region] {
        match self.prediction.finding() {
            Some(finding) if finding.is_positive => &finding.regions,
            _ => &[],
        }
    }
}

/// Whether two hashes, either of which may be short, name one network.
fn is_same_hash(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// The corners of a region in the film's pixels, clockwise from the upper left and within the film. The upper left corner of the upper
/// left pixel is (0, 0), as in a structured report (PS3.3 C.18.6) and in a presentation state (PS3.3 C.10.5).
fn corners(region: &Region, source: &ResultSource) -> [[f32; 2]; 4] {
    let (columns, rows) = (f32::from(source.columns), f32::from(source.rows));
    let (left, right) = (region.x.clamp(0.0, columns), (region.x + region.width).clamp(0.0, columns));
    let (top, bottom) = (region.y.clamp(0.0, rows), (region.y + region.height).clamp(0.0, rows));
    [[left, top], [right, top], [right, bottom], [left, bottom]]
}

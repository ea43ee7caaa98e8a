//! Result objects of a film, for the film's own study.

use coxa_dicom::results::{Algorithm, FilmResult, MapPlace, Moment, ResultError, ResultObject, ResultSource};
use coxa_model::Detection;
use coxa_model::detect::overlay::draw_beside;
use coxa_schema::FilmPrediction;

use crate::db::{Film, NewFilm, ObjectKind};
use crate::monitor;
use crate::receive::{HeaderError, attributes, parse};

/// The SOP classes that results are made for: those that imaging reads. Anything else that a PACS may send, such as every slice of a CT
/// study, has a state but no result objects.
const FILMS: [&str; 4] = [
    "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.7",
];

/// A result object as the bytes of a file.
#[derive(Debug, Clone)]
pub struct Made {
    /// What it is.
    pub kind: ObjectKind,
    /// The file.
    pub bytes: Vec<u8>,
    /// Its attributes, without hash, length and home.
    pub attributes: NewFilm,
}

/// Why an object could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The film's header cannot be read again.
    #[error("the film's header: {0}")]
    Film(HeaderError),
    /// The object cannot be written.
    #[error("a result object: {0}")]
    Object(#[from] ResultError),
    /// The object that was made cannot be read.
    #[error("a result object that was made: {0}")]
    Made(HeaderError),
}

/// Makes the objects that any destination asks for.
#[derive(Debug, Clone, Default)]
pub struct Maker {
    kinds: Vec<ObjectKind>,
    high_specificity: Option<f64>,
}

impl Maker {
    /// A maker of some kinds; `high_specificity` is the threshold from which regions are drawn solid.
    pub fn new(kinds: Vec<ObjectKind>, high_specificity: Option<f64>) -> Self {
        Self { kinds, high_specificity }
    }

    /// Makes the objects of a film, with the hash of the network that read it and the scale of its calibration: the same ones however often
    /// it is done, as their moment is that of the film's arrival.
    ///
    /// # Errors
    /// When the film's header lacks what every object needs, or an object cannot be written.
    pub fn make(
        &self,
        (film, bytes): (&Film, &[u8]),
        prediction: &FilmPrediction,
        detection: Option<&Detection>,
        (model, scale): (&str, f64),
    ) -> Result<Vec<Made>, MakeError> {
        if self.kinds.is_empty() || !FILMS.contains(&film.attributes.sop_class_uid.as_str()) {
            return Ok(Vec::new());
        }
        let (_, object) = parse(bytes).map_err(MakeError::Film)?;
        let source = match ResultSource::of(&object) {
            Ok(source) => source,
            // A film without rows and columns is not read, and no object can refer to its pixels.
            Err(ResultError::Film { .. }) if prediction.finding().is_none() => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let algorithm = Algorithm::coxa(model)?;
        let high = self.high_specificity.map(|high| monitor::rescaled(high, scale));
        let result = FilmResult::new(&source, prediction, &algorithm, high, moment(film.received_at)?)?;
        let mut all = Vec::new();
        for kind in &self.kinds {
            let made = match kind {
                ObjectKind::Sr => Some(result.structured_report()?),
                ObjectKind::Gsps => presentation(&result)?,
                ObjectKind::Sc => {
                    detection.and_then(draw_beside).map(|picture| result.secondary_capture(&picture)).transpose()?
                }
                ObjectKind::ParametricMap => map(&result, detection)?,
            };
            if let Some(made) = made {
                all.push(finished(*kind, &made)?);
            }
        }
        Ok(all)
    }
}

/// A film in color has no presentation state of ours: its result is in the report and the picture.
fn presentation(result: &FilmResult<'_>) -> Result<Option<ResultObject>, ResultError> {
    match result.presentation_state() {
        Err(ResultError::Color) => Ok(None),
        made => made.map(Some),
    }
}

fn map(result: &FilmResult<'_>, detection: Option<&Detection>) -> Result<Option<ResultObject>, ResultError> {
    let Some(detection) = detection else { return Ok(None) };
    let heat_map = detection.finding().and_then(|finding| finding.heat_map.as_ref());
    match (heat_map, detection.geometry(), detection.reference()) {
        (Some(heat_map), Some(geometry), Some(reference)) => {
            result.parametric_map(heat_map, MapPlace::of(heat_map, geometry), reference).map(Some)
        }
        _ => Ok(None),
    }
}

fn finished(kind: ObjectKind, object: &ResultObject) -> Result<Made, MakeError> {
    let bytes = object.to_vec()?;
    let (syntax, header) = parse(&bytes).map_err(MakeError::Made)?;
    Ok(Made { kind, attributes: attributes(&header, &syntax).map_err(MakeError::Made)?, bytes })
}

/// The day and time of a moment, by this machine's clock.
fn moment(micros: i64) -> Result<Moment, ResultError> {
    let zoned = jiff::Timestamp::from_microsecond(micros).unwrap_or_default().to_zoned(jiff::tz::TimeZone::system());
    Moment::new(&zoned.strftime("%Y%m%d").to_string(), &zoned.strftime("%H%M%S").to_string())
}

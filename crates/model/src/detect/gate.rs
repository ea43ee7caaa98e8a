//! The gate: which films reach the network. A film that it refuses is not read, with the reason, and has no probability.
//!
//! The rules, the cheapest first: the film's size, its colors, what its header says, checks of the pixels, and for a bundle that has a
//! [`ContentGate`](crate::content::ContentGate) what the network's features say it shows, which is asked once the network has run.

use coxa_imaging::Radiograph;
use coxa_imaging::exam::ExamPart;

use crate::bundle::Card;

/// Films with a shorter side than this show too little to be read.
pub const LEAST_SIDE: usize = 128;

/// An image with colors on more of its area is a photograph or a drawing: annotations on a radiograph cover less.
const MOST_COLORED: f32 = 0.2;

/// Whether films pass the gate before the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GateRule {
    /// A film that is too small, or that by its header or its pixels shows something else than the network was made for, is not read.
    #[default]
    Enforced,
    /// Every film is read, on the caller's explicit wish: a header may be wrong, and a network may be tried on anything.
    Disabled,
}

/// A reason for doubt about a film that is read all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Concern {
    /// Nothing in the file names the body part.
    NoBodyPart,
    /// The header names a part that may or may not show a hip: an extremity, the abdomen.
    VagueBodyPart,
}

impl Concern {
    /// The concern in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoBodyPart => "the header names no body part",
            Self::VagueBodyPart => "the header names a body part that need not show a hip",
        }
    }
}

/// A check by pixels: whether a film looks like one that the network was made for.
pub(crate) trait PixelCheck: Send + Sync {
    /// Why the film is not to be read, in words for a physician; `None` if it may be.
    fn refusal(&self, film: &Radiograph) -> Option<String>;
}

/// Whether a film has any contrast: what is left of the gray levels without the darkest and the brightest fiftieth of its pixels.
struct Contrast;

impl Contrast {
    /// Films with fewer gray levels, of 255, show nothing.
    const LEAST: usize = 12;
    /// About so many pixels are counted, spread evenly.
    const PIXELS: usize = 1 << 13;
}

impl PixelCheck for Contrast {
    fn refusal(&self, film: &Radiograph) -> Option<String> {
        let mut counts = [0usize; 256];
        // An odd step meets every column.
        let step = (film.pixels().len() / Self::PIXELS) | 1;
        film.pixels().iter().step_by(step).for_each(|value| counts[*value as usize] += 1);
        let tail = counts.iter().sum::<usize>() / 50;
        let beyond_tail = |passed: &mut usize, level: usize| {
            *passed += counts[level];
            Some((level, *passed > tail))
        };
        let first = |(level, is_beyond): (usize, bool)| is_beyond.then_some(level);
        let darkest = (0..256).scan(0, beyond_tail).find_map(first)?;
        let brightest = (0..256).rev().scan(0, beyond_tail).find_map(first)?;
        (brightest.saturating_sub(darkest) < Self::LEAST).then(|| "too little contrast".to_owned())
    }
}

/// The rules of one detector.
pub(crate) struct Gate {
    rule: GateRule,
    /// Body parts that are the network's classes; `None` for a network that finds fractures of the hip.
    parts: Option<Vec<String>>,
    pixel_checks: Vec<Box<dyn PixelCheck>>,
}

impl Gate {
    /// The gate before a bundle's network. One of two classes finds fractures of the hip; one of several tells body parts apart.
    pub(crate) fn new(card: &Card, rule: GateRule) -> Self {
        let parts = (card.logits() > 1).then(|| card.classes.iter().map(|class| class.to_lowercase()).collect());
        Gate { rule, parts, pixel_checks: Vec::new() }
    }

    /// The same gate, with the checks of pixels that a bundle with a gate by pixels has.
    pub(crate) fn with_pixel_checks(self) -> Self {
        Gate { pixel_checks: vec![Box::new(Contrast)], ..self }
    }

    /// What gives reason for doubt about a film that may be read.
    ///
    /// # Errors
    /// Why the film is not to be read, in words for a physician.
    pub(crate) fn check(&self, film: &Radiograph) -> Result<Vec<Concern>, String> {
        if self.rule == GateRule::Disabled {
            return Ok(concerns(film));
        }
        if film.width().min(film.height()) < LEAST_SIDE {
            return Err(format!("smaller than {LEAST_SIDE} pixels"));
        }
        if film.colored() > MOST_COLORED {
            return Err("a picture in colors, not a radiograph".to_owned());
        }
        if let Some(reason) = header_refusal(film, self.parts.as_deref()) {
            return Err(reason);
        }
        if let Some(reason) = self.pixel_checks.iter().find_map(|check| check.refusal(film)) {
            return Err(reason);
        }
        Ok(concerns(film))
    }
}

/// Why the header speaks against a film, in words for a physician.
fn header_refusal(film: &Radiograph, parts: Option<&[String]>) -> Option<String> {
    if let Some(parts) = parts {
        let part = film.body_part()?.to_lowercase();
        return (!parts.contains(&part)).then(|| shows(&part));
    }
    // The statement names the attribute; what a physician wants to know is its value.
    let statement = film.not_a_frontal_pelvis()?;
    match (film.body_part(), film.view()) {
        (Some(part), _) if statement.starts_with("Body Part Examined") => Some(shows(&part.to_lowercase())),
        (_, Some(view)) => Some(view_name(view)),
        _ => Some(statement),
    }
}

fn concerns(film: &Radiograph) -> Vec<Concern> {
    match film.exam().map(|exam| exam.body_part) {
        None | Some(ExamPart::Absent) => vec![Concern::NoBodyPart],
        Some(ExamPart::Vague(_)) => vec![Concern::VagueBodyPart],
        Some(ExamPart::Hip(_) | ExamPart::Other(_)) => Vec::new(),
    }
}

/// `shows a hand, by its header`, for a defined term of Body Part Examined (DICOM PS3.16, annex L) in lower case.
fn shows(part: &str) -> String {
    let words = match part {
        "cspine" => "cervical spine",
        "tspine" => "thoracic spine",
        "lspine" => "lumbar spine",
        "sspine" => "sacrum",
        "acjoint" => "acromioclavicular joint",
        "scjoint" => "sternoclavicular joint",
        "tmj" => "temporomandibular joint",
        "lowerleg" => "lower leg",
        "upperarm" => "upper arm",
        "radiusulna" => "radius and ulna",
        "tibiafibula" => "tibia and fibula",
        other => other,
    };
    let article = if words.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("shows {article} {words}, by its header")
}

/// The name of a value of View Position (DICOM PS3.3, C.8.11.7).
fn view_name(view: &str) -> String {
    match view {
        "LL" | "RL" | "LAT" | "LATERAL" => "lateral view".to_owned(),
        "LLD" | "RLD" => "lateral decubitus view".to_owned(),
        "LLO" | "RLO" | "LAO" | "RAO" | "LPO" | "RPO" | "OBLIQUE" | "OBL" => "oblique view".to_owned(),
        "AXIAL" => "axial view".to_owned(),
        "FROG" => "frog-leg view".to_owned(),
        other => format!("view {other}, by its header"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(side: usize) -> Radiograph {
        Radiograph::from_display(side, side, vec![100.0; side * side]).unwrap()
    }

    fn gate(classes: &[&str]) -> Gate {
        let classes = classes.iter().map(|class| class.to_string()).collect();
        Gate::new(&Card::imported("test", classes, 64, "a test"), GateRule::Enforced)
    }

    #[test]
    fn small_films_are_refused_unless_the_gate_is_disabled() {
        let enforced = gate(&["absent", "present"]);
        assert_eq!(enforced.check(&film(LEAST_SIDE - 1)).unwrap_err(), "smaller than 128 pixels");
        assert_eq!(enforced.check(&film(LEAST_SIDE)).unwrap(), [Concern::NoBodyPart]);
        let disabled = Gate { rule: GateRule::Disabled, ..enforced };
        assert_eq!(disabled.check(&film(LEAST_SIDE - 1)).unwrap(), [Concern::NoBodyPart]);
    }

    #[test]
    fn a_check_by_pixels_refuses_with_its_reason() {
        struct TooEven;
        impl PixelCheck for TooEven {
            fn refusal(&self, film: &Radiograph) -> Option<String> {
                film.pixels().iter().all(|value| *value == film.pixels()[0]).then(|| "shows nothing".to_owned())
            }
        }
        let mut gate = gate(&["absent", "present"]);
        assert!(gate.check(&film(200)).is_ok());
        gate.pixel_checks.push(Box::new(TooEven));
        assert_eq!(gate.check(&film(200)).unwrap_err(), "shows nothing");
    }

    #[test]
    fn reasons_are_words() {
        assert_eq!(shows("hand"), "shows a hand, by its header");
        assert_eq!(shows("ankle"), "shows an ankle, by its header");
        assert_eq!(shows("cspine"), "shows a cervical spine, by its header");
        assert_eq!(view_name("LL"), "lateral view");
        assert_eq!(view_name("PORTABLE"), "view PORTABLE, by its header");
    }
}

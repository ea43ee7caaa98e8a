//! What a film shows, as its file says: the body part and the view, in terms of closed lists.
//!
//! Body Part Examined, View Position and the descriptions of series, protocol and study are free text in practice (`CHEST AP`,
//! `L-SPINE`, `XR HIP LAT RT`). They are read word by word; only the terms below come out, never the text.

mod words;

use std::fmt;

pub(crate) use words::Text;
use words::{Part, View};

/// The attribute that names a body part or a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Body Part Examined (0018,0015).
    BodyPartExamined,
    /// View Position (0018,5101).
    ViewPosition,
    /// Series Description (0008,103E).
    SeriesDescription,
    /// Protocol Name (0018,1030).
    ProtocolName,
    /// Study Description (0008,1030).
    StudyDescription,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BodyPartExamined => "Body Part Examined (0018,0015)",
            Self::ViewPosition => "View Position (0018,5101)",
            Self::SeriesDescription => "Series Description (0008,103E)",
            Self::ProtocolName => "Protocol Name (0018,1030)",
            Self::StudyDescription => "Study Description (0008,1030)",
        })
    }
}

/// A term of a closed list and the attribute that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// The term, in capitals: `PELVIS`, `CHEST`, `AP`, ….
    pub term: &'static str,
    /// Where it was found.
    pub field: Field,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.field {
            Field::BodyPartExamined | Field::ViewPosition => "is",
            _ => "names",
        };
        write!(f, "{} {verb} {}", self.field, self.term)
    }
}

/// The body part that a file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExamPart {
    /// Pelvis or hip.
    Hip(Named),
    /// One that may or may not show a hip: an extremity, the abdomen, several parts at once.
    Vague(Named),
    /// One that shows no hip.
    Other(Named),
    /// None, or none in words that are known here.
    Absent,
}

/// The view that a file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExamView {
    /// Anteroposterior or posteroanterior.
    Frontal(Named),
    /// Any other.
    Other(Named),
    /// None, or none in words that are known here.
    Absent,
}

/// What a film shows, as its file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exam {
    /// The body part.
    pub body_part: ExamPart,
    /// The view.
    pub view: ExamView,
}

impl Exam {
    /// Of a file that names neither.
    pub const ABSENT: Self = Self { body_part: ExamPart::Absent, view: ExamView::Absent };

    /// Reads the words of a file, given field by field.
    ///
    /// The body part is that of Body Part Examined; where that is vague or absent, that of the series, the protocol or the study, in
    /// this order. A hip is not believed where series or protocol name another part and no hip: scanners fill Body Part Examined in
    /// by themselves. The view is found in the same way; a protocol of several views says nothing of the view of one film.
    pub(crate) fn of(text: impl Fn(Field) -> Option<Text>) -> Self {
        Self { body_part: body_part(&text), view: view(&text) }
    }

    /// Why the file itself says that this is not a frontal film of pelvis or hip, where it does.
    pub fn objection(&self) -> Option<String> {
        match (self.body_part, self.view) {
            (ExamPart::Other(named), _) => Some(named.to_string()),
            (_, ExamView::Other(named)) => Some(named.to_string()),
            _ => None,
        }
    }

    /// Why the file leaves it open whether this is a film of pelvis or hip, where it does and nothing speaks against it.
    pub fn concern(&self) -> Option<String> {
        match self.body_part {
            _ if self.objection().is_some() => None,
            ExamPart::Vague(named) => Some(named.to_string()),
            ExamPart::Absent => Some("the file names no body part".to_owned()),
            ExamPart::Hip(_) | ExamPart::Other(_) => None,
        }
    }
}

fn body_part(text: impl Fn(Field) -> Option<Text>) -> ExamPart {
    let of = |field| match text(field).map_or(Part::Unknown, |text| text.part()) {
        Part::Hip(term) => ExamPart::Hip(Named { term, field }),
        Part::Vague(term) => ExamPart::Vague(Named { term, field }),
        Part::Other(term) => ExamPart::Other(Named { term, field }),
        Part::Unknown => ExamPart::Absent,
    };
    let stated = of(Field::BodyPartExamined);
    let described = [Field::SeriesDescription, Field::ProtocolName].map(of);
    let is_other = |part: &&ExamPart| matches!(part, ExamPart::Other(_));
    let is_decided = |part: &&ExamPart| matches!(part, ExamPart::Hip(_) | ExamPart::Other(_));
    match stated {
        ExamPart::Other(_) => stated,
        ExamPart::Hip(_) => {
            let other = described.iter().find(is_other).copied();
            let hip = described.iter().any(|part| matches!(part, ExamPart::Hip(_)));
            other.filter(|_| !hip).unwrap_or(stated)
        }
        ExamPart::Vague(_) | ExamPart::Absent => {
            let study = of(Field::StudyDescription);
            let candidates = [described[0], described[1], study];
            let vague = candidates.iter().find(|part| matches!(part, ExamPart::Vague(_)));
            let decided = candidates.iter().find(is_decided).copied();
            match stated {
                ExamPart::Vague(_) => decided.unwrap_or(stated),
                _ => decided.or(vague.copied()).unwrap_or(ExamPart::Absent),
            }
        }
    }
}

fn view(text: impl Fn(Field) -> Option<Text>) -> ExamView {
    let of = |field: Field, view| match view {
        View::Frontal(term) => ExamView::Frontal(Named { term, field }),
        View::Other(term) => ExamView::Other(Named { term, field }),
        View::Unknown => ExamView::Absent,
    };
    let position = text(Field::ViewPosition).map_or(View::Unknown, |text| text.view_position());
    let described = [Field::SeriesDescription, Field::ProtocolName]
        .map(|field| of(field, text(field).map_or(View::Unknown, |text| text.view_in_description())));
    let stated = of(Field::ViewPosition, position);
    std::iter::once(stated).chain(described).find(|view| *view != ExamView::Absent).unwrap_or(ExamView::Absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exam(fields: &[(Field, &str)]) -> Exam {
        Exam::of(|field| fields.iter().find(|(named, _)| *named == field).map(|(_, text)| Text::new(text.as_bytes())))
    }

    fn part_of(body_part: &str) -> ExamPart {
        exam(&[(Field::BodyPartExamined, body_part)]).body_part
    }

    #[test]
    fn body_parts_are_read_by_words() {
        let field = Field::BodyPartExamined;
        for (text, term) in [
            ("CHEST AP", "CHEST"),
            ("Thorax", "THORAX"),
            ("L-SPINE", "LSPINE"),
            ("LSPINE", "LSPINE"),
            ("knees", "KNEE"),
            ("RT_KNEE", "KNEE"),
            ("LKNEE", "KNEE"),
            ("LOWER LEG", "LOWERLEG"),
            ("UPPER EXTREMITY", "UPPEREXTREMITY"),
            ("Wrist2v", "WRIST"),
            ("Lendenwirbels\u{e4}ule", "LSPINE"),
        ] {
            assert_eq!(part_of(text), ExamPart::Other(Named { term, field }), "{text}");
        }
        for (text, term) in [
            ("PELVIS AP", "PELVIS"),
            ("HIP LAT", "HIP"),
            ("HIPS", "HIP"),
            ("LEFTHIP", "HIP"),
            ("pelvis/hip", "PELVIS"),
            ("H\u{fc}fte", "HIP"),
            ("FEMORAL NECK", "HIP"),
        ] {
            assert_eq!(part_of(text), ExamPart::Hip(Named { term, field }), "{text}");
        }
        for (text, term) in [
            ("EXTREMITY", "EXTREMITY"),
            ("LOWER EXTREMITY", "EXTREMITY"),
            ("FEMUR", "FEMUR"),
            ("CHEST ABDOMEN PELVIS", "SEVERAL PARTS"),
            ("HIP KNEE ANKLE", "SEVERAL PARTS"),
        ] {
            assert_eq!(part_of(text), ExamPart::Vague(Named { term, field }), "{text}");
        }
        for text in ["", "UNKNOWN", "SHIP", "Doe^Jane", "C-ARM"] {
            assert_eq!(part_of(text), ExamPart::Absent, "{text}");
        }
    }

    #[test]
    fn descriptions_decide_where_the_body_part_does_not() {
        let series = |text| (Field::SeriesDescription, text);
        let body = |text| (Field::BodyPartExamined, text);
        assert_eq!(exam(&[series("XR HIP 2V RIGHT")]).concern(), None);
        assert_eq!(
            exam(&[body("EXTREMITY"), series("Ankle AP")]).objection().unwrap(),
            "Series Description (0008,103E) names ANKLE"
        );
        assert_eq!(
            exam(&[body("HIP"), series("CHEST PA")]).objection().unwrap(),
            "Series Description (0008,103E) names CHEST"
        );
        assert_eq!(exam(&[body("PELVIS"), (Field::StudyDescription, "CHEST 1V")]).objection(), None);
        assert_eq!(exam(&[body("EXTREMITY")]).concern().unwrap(), "Body Part Examined (0018,0015) is EXTREMITY");
        assert_eq!(exam(&[]).concern().unwrap(), "the file names no body part");
        assert_eq!(exam(&[]), Exam::ABSENT);
    }

    #[test]
    fn views_are_read_by_words() {
        let of = |position, series| exam(&[(Field::ViewPosition, position), (Field::SeriesDescription, series)]).view;
        let frontal = |term, field| ExamView::Frontal(Named { term, field });
        let other = |term, field| ExamView::Other(Named { term, field });
        assert_eq!(of("AP", ""), frontal("AP", Field::ViewPosition));
        assert_eq!(of("a.p.", ""), frontal("AP", Field::ViewPosition));
        assert_eq!(of("AP OBLIQUE", ""), other("OBLIQUE", Field::ViewPosition));
        assert_eq!(of("LLO", ""), other("LLO", Field::ViewPosition));
        assert_eq!(of("", "HIP LAT RT"), other("LATERAL", Field::SeriesDescription));
        assert_eq!(of("", "PELVIS AP"), frontal("AP", Field::SeriesDescription));
        assert_eq!(of("", "HIP AP AND LAT"), ExamView::Absent);
        assert_eq!(of("", "HIP BILAT LL"), ExamView::Absent);
        assert_eq!(of("Doe", ""), ExamView::Absent);
    }
}

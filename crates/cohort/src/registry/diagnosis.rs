//! What a registry's diagnosis codes say about a hip fracture (ICD-9-CM chapter 17, ICD-10 and ICD-10-CM chapter 19).
//!
//! | codes | meaning |
//! |---|---|
//! | 820.0x, 820.1x; S72.0 | fracture of the femoral neck |
//! | 820.2x, 820.3x; S72.1 | trochanteric fracture |
//! | 820.22, 820.32; S72.2 | subtrochanteric fracture |
//! | 820, 820.8, 820.9; S72, S72.00x (hip NOS), S72.05x–S72.06x (head of the femur) | a hip fracture of no certain kind: questionable |
//! | 821.00, 821.10; S72.7, S72.8, S72.9 | a femoral fracture, place not given: questionable |
//! | 733.14, 733.15, 733.96; M80.x5, M84.35/45/55/65, M84.75 | pathological, atypical or stress fracture: questionable |
//! | 996.44; M96.6, M96.66, M97.0 | periprosthetic fracture: questionable |
//! | S79.0 | physeal fracture of the upper end of the femur: questionable |
//! | 905.3, V54.13, V54.23; T93.1, the seventh characters of later encounters | late effect or aftercare: questionable |
//! | 821.01, 821.11, 821.2x, 821.3x, 733.97; S72.3, S72.4, S79.1 | femoral shaft or lower end: another fracture |
//! | 808.x, 805.6–7, 806.6–7, 733.98; S32.1–S32.9, M80.0B, M80.8B, M96.65 | pelvis, sacrum, acetabulum: another fracture |
//! | 805.4–5, 806.4–5; S32.0 | lumbar spine: another fracture |

use coxa_schema::{FractureType, Label, Side};

/// What is asked of a code for a fracture of an earlier day: the film may show its union.
const LATER: &str = "a later encounter or sequela of a fracture";

/// A diagnosis code in its canonical spelling: upper case, with the point.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(String);

impl Code {
    /// What [`Code::parse`] understands, for error messages.
    pub const EXPECTED: &'static str = "ICD-9 or ICD-10 codes separated by semicolons, such as 820.21 or S72.141A";

    /// Reads one code, with or without its point; `None` for text that has the form of neither ICD-9 nor ICD-10.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let (category, detail) = match text.split_once('.') {
            Some((category, detail)) if !detail.is_empty() => (category, detail),
            Some(_) => return None,
            None => {
                let is_external_cause = text.starts_with('E') && text.len() >= 4 && text[1..].bytes().all(is_digit);
                text.split_at_checked(if is_external_cause { 4 } else { 3 })?
            }
        };
        let bytes = category.as_bytes();
        let icd9 = match bytes {
            [first, rest @ ..] => {
                let plain = category.len() == 3 && bytes.iter().all(|&byte| is_digit(byte));
                let supplementary = (*first == b'V' && rest.len() == 2) || (*first == b'E' && rest.len() == 3);
                (plain || (supplementary && rest.iter().all(|&byte| is_digit(byte))))
                    && detail.len() <= 2
                    && detail.bytes().all(is_digit)
            }
            [] => false,
        };
        let icd10 = bytes.len() == 3
            && bytes[0].is_ascii_uppercase()
            && is_digit(bytes[1])
            && bytes[2].is_ascii_alphanumeric()
            && detail.len() <= 4
            && detail.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !(icd9 || icd10) {
            return None;
        }
        Some(Self(if detail.is_empty() { category.to_owned() } else { format!("{category}.{detail}") }))
    }

    /// Reads a list separated by semicolons; empty text is an empty list.
    ///
    /// # Errors
    /// The first item that is not a code.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        text.split(';')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| Self::parse(item).ok_or_else(|| item.to_owned()))
            .collect()
    }

    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the code says about the femur, the pelvis and their neighbors.
    pub fn meaning(&self) -> Meaning {
        let code = self.0.as_str();
        let detail = code.split_once('.').map_or("", |(_, detail)| detail);
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| code.starts_with(prefix));
        if starts(&["820"]) {
            return match (detail.as_bytes().first(), detail.as_bytes().get(1)) {
                (Some(b'0' | b'1'), _) => Meaning::Hip(FractureType::FemoralNeck),
                (Some(b'2' | b'3'), Some(b'2')) => Meaning::Hip(FractureType::Subtrochanteric),
                (Some(b'2' | b'3'), _) => Meaning::Hip(FractureType::Trochanteric),
                _ => Meaning::Questionable("a hip fracture of unspecified kind"),
            };
        }
        if starts(&["S72"]) {
            return match (detail.as_bytes().first(), detail.as_bytes().get(1)) {
                _ if self.is_later_encounter() => Meaning::Questionable(LATER),
                // ICD-10-CM's S72.00x includes `Fracture of hip NOS`; with four or five characters the code names the neck.
                (Some(b'0'), Some(b'0')) if detail.len() > 2 => {
                    Meaning::Questionable("a hip fracture of unspecified kind")
                }
                (Some(b'0'), Some(b'5' | b'6')) => Meaning::Questionable("a fracture of the head of the femur"),
                (Some(b'0'), _) => Meaning::Hip(FractureType::FemoralNeck),
                (Some(b'1'), _) => Meaning::Hip(FractureType::Trochanteric),
                (Some(b'2'), _) => Meaning::Hip(FractureType::Subtrochanteric),
                (Some(b'3'), _) => Meaning::Other("femoral shaft"),
                (Some(b'4'), _) => Meaning::Other("lower end of the femur"),
                _ => Meaning::Questionable("a femoral fracture whose place is not given"),
            };
        }
        match code {
            "821" | "821.0" | "821.1" | "821.00" | "821.10" => {
                Meaning::Questionable("a femoral fracture whose place is not given")
            }
            "M96.6" => Meaning::Questionable("a fracture around a prosthesis"),
            _ if starts(&["821.01", "821.11", "733.97"]) => Meaning::Other("femoral shaft"),
            _ if starts(&["821.2", "821.3", "S79.1"]) => Meaning::Other("lower end of the femur"),
            _ if starts(&["808", "805.6", "805.7", "806.6", "806.7", "733.98"]) => Meaning::Other("pelvis"),
            _ if starts(&["S32.0", "805.4", "805.5", "806.4", "806.5"]) => Meaning::Other("lumbar spine"),
            _ if starts(&["S32", "M80.0B", "M80.8B", "M96.65"]) => Meaning::Other("pelvis"),
            _ if starts(&["733.14", "733.15", "733.96", "M84.35", "M84.45", "M84.55", "M84.65", "M84.75"])
                || (starts(&["M80"]) && detail.get(1..2) == Some("5")) =>
            {
                Meaning::Questionable("a pathological or stress fracture of the femur")
            }
            _ if starts(&["S79.0"]) => Meaning::Questionable("a physeal fracture of the upper end of the femur"),
            _ if starts(&["996.44", "M96.66", "M97.0"]) => Meaning::Questionable("a fracture around a prosthesis"),
            "905.3" | "V54.13" | "V54.23" | "T93.1" => Meaning::Questionable(LATER),
            _ => Meaning::Unrelated,
        }
    }

    /// The side that an ICD-10-CM code of seven characters names (S72.141A is the right); other codes name none.
    pub fn side(&self) -> Option<Side> {
        let detail = self.0.strip_prefix("S72.").filter(|detail| detail.len() == 4)?.as_bytes();
        match if detail[0] == b'2' { detail[1] } else { detail[2] } {
            b'1' | b'4' => Some(Side::Right),
            b'2' | b'5' => Some(Side::Left),
            _ => None,
        }
    }

    /// ICD-10-CM's seventh character: A, B and C are the first encounter; the others a later one, S a sequela.
    fn is_later_encounter(&self) -> bool {
        let detail = self.0.split_once('.').map_or("", |(_, detail)| detail);
        detail.len() == 4 && !matches!(detail.as_bytes()[3], b'A' | b'B' | b'C')
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

/// What one code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A hip fracture of a known kind.
    Hip(FractureType),
    /// Something that a person must look at before the film has a label.
    Questionable(&'static str),
    /// Another fracture, which excludes the film: where.
    Other(&'static str),
    /// Nothing about the hip.
    Unrelated,
}

/// What all codes of an injury say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnosisLabel {
    /// Whether there is a hip fracture; unknown if that is to be reviewed.
    pub label: Label,
    /// The kind, when the label is known.
    pub fracture_type: Option<FractureType>,
    /// The fractured side, when the codes name exactly one.
    pub side: Option<Side>,
    /// What is to be reviewed, in words.
    pub review: Option<String>,
    /// Another fracture that excludes the film, in words.
    pub other_fracture: Option<String>,
}

/// Judges the diagnosis and the procedures of an injury.
///
/// A code of unspecified kind beside a specific one adds nothing; two kinds, an unspecified kind alone, or an operation for a
/// hip fracture without such a diagnosis are to be reviewed.
pub fn judge(codes: &[Code], procedures: &str) -> DiagnosisLabel {
    let mut kinds: Vec<(FractureType, &Code)> = Vec::new();
    let mut questions: Vec<String> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    let mut sides: Vec<Side> = Vec::new();
    for code in codes {
        match code.meaning() {
            Meaning::Hip(kind) => {
                kinds.push((kind, code));
                sides.extend(code.side());
            }
            Meaning::Questionable(what) => questions.push(format!("{what} ({code})")),
            Meaning::Other(place) => others.push(format!("{place} ({code})")),
            Meaning::Unrelated => {}
        }
    }
    sides.sort_unstable();
    sides.dedup();
    let contradiction = kinds
        .windows(2)
        .find(|pair| pair[0].0 != pair[1].0)
        .map(|pair| format!("{} ({}) and {} ({})", pair[0].0, pair[0].1, pair[1].0, pair[1].1));
    let review = contradiction.or_else(|| match kinds.is_empty() {
        false => None,
        true if !questions.is_empty() => Some(questions.join(", ")),
        true => {
            hip_operation(procedures).map(|what| format!("no diagnosis of a hip fracture, but the procedure {what}"))
        }
    });
    let (label, fracture_type) = match (&review, kinds.first()) {
        (Some(_), _) => (Label::Unknown, None),
        (None, Some(&(kind, _))) => (Label::Present, Some(kind)),
        (None, None) => (Label::Absent, Some(FractureType::None)),
    };
    DiagnosisLabel {
        label,
        fracture_type,
        side: if sides.len() == 1 { sides.first().copied() } else { None },
        review,
        other_fracture: if others.is_empty() { None } else { Some(others.join(", ")) },
    }
}

/// An operation that is done for hip fractures, as the procedures' text names it.
fn hip_operation(procedures: &str) -> Option<&str> {
    const OPERATIONS: [&str; 7] = ["hemiarthroplasty", "bipolar", "hip screw", "dhs", "pfn", "gamma nail", "81.52"];
    procedures.split(';').map(str::trim).find(|procedure| {
        let procedure = procedure.to_lowercase();
        OPERATIONS.iter().any(|operation| procedure.contains(operation))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(codes: &str) -> DiagnosisLabel {
        judge(&Code::parse_list(codes).unwrap(), "")
    }

    #[test]
    fn codes_and_their_kinds() {
        use FractureType::{FemoralNeck, Subtrochanteric, Trochanteric};
        for (code, kind) in [
            ("820.00", FemoralNeck),
            ("820.13", FemoralNeck),
            ("82002", FemoralNeck),
            ("S72.0", FemoralNeck),
            ("S72.00", FemoralNeck),
            ("s72.031a", FemoralNeck),
            ("820.21", Trochanteric),
            ("820.22", Subtrochanteric),
            ("820.32", Subtrochanteric),
            ("S72.1", Trochanteric),
            ("S72142A", Trochanteric),
            ("S72.2", Subtrochanteric),
        ] {
            let verdict = verdict(code);
            assert_eq!((verdict.label, verdict.fracture_type), (Label::Present, Some(kind)), "{code}");
            assert_eq!(verdict.review, None, "{code}");
        }
        for code in
            ["", "850.0", "E885.9", "V45.4", "S06.0; 873.42", "S52.50", "733.93", "M80.08XA", "M84.36XA", "806.20"]
        {
            let verdict = verdict(code);
            assert_eq!((verdict.label, verdict.other_fracture), (Label::Absent, None), "{code}");
        }
    }

    #[test]
    fn questionable_codes_are_reviewed() {
        for code in [
            "820.8",
            "820.9",
            "820",
            "S72",
            "S72.001",
            "S72.001A",
            "S72.90XA",
            "821.00",
            "820.02;820.21",
            "S72.061A",
            "S72.141S",
            "733.14",
            "733.15",
            "733.96",
            "M80.051A",
            "M80.15",
            "M80.852A",
            "M84.351A",
            "M84.452A",
            "M84.551A",
            "M84.652A",
            "M84.750A",
            "M84.75",
            "S79.001A",
            "S79.012A",
            "S79.09",
            "M96.6",
            "M96.661",
            "M97.01XA",
            "905.3",
            "V54.13",
            "V5423",
            "T93.1",
        ] {
            let verdict = verdict(code);
            assert_eq!((verdict.label, verdict.fracture_type), (Label::Unknown, None), "{code}");
            assert!(verdict.review.is_some(), "{code}");
        }
        // The specific code settles the unspecific one.
        assert_eq!(verdict("820.8; 820.21").fracture_type, Some(FractureType::Trochanteric));
        assert_eq!(verdict("S72.001A; S72.141A").fracture_type, Some(FractureType::Trochanteric));
        let operated = judge(&[], "Bipolar hemiarthroplasty, right");
        assert_eq!(operated.label, Label::Unknown);
    }

    #[test]
    fn other_fractures_are_named() {
        for (code, place) in [
            ("821.01", "femoral shaft (821.01)"),
            ("733.97", "femoral shaft (733.97)"),
            ("S72.3", "femoral shaft (S72.3)"),
            ("S79.111A", "lower end of the femur (S79.111A)"),
            ("808.2", "pelvis (808.2)"),
            ("733.98", "pelvis (733.98)"),
            ("S32.5", "pelvis (S32.5)"),
            ("M80.0B1A", "pelvis (M80.0B1A)"),
            ("M80.8B2A", "pelvis (M80.8B2A)"),
            ("M96.65", "pelvis (M96.65)"),
            ("805.6", "pelvis (805.6)"),
            ("806.60", "pelvis (806.60)"),
            ("806.72", "pelvis (806.72)"),
            ("806.4", "lumbar spine (806.4)"),
            ("806.5", "lumbar spine (806.5)"),
            ("S32.010A", "lumbar spine (S32.010A)"),
        ] {
            assert_eq!(verdict(code).other_fracture.as_deref(), Some(place));
        }
    }

    #[test]
    fn sides_of_icd_10_cm() {
        assert_eq!(verdict("S72.141A").side, Some(Side::Right));
        assert_eq!(verdict("S72.045A").side, Some(Side::Left));
        assert_eq!(verdict("S72.22XA").side, Some(Side::Left));
        assert_eq!(verdict("S72.031A; S72.032A").side, None);
        assert_eq!(verdict("S72.21").side, None, "outside ICD-10-CM the last digit is not a side");
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for text in ["hip fracture", "82", "820.", "820.123", "S7", "S72.12345", "é72", "820,21"] {
            assert_eq!(Code::parse(text), None, "{text}");
        }
        assert_eq!(Code::parse_list("820.21; neck"), Err("neck".to_owned()));
    }
}

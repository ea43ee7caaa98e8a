//! The words of a text and what they mean, for English and the commonest words of German, French, Spanish and Italian.

/// What the words of a text name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Hip(&'static str),
    Vague(&'static str),
    Other(&'static str),
    Unknown,
}

/// The view that a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Frontal(&'static str),
    Other(&'static str),
    Unknown,
}

/// A term and the words that stand for it. Words are in capitals, without accents (`Ü` is `UE`); two words are written as one.
type Term = (&'static str, &'static [&'static str]);

/// Terms that show a hip.
const HIP: &[Term] = &[
    ("PELVIS", &["PELVIC", "BECKEN", "BECKENUEBERSICHT", "BASSIN", "BACINO", "PELVISHIP", "ABDOMENPELVIS"]),
    (
        "HIP",
        &[
            "HIPJOINT",
            "FEMORALNECK",
            "FEMORALHEAD",
            "FEMURNECK",
            "SCHENKELHALS",
            "ACETABULUM",
            "HUEFTE",
            "HUEFTEN",
            "HUEFTGELENK",
            "HUFTE",
            "HANCHE",
            "CADERA",
            "ANCA",
            "COXA",
        ],
    ),
];

/// A hip beside other parts.
const SEVERAL: &str = "SEVERAL PARTS";

/// Terms that may show a hip or may not.
const VAGUE: &[Term] = &[
    ("EXTREMITY", &["EXTREMITIES", "LOWEREXTREMITY", "LOWERLIMB", "LIMB", "EXTREMITAET"]),
    ("FEMUR", &["FEMORAL", "FEMURSHAFT"]),
    ("THIGH", &["OBERSCHENKEL", "UPPERLEG", "CUISSE", "MUSLO"]),
    ("LEG", &["WHOLELEG", "BEIN", "JAMBE", "PIERNA"]),
    ("ABDOMEN", &["KUB", "ABD", "ADDOME"]),
    ("SIJOINT", &["SACROILIAC", "SIJ", "ISG"]),
    ("GROIN", &[]),
    ("WHOLEBODY", &["SKELETON", "BABYGRAM"]),
];

/// Terms that show no hip: those of PS3.16 annex L that radiographs have, and words found in their place.
const OTHER: &[Term] = &[
    ("ACJOINT", &["ACROMIOCLAVICULAR"]),
    ("ANKLE", &["SPRUNGGELENK", "OSG", "CHEVILLE", "TOBILLO", "CAVIGLIA"]),
    ("ARM", &["UPPERARM", "OBERARM", "BRAS", "BRAZO", "BRACCIO"]),
    ("BRAIN", &[]),
    ("BREAST", &["MAMMA", "MAMMO"]),
    ("CALCANEUS", &["FERSE"]),
    ("CARPUS", &["CARPAL"]),
    ("CHEST", &["CXR"]),
    ("CLAVICLE", &["CLAVICULA"]),
    ("COCCYX", &[]),
    ("CSPINE", &["CERVICAL", "CERVICALSPINE", "HWS", "HALSWIRBELSAEULE"]),
    ("ELBOW", &["ELLENBOGEN", "COUDE", "CODO", "GOMITO"]),
    ("FACE", &["FACIAL"]),
    ("FIBULA", &[]),
    ("FINGER", &[]),
    ("FOOT", &["FEET", "FUSS", "PIED", "PIE", "PIEDE"]),
    ("FOREARM", &["UNTERARM", "ANTEBRAZO"]),
    ("FOREFOOT", &["VORFUSS"]),
    ("HAND", &["MANO"]),
    ("HEAD", &[]),
    ("HEART", &[]),
    ("HEEL", &[]),
    ("HUMERUS", &[]),
    ("JAW", &[]),
    ("KNEE", &["KNIE", "KNIEGELENK", "GENOU", "RODILLA", "GINOCCHIO"]),
    ("LOWERLEG", &["TIBFIB", "UNTERSCHENKEL"]),
    ("LSPINE", &["LUMBAR", "LUMBARSPINE", "LSSPINE", "LWS", "LENDENWIRBELSAEULE"]),
    ("LUNG", &["LUNGE", "PULMON"]),
    ("MANDIBLE", &[]),
    ("MASTOID", &[]),
    ("MAXILLA", &[]),
    ("METACARPUS", &["METACARPAL"]),
    ("METATARSUS", &["METATARSAL"]),
    ("NECK", &[]),
    ("NOSE", &["NASAL"]),
    ("ORBIT", &[]),
    ("PATELLA", &[]),
    ("RADIUS", &[]),
    ("RADIUSULNA", &[]),
    ("RIB", &["RIPPE", "RIPPEN"]),
    ("SACRUM", &[]),
    ("SCAPULA", &[]),
    ("SCJOINT", &["STERNOCLAVICULAR"]),
    ("SHOULDER", &["SCHULTER", "EPAULE", "HOMBRO", "SPALLA"]),
    ("SINUS", &["SINUSES"]),
    ("SKULL", &["SCHAEDEL", "CRANE", "CRANEO", "CRANIO"]),
    ("SPINE", &["VERTEBRA", "WIRBELSAEULE", "SCOLIOSIS", "RACHIS", "COLUMNA", "COLONNA"]),
    ("SSPINE", &[]),
    ("STERNUM", &[]),
    ("TARSUS", &[]),
    ("TEMPLE", &[]),
    ("THORAX", &["TORAX", "TORACE"]),
    ("THUMB", &["DAUMEN"]),
    ("TIBIA", &[]),
    ("TIBIAFIBULA", &[]),
    ("TMJ", &[]),
    ("TOE", &["ZEHE", "ZEHEN"]),
    ("TOOTH", &["TEETH", "DENTAL", "PANOREX"]),
    ("TSPINE", &["THORACIC", "THORACICSPINE", "DORSALSPINE", "BWS", "BRUSTWIRBELSAEULE"]),
    ("ULNA", &[]),
    ("UPPEREXTREMITY", &["UPPERLIMB"]),
    ("WRIST", &["HANDGELENK", "POIGNET", "MUNECA", "POLSO"]),
];

/// Frontal views (PS3.3 C.8.1.2 and C.8.11.5).
const FRONTAL: &[Term] =
    &[("AP", &["ANTEROPOSTERIOR", "ANTERIORPOSTERIOR", "FRONTAL"]), ("PA", &["POSTEROANTERIOR", "POSTERIORANTERIOR"])];

/// Other views whose words mean nothing else in a description.
const NOT_FRONTAL: &[Term] = &[
    ("LATERAL", &["LAT", "LATERALS", "SEITLICH", "PROFIL", "CROSSTABLE", "XTABLE"]),
    ("OBLIQUE", &["OBL", "OBLIQUES", "SCHRAEG", "JUDET"]),
    ("AXIAL", &["LAUENSTEIN"]),
    ("FROG", &["FROGLEG", "FROGLEGS"]),
    ("INLET", &[]),
    ("OUTLET", &[]),
    ("DUNN", &[]),
    ("TANGENTIAL", &["SKYLINE", "SUNRISE"]),
];

/// Defined terms of View Position that mean other things elsewhere.
const POSITIONS: &[Term] = &[
    ("LL", &[]),
    ("RL", &[]),
    ("RLD", &[]),
    ("LLD", &[]),
    ("RLO", &[]),
    ("LLO", &[]),
    ("LAO", &[]),
    ("RAO", &[]),
    ("LPO", &[]),
    ("RPO", &[]),
];

/// Pairs of words of which neither names a body part.
const IGNORED: [&str; 3] = ["CARM", "OARM", "DEFACE"];

/// A text as words of capital letters, without accents.
pub(crate) struct Text(Vec<String>);

impl Text {
    /// The words of a value: UTF-8 where it is that, else Latin-1. Anything that is no letter parts words.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
        };
        // "A.P." is one word.
        let text = text.to_uppercase().replace("A.P", "AP").replace("P.A", "PA");
        let mut letters = String::new();
        for letter in text.chars() {
            match letter {
                'A'..='Z' => letters.push(letter),
                'Ä' => letters.push_str("AE"),
                'Ö' => letters.push_str("OE"),
                'Ü' => letters.push_str("UE"),
                'À' | 'Á' | 'Â' => letters.push('A'),
                'É' | 'È' | 'Ê' => letters.push('E'),
                'Í' => letters.push('I'),
                'Ñ' => letters.push('N'),
                'Ó' => letters.push('O'),
                _ => letters.push(' '),
            }
        }
        Self(letters.split_whitespace().map(str::to_owned).collect())
    }

    /// The body part that the words name.
    pub(super) fn part(&self) -> Part {
        let found: Vec<Part> = self.match_words(|word| {
            if IGNORED.contains(&word) {
                return Some(Part::Unknown);
            }
            let hip = lookup(HIP, word).map(Part::Hip);
            hip.or_else(|| lookup(OTHER, word).map(Part::Other)).or_else(|| lookup(VAGUE, word).map(Part::Vague))
        });
        let first = |wanted: fn(&Part) -> bool| found.iter().copied().find(wanted);
        let hip = first(|part| matches!(part, Part::Hip(_)));
        let other = first(|part| matches!(part, Part::Other(_)));
        let vague = first(|part| matches!(part, Part::Vague(_)));
        match (hip, other, vague) {
            (Some(_), Some(_), _) => Part::Vague(SEVERAL),
            // The neck or head of a femur, or of something else.
            (None, Some(Part::Other("NECK" | "HEAD")), Some(vague)) => vague,
            (Some(part), None, _) | (None, Some(part), _) | (None, None, Some(part)) => part,
            (None, None, None) => Part::Unknown,
        }
    }

    /// The view of a View Position: any word of another view outweighs a frontal one.
    pub(super) fn view_position(&self) -> View {
        let (frontal, other) = self.views(&[NOT_FRONTAL, POSITIONS]);
        other.or(frontal).unwrap_or(View::Unknown)
    }

    /// The view that a description names; one that names several says nothing of the film at hand.
    pub(super) fn view_in_description(&self) -> View {
        match self.views(&[NOT_FRONTAL]) {
            (Some(view), None) | (None, Some(view)) => view,
            _ => View::Unknown,
        }
    }

    fn views(&self, others: &[&[Term]]) -> (Option<View>, Option<View>) {
        let other = |word: &str| others.iter().find_map(|terms| lookup(terms, word)).map(View::Other);
        let frontal = self.match_words(|word| lookup(FRONTAL, word).map(View::Frontal));
        (frontal.first().copied(), self.match_words(other).first().copied())
    }

    /// What each word means, two words taken together first.
    fn match_words<T>(&self, meaning: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let mut found = Vec::new();
        let mut words = self.0.as_slice();
        while let Some((word, rest)) = words.split_first() {
            let pair = rest.first().and_then(|next| meaning(&format!("{word}{next}")));
            words = if pair.is_some() { &rest[1..] } else { rest };
            found.extend(pair.or_else(|| meaning(word)).or_else(|| without_side(word).and_then(&meaning)));
        }
        found
    }
}

/// A word without a side written in front of it.
fn without_side(word: &str) -> Option<&str> {
    let rest = ["LEFT", "RIGHT", "BILAT", "LT", "RT", "L", "R"].iter().find_map(|side| word.strip_prefix(side))?;
    (rest.len() >= 3).then_some(rest)
}

/// The term that a word, or the word without a plural's S, stands for.
fn lookup(terms: &[Term], word: &str) -> Option<&'static str> {
    let exact =
        |word: &str| terms.iter().find(|(term, words)| *term == word || words.contains(&word)).map(|(term, _)| *term);
    exact(word).or_else(|| word.strip_suffix('S').and_then(exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_stands_for_two_terms() {
        let mut seen = std::collections::BTreeSet::new();
        for (term, words) in [HIP, VAGUE, OTHER].concat() {
            for word in std::iter::once(&term).chain(words) {
                assert!(seen.insert(*word), "{word}");
                assert!(word.bytes().all(|byte| byte.is_ascii_uppercase()), "{word}");
            }
        }
    }

    #[test]
    fn letters_of_other_alphabets_part_words() {
        assert_eq!(Text::new(b"H\xdcFTE li.").0, ["HUEFTE", "LI"]);
        assert_eq!(Text::new("骨盆 AP".as_bytes()).0, ["AP"]);
        assert_eq!(Text::new(b"XR_HIP-2V").0, ["XR", "HIP", "V"]);
    }
}

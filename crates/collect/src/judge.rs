//! Whether a film is wanted, by its attributes. The body part and the view that the header states count first, then the words of series and
//! protocol, then those of the study.

use coxa_schema::BodyPart;

use crate::attributes::Attributes;
use crate::reason::Reason;
use crate::rules::{Decision, Rules};
use crate::terms::Text;

/// Radiographs: CR, DX for presentation and for processing.
const FILMS: [&str; 3] = ["1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1.1"];
/// Secondary Capture.
pub(crate) const CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
/// DX for processing.
pub(crate) const FOR_PROCESSING: &str = "1.2.840.10008.5.1.4.1.1.1.1.1";

/// SOP classes that are retrieved.
pub(crate) fn sop_classes() -> [&'static str; 4] {
    [FILMS[0], FILMS[1], FILMS[2], CAPTURE]
}

/// What the rules say of a film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is collected; the reason is [`Reason::Taken`] or what is to be reviewed.
    Take(Wanted),
    /// It is not.
    Leave(Reason),
}

/// A film that is collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) part: BodyPart,
    pub(crate) set: Set,
    /// `AP pelvis` and the like: words of this program's, never of the header's.
    pub(crate) view: String,
    pub(crate) reason: Reason,
}

/// What a film is collected for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Set {
    /// The pelvis and the hip.
    Films,
    /// Limbs.
    Limbs,
}

/// How far the header has been seen: an attribute that a search does not return may still be in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Answers of a search.
    Search,
    /// The file.
    File,
}

/// Judges a film. Of a search's answers, a View Position, a Body Part Examined and what the series' descriptions name as the part leave a
/// film out; what an archive need not return does not, so that the choice is the same over all archives.
pub(crate) fn judge(rules: &Rules, film: &Attributes, seen: Seen) -> Verdict {
    if let Some(reason) = excluded(rules, film) {
        return Verdict::Leave(reason);
    }
    let series = Text::of([&film.series_description, &film.protocol].map(Option::as_deref));
    let study = Text::of([film.study_description.as_deref()]);
    if rules.limbs.collect
        && let Some(part) = limb(rules, film, &series, &study)
    {
        let part = BodyPart::parse(&part);
        let view = part.as_str().to_owned();
        return Verdict::Take(Wanted { part, set: Set::Limbs, view, reason: Reason::Taken });
    }
    // What the study is of says nothing against one of its films before the film's own header is seen; and a description that arrives
    // may have lost its words, as archives convert character sets.
    let is_bare = is_vague(rules, film) && !names_part(rules, &series);
    let (part, part_reason) = match part(rules, film, &series, &study) {
        Part::Known(part) => (part, Reason::Taken),
        Part::Contradictory(part) => (part, Reason::Contradiction),
        Part::Other if seen == Seen::Search && is_bare => (BodyPart::Pelvis, Reason::PartUnstated),
        Part::Other => return Verdict::Leave(Reason::BodyPart),
        // The search may not return the part that the file states.
        Part::Unstated if seen == Seen::File && rules.films.unstated_part == Decision::Leave => {
            return Verdict::Leave(Reason::PartUnstated);
        }
        Part::Unstated => (BodyPart::Pelvis, Reason::PartUnstated),
    };
    let (projection, view_reason) = match view(rules, film, &series) {
        View::Frontal(projection) => (projection, Reason::Taken),
        // A search may not return the View Position that contradicts a description.
        View::Other if seen == Seen::Search && film.view_position.is_none() => ("", Reason::ViewUnstated),
        View::Other => return Verdict::Leave(Reason::View),
        View::Unstated => ("", Reason::ViewUnstated),
        View::Contradictory => ("", Reason::Contradiction),
    };
    let reason = if part_reason == Reason::Taken { view_reason } else { part_reason };
    if seen == Seen::File && reason != Reason::Taken && rules.films.unsure == Decision::Leave {
        return Verdict::Leave(reason);
    }
    let view = match projection {
        "" => format!("{}, projection not stated", part.as_str()),
        projection => format!("{projection} {}", part.as_str()),
    };
    Verdict::Take(Wanted { part, set: Set::Films, view, reason })
}

/// Why a film is out whatever it shows.
fn excluded(rules: &Rules, film: &Attributes) -> Option<Reason> {
    let is_capture = film.sop_class.as_deref() == Some(CAPTURE)
        || (film.conversion_type.is_some() && film.sop_class.as_deref().is_none_or(|class| class == CAPTURE));
    if film.sop_class.as_deref().is_some_and(|class| class != CAPTURE && !FILMS.contains(&class)) {
        return Some(Reason::NotAFilm);
    }
    if film.modality.as_ref().is_some_and(|modality| !rules.films.modalities.contains(modality)) && !is_capture {
        return Some(Reason::Modality);
    }
    let is_secondary = film.image_type.get(1).is_some_and(|value| value == "SECONDARY");
    if (is_capture || is_secondary) && rules.films.secondary_captures == Decision::Leave {
        return Some(Reason::SecondaryCapture);
    }
    None
}

enum Part {
    Known(BodyPart),
    Contradictory(BodyPart),
    Other,
    Unstated,
}

fn is_vague(rules: &Rules, film: &Attributes) -> bool {
    let term = film.body_part.as_deref().map(plain_term).unwrap_or_default();
    term.is_empty() || rules.films.vague_parts.iter().any(|vague| plain_term(vague) == term)
}

fn names_part(rules: &Rules, text: &Text) -> bool {
    let films = &rules.films;
    [&films.pelvis_words, &films.hip_words, &films.other_part_words].iter().any(|words| text.has_any(words))
}

fn part(rules: &Rules, film: &Attributes, series: &Text, study: &Text) -> Part {
    let films = &rules.films;
    let term = film.body_part.as_deref().map(plain_term).unwrap_or_default();
    let is_in = |terms: &[String]| terms.iter().any(|known| plain_term(known) == term);
    let (pelvis, hip) = (is_in(&films.pelvis_parts), is_in(&films.hip_parts));
    let is_vague = is_vague(rules, film);
    let named = |text: &Text| {
        let pelvis = text.has_any(&films.pelvis_words);
        let hip = text.has_any(&films.hip_words);
        let other = text.has_any(&films.other_part_words);
        (pelvis, hip, other)
    };
    let mut words = named(series);
    if words == (false, false, false) && is_vague {
        words = named(study);
    }
    let by_words = if words.0 || !words.1 { BodyPart::Pelvis } else { BodyPart::Hip };
    let names_wanted = words.0 || words.1;
    match (pelvis, hip, is_vague) {
        (true, ..) | (_, true, _) => {
            let part = if pelvis { BodyPart::Pelvis } else { BodyPart::Hip };
            if words.2 && !names_wanted { Part::Contradictory(part) } else { Part::Known(part) }
        }
        (_, _, true) => match (names_wanted, words.2) {
            (true, false) => Part::Known(by_words),
            (true, true) => Part::Contradictory(by_words),
            (false, true) => Part::Other,
            (false, false) => Part::Unstated,
        },
        _ if names_wanted && !words.2 => Part::Contradictory(by_words),
        _ => Part::Other,
    }
}

/// A term without spaces and underscores, in capitals: `Lower Limb` and `LOWER_LIMB` are one.
fn plain_term(term: &str) -> String {
    term.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

/// The one limb that body part or, where it states none, the descriptions name.
fn limb(rules: &Rules, film: &Attributes, series: &Text, study: &Text) -> Option<String> {
    let term = film.body_part.as_deref().map(plain_term).unwrap_or_default();
    let is_vague = is_vague(rules, film);
    let by_term = |(part, terms): (&String, &Vec<String>)| {
        terms.iter().any(|known| plain_term(known) == term).then(|| part.clone())
    };
    let named = |text: &Text| -> Vec<String> {
        let is_named = |(_, terms): &(&String, &Vec<String>)| text.has_any(terms);
        rules.limbs.parts.iter().filter(is_named).map(|(part, _)| part.clone()).collect()
    };
    if !is_vague {
        let part = rules.limbs.parts.iter().find_map(by_term)?;
        let others = named(series);
        return (others.is_empty() || others.contains(&part)).then_some(part);
    }
    let found = match named(series) {
        found if found.is_empty() => named(study),
        found => found,
    };
    if found.len() == 1 { found.into_iter().next() } else { None }
}

enum View {
    Frontal(&'static str),
    Other,
    Unstated,
    Contradictory,
}

fn view(rules: &Rules, film: &Attributes, series: &Text) -> View {
    let films = &rules.films;
    let code = Text::of([film.view_code.as_deref()]);
    let text = |text: &Text| (text.has_any(&films.frontal_words), text.has_any(&films.other_view_words));
    let ((frontal, other), coded) = (text(series), text(&code));
    // A description that names several views says nothing of one film.
    let (by_words, against) = if frontal && other { (false, false) } else { (frontal, other) };
    let projection = |text: &str| match text {
        "PA" => "PA",
        "AP" => "AP",
        _ => "frontal",
    };
    match film.view_position.as_deref() {
        Some(view) if films.frontal_views.iter().any(|known| known.eq_ignore_ascii_case(view)) => {
            if against || coded == (false, true) { View::Contradictory } else { View::Frontal(projection(view)) }
        }
        Some(_) => View::Other,
        None => match coded {
            (true, false) => View::Frontal("frontal"),
            (false, true) => View::Other,
            _ if by_words => View::Frontal("frontal"),
            _ if against => View::Other,
            _ => View::Unstated,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(part: &str, view: &str, series: &str, study: &str) -> Attributes {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Attributes {
            sop_class: Some(FILMS[1].into()),
            modality: Some("DX".into()),
            body_part: text(part),
            view_position: text(view),
            series_description: text(series),
            study_description: text(study),
            ..Attributes::default()
        }
    }

    fn verdict(rules: &Rules, film: &Attributes) -> String {
        match judge(rules, film, Seen::File) {
            Verdict::Take(wanted) => format!("{} {}", wanted.reason.code(), wanted.view),
            Verdict::Leave(reason) => reason.code().to_owned(),
        }
    }

    #[test]
    fn header_first_then_words() {
        let rules = Rules::default();
        for (part, view, series, study, expected) in [
            ("PELVIS", "AP", "", "", "taken AP pelvis"),
            ("PELVIS", "PA", "Pelvis", "Hip AP and Lat", "taken PA pelvis"),
            ("Hip", "AP", "Hip, right", "", "taken AP hip"),
            ("PELVIS", "LL", "", "", "view"),
            ("PELVIS", "", "Pelvis AP", "", "taken frontal pelvis"),
            ("PELVIS", "", "Hip cross-table lat", "", "view"),
            ("PELVIS", "AP", "Hip lateral", "", "contradiction pelvis, projection not stated"),
            ("PELVIS", "", "Hip AP/Lat", "", "view_unstated pelvis, projection not stated"),
            ("", "AP", "骨盆", "", "taken AP pelvis"),
            ("", "AP", "", "Pelvis, emergency", "taken AP pelvis"),
            ("", "AP", "Knee", "Pelvis and knee", "body_part"),
            ("", "AP", "", "", "part_unstated"),
            ("LOWER LIMB", "AP", "Hip", "", "taken AP hip"),
            ("CHEST", "AP", "Chest", "", "body_part"),
            ("CHEST", "AP", "Pelvis AP", "", "contradiction AP pelvis"),
            ("PELVIS", "AP", "Knee AP", "", "contradiction AP pelvis"),
            ("KNEE", "AP", "", "", "body_part"),
        ] {
            assert_eq!(verdict(&rules, &film(part, view, series, study)), expected, "{part} {view} {series} {study}");
        }
        let strict = Rules {
            films: crate::rules::FilmRules { unsure: Decision::Leave, ..rules.films.clone() },
            ..rules.clone()
        };
        assert_eq!(verdict(&strict, &film("PELVIS", "", "", "")), "view_unstated");
        let captured = Attributes { sop_class: Some(CAPTURE.into()), ..film("PELVIS", "AP", "", "") };
        assert_eq!(verdict(&rules, &captured), "secondary_capture");
        let ct = Attributes { modality: Some("CT".into()), ..film("PELVIS", "AP", "", "") };
        assert_eq!(verdict(&rules, &ct), "modality");
        let state =
            Attributes { sop_class: Some("1.2.840.10008.5.1.4.1.1.11.1".into()), ..film("PELVIS", "AP", "", "") };
        assert_eq!(verdict(&rules, &state), "not_a_film");
        // A search that returns neither part nor view leaves nothing out.
        for bare in [
            film("", "", "", ""),
            film("", "", "", "Chest"),
            film("", "", " AP ", "Chest"),
            film("PELVIS", "", "Hip lateral", ""),
        ] {
            assert!(matches!(judge(&strict, &bare, Seen::Search), Verdict::Take(_)));
            assert!(matches!(judge(&strict, &bare, Seen::File), Verdict::Leave(_)));
        }
        assert_eq!(judge(&rules, &film("PELVIS", "LL", "", ""), Seen::Search), Verdict::Leave(Reason::View));
    }

    #[test]
    fn limbs_are_labeled_by_body_part_and_protocol() {
        let mut rules = Rules::default();
        rules.limbs.collect = true;
        for (part, series, expected) in [
            ("KNEE", "", "taken knee"),
            ("", "Wrist PA", "taken wrist"),
            ("FOOT", "Ankle", "body_part"),
            ("", "Knee and ankle", "body_part"),
            ("PELVIS", "", "taken AP pelvis"),
            ("EXTREMITY", "Elbow lateral", "taken elbow"),
        ] {
            assert_eq!(verdict(&rules, &film(part, "AP", series, "")), expected, "{part} {series}");
        }
    }
}

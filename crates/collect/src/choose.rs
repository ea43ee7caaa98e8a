//! Which of an injury's films stay: copies of one exposure are one film, and the rules may keep one film alone.

use std::collections::HashMap;

use coxa_schema::BodyPart;

use crate::attributes::Attributes;
use crate::judge::{CAPTURE, FOR_PROCESSING, Set, Wanted};
use crate::reason::Reason;
use crate::rules::{Decision, FilmRules, Keep};
use crate::terms::Text;

/// A film that the rules want and that was de-identified.
pub(crate) struct Candidate<'a> {
    pub(crate) attributes: &'a Attributes,
    pub(crate) wanted: &'a Wanted,
    /// The file, de-identified.
    pub(crate) bytes: &'a [u8],
    /// The derived UID: the last resort of an order that is the same each time.
    pub(crate) key: &'a str,
}

/// What becomes of candidates, in their order: `None` for one that stays, else why not and the place of the film that stays instead.
pub(crate) fn choose(rules: &FilmRules, candidates: &[Candidate<'_>]) -> Vec<Option<(Reason, usize)>> {
    let mut left = vec![None; candidates.len()];
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_cached_key(|&place| rank(rules, &candidates[place]));
    if rules.copies == Decision::Leave && candidates.len() > 1 {
        let pixels: Vec<Option<String>> = candidates.iter().map(|film| pixel_values(film.bytes)).collect();
        let mut kept: Vec<usize> = Vec::new();
        for &place in &order {
            let copy = kept.iter().find_map(|&other| {
                let reason = copy_of(rules, &candidates[place], &candidates[other]);
                let same = pixels[place].is_some()
                    && pixels[place] == pixels[other]
                    && candidates[place].wanted.set == candidates[other].wanted.set;
                reason.or(same.then_some(Reason::SamePixels)).map(|reason| (reason, other))
            });
            match copy {
                Some(copy) => left[place] = Some(copy),
                None => kept.push(place),
            }
        }
        order = kept;
    }
    if rules.keep == Keep::One {
        let films: Vec<usize> = order.into_iter().filter(|&place| candidates[place].wanted.set == Set::Films).collect();
        if let Some((&best, others)) = films.split_first() {
            others.iter().for_each(|&place| left[place] = Some((Reason::OtherPreferred, best)));
        }
    }
    left
}

type Rank = (bool, bool, bool, bool, bool, Option<String>, Option<i64>, Option<i64>, String);

/// The smallest is preferred.
pub(crate) fn rank(rules: &FilmRules, film: &Candidate<'_>) -> Rank {
    let Candidate { attributes, wanted, key, .. } = film;
    let class = attributes.sop_class.as_deref();
    (
        wanted.part == BodyPart::Hip,
        wanted.reason != Reason::Taken,
        class == Some(CAPTURE),
        class == Some(FOR_PROCESSING) || names_copy(rules, attributes),
        !attributes.sources.is_empty(),
        attributes.acquisition_time.clone(),
        attributes.series_number,
        attributes.instance_number,
        (*key).to_owned(),
    )
}

fn names_copy(rules: &FilmRules, film: &Attributes) -> bool {
    Text::of([&film.series_description, &film.derivation].map(Option::as_deref)).has_any(&rules.copy_words)
}

/// Whether a film is a copy of another that stays.
fn copy_of(rules: &FilmRules, film: &Candidate<'_>, other: &Candidate<'_>) -> Option<Reason> {
    let (a, b) = (film.attributes, other.attributes);
    if film.wanted.set != other.wanted.set || film.wanted.part != other.wanted.part {
        return None;
    }
    let is_same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
    let refers = |a: &Attributes, b: &Attributes| {
        b.instance.as_ref().is_some_and(|uid| a.sources.iter().any(|source| source == uid.as_str()))
    };
    // One device does not expose twice within a second; a time of midnight is one that was not set.
    let is_set = |time: &Option<String>| time.as_deref().is_some_and(|time| time != "000000");
    let is_same_time = is_set(&a.acquisition_time)
        && a.acquisition_time == b.acquisition_time
        && a.acquisition_date == b.acquisition_date
        && a.acquisition_date.is_some();
    if is_same(&a.irradiation_event, &b.irradiation_event) || refers(a, b) || refers(b, a) || is_same_time {
        return Some(Reason::SameExposure);
    }
    names_copy(rules, a).then_some(Reason::Copy)
}

/// A hash of how often a film has each display value: the same for a film that was turned, mirrored or coded otherwise without loss.
fn pixel_values(bytes: &[u8]) -> Option<String> {
    let film = coxa_imaging::read_bytes(bytes, "a film").ok()?;
    let mut counts: HashMap<u32, u64> = HashMap::new();
    film.pixels().iter().for_each(|value| *counts.entry(value.to_bits()).or_default() += 1);
    let mut counts: Vec<(u32, u64)> = counts.into_iter().collect();
    // A film of a few values only could be another with as many.
    if counts.len() < 16 {
        return None;
    }
    counts.sort_unstable();
    let bytes: Vec<u8> =
        counts.iter().flat_map(|(value, n)| [u64::from(*value), *n]).flat_map(u64::to_le_bytes).collect();
    Some(coxa_files::sha256(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(part: BodyPart, reason: Reason) -> Wanted {
        Wanted { part, set: Set::Films, view: String::new(), reason }
    }

    fn at(time: &str, number: i64) -> Attributes {
        Attributes {
            acquisition_date: Some(jiff::civil::Date::constant(2015, 3, 1)),
            acquisition_time: Some(time.into()),
            instance_number: Some(number),
            ..Attributes::default()
        }
    }

    #[test]
    fn copies_are_left_and_exposures_stay() {
        let rules = FilmRules::default();
        let sure = wanted(BodyPart::Pelvis, Reason::Taken);
        let hip = wanted(BodyPart::Hip, Reason::Taken);
        let unsure = wanted(BodyPart::Pelvis, Reason::ViewUnstated);
        let copy = Attributes { series_description: Some("Pelvis, rotated".into()), ..at("120001", 3) };
        let event = |number| Attributes { irradiation_event: Some("2.25.9".into()), ..at("000000", number) };
        let attributes = [at("120000", 2), at("120000", 1), at("130000", 9), copy, at("120000", 1), event(4), event(5)];
        let of = |place: usize, wanted| Candidate { attributes: &attributes[place], wanted, bytes: &[], key: "k" };
        let films: Vec<_> = [&sure, &sure, &unsure, &sure, &hip, &sure, &sure]
            .into_iter()
            .enumerate()
            .map(|(place, wanted)| of(place, wanted))
            .collect();
        let left = choose(&rules, &films);
        assert_eq!(left[0], Some((Reason::SameExposure, 1)));
        assert_eq!((left[1], left[2], left[4], left[5]), (None, None, None, None));
        assert_eq!(left[3].map(|(reason, _)| reason), Some(Reason::Copy));
        assert_eq!(left[6], Some((Reason::SameExposure, 5)));
        let one = FilmRules { keep: Keep::One, ..rules.clone() };
        let left = choose(&one, &films);
        assert_eq!(left.iter().filter(|left| left.is_none()).count(), 1);
        assert_eq!(left[4].map(|(reason, _)| reason), Some(Reason::OtherPreferred));
        let all = FilmRules { copies: Decision::Take, ..rules };
        assert!(choose(&all, &films).iter().all(Option::is_none));
    }
}

//! The search of one injury: its patient's studies in the window, their series, and their images that the rules may want.

use std::collections::{BTreeMap, BTreeSet};

use coxa_cohort::registry::Injury;
use coxa_deidentify::Deidentifier;
use coxa_dimse::Uid;
use jiff::Span;
use jiff::civil::Date;

use crate::attributes::Attributes;
use crate::fault::Fault;
use crate::judge::{Seen, Set, Verdict, judge};
use crate::keys::Query;
use crate::peer::Peer;
use crate::reason::Reason;
use crate::rules::Rules;

/// An injury with what its patient is called in the output.
pub(crate) struct Case<'a> {
    pub(crate) injury: &'a Injury,
    pub(crate) pseudonym: String,
    pub(crate) days: i64,
}

impl<'a> Case<'a> {
    pub(crate) fn of(injury: &'a Injury, deidentifier: &Deidentifier) -> Self {
        let (pseudonym, days) = deidentifier.patient(&injury.patient);
        Self { injury, pseudonym, days }
    }

    /// A day as the output has it.
    pub(crate) fn shifted(&self, date: Date) -> String {
        let moved = Span::new().try_days(self.days).ok().and_then(|days| date.checked_add(days).ok());
        moved.map(|date| date.to_string()).unwrap_or_default()
    }
}

/// What a search found of an injury.
#[derive(Default)]
pub(crate) struct Found {
    /// Instances that the rules may want, by study.
    pub(crate) films: BTreeMap<Uid, Vec<Attributes>>,
    pub(crate) left: BTreeMap<Reason, usize>,
    /// Studies and series that are wanted whole.
    pub(crate) whole: BTreeMap<Uid, (bool, BTreeSet<Uid>)>,
    pub(crate) missing: Option<Reason>,
}

/// Searches the studies, series and instances of an injury.
pub(crate) async fn search(
    peer: &mut Peer,
    rules: &Rules,
    deidentifier: &Deidentifier,
    case: &Case<'_>,
) -> Result<Found, Fault> {
    let patient = case.injury.patient.as_str();
    let days = days(rules, case.injury.date);
    // A PACS that ignores case, or a key, answers with more than was asked for.
    let is_patient =
        |study: &Attributes| study.patient_id.as_ref().is_none_or(|id| deidentifier.patient(id).0 == case.pseudonym);
    let is_in_days = |study: &Attributes| study.study_date.is_none_or(|date| (days.0..=days.1).contains(&date));
    let mut found = Found::default();
    let mut studies = peer.ask(Query::Studies { patient, days: Some(days) }).await?;
    studies.retain(|study| is_patient(study) && is_in_days(study));
    if studies.is_empty() {
        let any = peer.ask(Query::Studies { patient, days: None }).await?;
        let is_known = any.iter().any(is_patient);
        found.missing = Some(if is_known { Reason::NoStudyInWindow } else { Reason::PatientUnknown });
        return Ok(found);
    }
    for study in &studies {
        let Some(uid) = study.study.clone() else { continue };
        let is_film =
            |modality: &String| rules.films.modalities.contains(modality) || modality == "OT" || modality == "SC";
        if !study.modalities.is_empty() && !study.modalities.iter().any(is_film) {
            *found.left.entry(Reason::Modality).or_default() += 1;
            continue;
        }
        search_study(peer, rules, case, study, &uid, &mut found).await?;
    }
    let n: usize = found.films.values().map(Vec::len).sum();
    if n > rules.films.most {
        *found.left.entry(Reason::TooMany).or_default() += n - rules.films.most;
        let mut room = rules.films.most;
        for (study, films) in &mut found.films {
            if films.len() > room {
                films.truncate(room);
                found.whole.remove(study);
            }
            room -= films.len();
        }
    }
    if found.films.is_empty() {
        let only_modality = found.left.keys().all(|reason| matches!(reason, Reason::Modality | Reason::NotAFilm));
        found.missing = Some(if only_modality { Reason::NoRadiograph } else { Reason::NoWantedFilm });
    }
    Ok(found)
}

async fn search_study(
    peer: &mut Peer,
    rules: &Rules,
    case: &Case<'_>,
    study: &Attributes,
    uid: &Uid,
    found: &mut Found,
) -> Result<(), Fault> {
    let patient = case.injury.patient.as_str();
    let (mut films, mut whole_series, mut whole_study) = (Vec::new(), BTreeSet::new(), true);
    let mut all = peer.ask(Query::Series { patient, study: uid }).await?;
    all.sort_by(|a, b| (a.series_number, &a.series).cmp(&(b.series_number, &b.series)));
    for series in all {
        let Some(series_uid) = series.series.clone() else { continue };
        let series = series.or(study);
        if let Verdict::Leave(reason) = judge(rules, &series, Seen::Search) {
            *found.left.entry(reason).or_default() += 1;
            whole_study = false;
            continue;
        }
        let mut instances = peer.ask(Query::Instances { patient, study: uid, series: &series_uid }).await?;
        instances.sort_by(|a, b| (a.instance_number, &a.instance).cmp(&(b.instance_number, &b.instance)));
        let mut is_whole = true;
        for instance in instances {
            if instance.instance.is_none() {
                continue;
            }
            let instance = instance.or(&series);
            match judge(rules, &instance, Seen::Search) {
                Verdict::Leave(reason) => {
                    *found.left.entry(reason).or_default() += 1;
                    is_whole = false;
                }
                Verdict::Take(wanted) if !is_in_window(rules, wanted.set, case.injury.date, &instance) => {
                    *found.left.entry(Reason::OtherDay).or_default() += 1;
                    is_whole = false;
                }
                Verdict::Take(_) => films.push(instance),
            }
        }
        whole_study &= is_whole;
        if is_whole {
            whole_series.insert(series_uid);
        }
    }
    if !films.is_empty() {
        found.films.insert(uid.clone(), films);
        found.whole.insert(uid.clone(), (whole_study, whole_series));
    }
    Ok(())
}

/// The days that are searched: those of films and of limbs together.
fn days(rules: &Rules, day: Date) -> (Date, Date) {
    let (mut before, mut after) = (rules.window.before, rules.window.after);
    if rules.limbs.collect {
        before = before.max(rules.limbs.before);
        after = after.max(rules.limbs.after);
    }
    (moved(day, -i64::from(before)), moved(day, i64::from(after)))
}

fn moved(day: Date, by: i64) -> Date {
    Span::new().try_days(by).ok().and_then(|days| day.checked_add(days).ok()).unwrap_or(day)
}

/// Whether a film is of the days that its set is collected of. Acquisition may be after midnight of the study's day; a film that was
/// acquired before the window was imported from elsewhere.
pub(crate) fn is_in_window(rules: &Rules, set: Set, day: Date, film: &Attributes) -> bool {
    let (before, after) = match set {
        Set::Films => (rules.window.before, rules.window.after),
        Set::Limbs => (rules.limbs.before, rules.limbs.after),
    };
    let (from, to) = (moved(day, -i64::from(before)), moved(day, i64::from(after)));
    film.study_date.is_none_or(|date| (from..=to).contains(&date))
        && film.acquisition_date.is_none_or(|date| (from..=moved(to, 1)).contains(&date))
}

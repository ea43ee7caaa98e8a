//! A trial before a collection: an echo, a search, one film retrieved and de-identified in memory, each explained. Nothing is written.

use std::path::Path;

use coxa_cohort::registry::load_injuries;
use coxa_deidentify::Deidentifier;

use crate::archive::{Archive, Source};
use crate::error::CollectError;
use crate::fault::Fault;
use crate::peer::{Order, Peer};
use crate::rules::Rules;
use crate::search::{Case, Found, search};

/// A step of the trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was tried.
    pub what: &'static str,
    /// What came of it, in a sentence.
    pub result: String,
    /// The way out, where it failed.
    pub hint: Option<String>,
    /// Whether the collection can go on.
    pub ok: bool,
}

impl Step {
    fn failed(what: &'static str, fault: Fault) -> Self {
        Self { what, result: fault.text, hint: fault.hint, ok: false }
    }
}

/// The most injuries that are searched for a film.
const MOST: usize = 20;

/// Tries the PACS with the first injuries of a registry; each step goes to `step` as it is done. Returns whether all succeeded.
///
/// # Errors
/// [`CollectError`]: the registry cannot be read, or this node's port not be opened.
pub async fn check(
    registry: &Path,
    source: &Source,
    rules: &Rules,
    deidentifier: &Deidentifier,
    step: &mut (dyn FnMut(Step) + Send),
) -> Result<bool, CollectError> {
    let injuries = load_injuries(registry)?;
    let mut peer = Peer::new(Archive::new(source).await?, &rules.pace);
    if !matches!(source, Source::Web(_)) {
        if let Err(fault) = peer.echo().await {
            step(Step::failed("echo", fault));
            return Ok(false);
        }
        step(Step { what: "echo", result: "the PACS answers and accepts both titles".into(), hint: None, ok: true });
    }
    let mut missing = std::collections::BTreeMap::new();
    for (place, injury) in injuries.iter().take(MOST).enumerate() {
        let case = Case::of(injury, deidentifier);
        let found = match search(&mut peer, rules, deidentifier, &case).await {
            Ok(found) => found,
            Err(fault) => {
                step(Step::failed("find", fault));
                return Ok(false);
            }
        };
        if found.films.is_empty() {
            let reason = found.missing.unwrap_or(crate::Reason::NoWantedFilm);
            *missing.entry(reason).or_insert(0usize) += 1;
            continue;
        }
        let n: usize = found.films.values().map(Vec::len).sum();
        let result = format!("row {}: {n} images that the rules may want, after {} rows without", injury.line, place);
        step(Step { what: "find", result, hint: None, ok: true });
        let ok = one_film(&mut peer, deidentifier, &case, &found, step).await;
        peer.close().await;
        return Ok(ok);
    }
    peer.close().await;
    let reasons: Vec<String> = missing.iter().map(|(reason, n)| format!("{n}: {}", reason.sentence())).collect();
    step(Step {
        what: "find",
        result: format!("the first {} rows have no film. {}", injuries.len().min(MOST), reasons.join(" ")),
        hint: Some(
            "check that the registry's patient numbers are the PACS's Patient IDs, and the window of days in the rules"
                .into(),
        ),
        ok: false,
    });
    Ok(false)
}

/// Retrieves one film and de-identifies it in memory.
async fn one_film(
    peer: &mut Peer,
    deidentifier: &Deidentifier,
    case: &Case<'_>,
    found: &Found,
    step: &mut (dyn FnMut(Step) + Send),
) -> bool {
    let first = found.films.iter().find_map(|(study, films)| {
        let film = films.first()?;
        Some((study, film.series.clone()?, film.instance.clone()?))
    });
    let Some((study, series, instance)) = first else { return false };
    let order = Order { instances: vec![(series, instance.clone())], ..Order::default() };
    let fetched = peer.fetch(&case.injury.patient, study, &order).await;
    let bytes = match fetched.map(|mut films| films.remove(&instance)) {
        Ok(Some(Ok(bytes))) => bytes,
        Ok(Some(Err(fault))) | Err(fault) => {
            step(Step::failed("retrieve", fault));
            return false;
        }
        Ok(None) => return false,
    };
    let result = format!("one film of {} KiB came", bytes.len().div_ceil(1024));
    step(Step { what: "retrieve", result, hint: None, ok: true });
    match deidentifier.deidentify(&bytes) {
        Ok(film) if film.receipt.patient == case.pseudonym => {
            step(Step { what: "deidentify", result: "it can be de-identified".into(), hint: None, ok: true });
            true
        }
        Ok(_) => {
            let result = "the film is of another patient than was asked for, or has an issuer of patient IDs".into();
            step(Step { what: "deidentify", result, hint: Some("name the issuer by --issuer".into()), ok: false });
            false
        }
        Err(withheld) => {
            let hint = "a collection withholds such films and goes on";
            step(Step { what: "deidentify", result: withheld.to_string(), hint: Some(hint.into()), ok: true });
            true
        }
    }
}

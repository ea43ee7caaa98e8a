//! A stage's films: the data set, prepared and split by patient, with what is learned from each.

use std::collections::{HashMap, HashSet};

use coxa_cohort::{Dataset, Sample, Split};
use coxa_files::hash::Sha256;

use super::anchors::anchors;
use super::batches::Films;
use super::beside::{self, Other};
use super::boxes::prepared_boxes;
use super::cache::{Built, Entry, FilmCache};
use super::context::Context;
use super::layout::RunLayout;
use super::patches::Patches;
use super::progress::{Control, Event, Observer};
use crate::bundle::PatientKey;
use crate::recipe::{Patch, Stage, Start, ThresholdRule};
use crate::{Bundle, ModelError};

/// A stage's films and how they are split.
pub(super) struct StageData {
    cache: FilmCache,
    /// Pixels on each side of the network's input.
    size: usize,
    pub split: Split,
    /// The films of the data sets beside the stage's own, one set after the other; they have the last slots.
    beside: Vec<Sample>,
    /// How many films each of these sets has.
    beside_lengths: Vec<usize>,
    /// Slot and class of each of the stage's own training films, then of each validation film.
    parts: [Vec<(usize, usize)>; 2],
    /// The patient of each of these training films, then of each validation film, by number.
    patients: [Vec<usize>; 2],
    /// The findings' boxes by slot, in prepared films; if the recipe asks for them.
    boxes: Option<Vec<Vec<[f32; 4]>>>,
    /// Where patches are cut, by slot; if the recipe asks for them.
    anchors: Option<(Vec<Option<[f64; 2]>>, Patch)>,
    pub classes: Vec<String>,
    pub fingerprint: String,
    /// The fingerprint with all else that the order of batches and their targets depend on.
    pub order: String,
    pub simulated: bool,
}

impl StageData {
    /// Loads the data set, splits it by patient and prepares its films; `None` if that was stopped.
    pub(super) fn load(context: &Context<'_>, observer: &mut dyn Observer) -> Result<Option<Self>, ModelError> {
        let stage = context.stage;
        let Some(folder) = &stage.dataset else { return Err(context.fault("no dataset is given")) };
        let mut dataset = Dataset::load(folder)?;
        let (samples, classes) = stage.samples(&mut dataset)?;
        check_classes(context, &samples, &classes)?;
        let others = beside::load(context, &classes)?;
        let n_own = samples.len();
        let mut all = samples;
        all.extend(others.iter().flat_map(|other| other.samples.iter().cloned()));
        let Some(cache) = prepared(context, &all, observer)? else { return Ok(None) };
        let fingerprint = fingerprint(&cache, &all, &classes);
        let boxes = match (stage.localization, stage.patch) {
            (None, None) => None,
            _ => Some(all_boxes(context, &dataset, &others, &all[..n_own], cache.entries())?),
        };
        let order = order(&fingerprint, &all, boxes.as_deref());
        let anchors = stage
            .patch
            .zip(boxes.as_deref())
            .map(|(patch, boxes)| (anchors(&all, boxes, cache.entries(), stage, context.seed()), patch));
        let beside = all.split_off(n_own);
        let samples = all;
        let slots: HashMap<String, usize> =
            samples.iter().enumerate().map(|(slot, sample)| (sample.image_id.clone(), slot)).collect();
        let split = split(context, samples)?;
        // Simulated patients are numbered anew in every data set: those of one number are not one patient.
        let patients = if dataset.is_simulated() { Patients::Numbered } else { Patients::Known };
        let (own, of_others) = cache.entries().split_at(n_own);
        check_unseen(context, &split, own, patients, observer)?;
        let parts = [split.train(), split.validation()]
            .map(|part| part.iter().map(|sample| (slots[&sample.image_id], sample.target)).collect::<Vec<_>>());
        let held_out = parts[1].iter().map(|(slot, _)| own[*slot].sha256.as_str());
        beside::check_apart(context, held_out, of_others.iter().map(|film| film.sha256.as_str()))?;
        check_parts(context, &parts, &classes, observer)?;
        Ok(Some(StageData {
            cache,
            size: stage.input_size,
            patients: [split.train(), split.validation()].map(patient_numbers),
            split,
            beside,
            beside_lengths: others.iter().map(|other| other.samples.len()).collect(),
            parts,
            boxes,
            anchors,
            classes,
            fingerprint,
            order,
            simulated: dataset.is_simulated() || others.iter().any(|other| other.dataset.is_simulated()),
        }))
    }

    /// Number of the stage's own films to train on.
    pub(super) fn n_train(&self) -> usize {
        self.parts[0].len()
    }

    pub(super) fn train_films(&self, stage: &Stage) -> Films<'_> {
        let boxes = self.boxes.as_deref().filter(|_| stage.localization.is_some());
        let mut films = Films { boxes, beside: self.beside_lengths.clone(), ..self.films(0) };
        let first = self.cache.entries().len() - self.beside.len();
        films.films.extend(self.beside.iter().enumerate().map(|(i, sample)| (first + i, sample.target)));
        films
    }

    pub(super) fn validation_films(&self) -> Films<'_> {
        self.films(1)
    }

    fn films(&self, part: usize) -> Films<'_> {
        let (films, patients) = (self.parts[part].clone(), self.patients[part].clone());
        Films {
            cache: &self.cache,
            films,
            beside: Vec::new(),
            size: self.size,
            patients,
            patches: self.patches(),
            boxes: None,
        }
    }

    fn patches(&self) -> Option<Patches<'_>> {
        let ((anchors, patch), boxes) = self.anchors.as_ref().zip(self.boxes.as_deref())?;
        Some(Patches { anchors, jitter: patch.jitter, elsewhere: patch.elsewhere, boxes })
    }

    /// SHA-256 of the files of all films that are trained or validated on.
    pub(super) fn seen_files(&self) -> impl Iterator<Item = &str> {
        self.cache.entries().iter().map(|film| film.sha256.as_str())
    }

    /// The patients of all films that are trained or validated on.
    pub(super) fn seen_patients(&self) -> impl Iterator<Item = &str> {
        let own = self.split.train().iter().chain(self.split.validation()).map(|sample| sample.patient.as_str());
        own.chain(self.beside.iter().map(beside::patient))
    }

    /// The films of the data sets beside the stage's own.
    pub(super) fn beside(&self) -> &[Sample] {
        &self.beside
    }
}

/// The boxes of the stage's own films, then of those of the data sets beside it.
fn all_boxes(
    context: &Context<'_>,
    dataset: &Dataset,
    others: &[Other],
    own: &[Sample],
    entries: &[Entry],
) -> Result<Vec<Vec<[f32; 4]>>, ModelError> {
    let mut boxes = prepared_boxes(context, dataset, own, entries)?;
    for other in others {
        boxes.extend(prepared_boxes(context, &other.dataset, &other.samples, &entries[boxes.len()..])?);
    }
    Ok(boxes)
}

/// Refuses films of one class, and mirrored films where the classes are sides.
fn check_classes(context: &Context<'_>, samples: &[Sample], classes: &[String]) -> Result<(), ModelError> {
    let found: HashSet<usize> = samples.iter().map(|sample| sample.target).collect();
    if let [class] = found.iter().copied().collect::<Vec<_>>()[..] {
        return Err(context.fault(format!(
            "all {} films are of one class, {}; a network learns nothing from them: check the labels",
            samples.len(),
            classes[class]
        )));
    }
    let names = |side: &str| classes.iter().any(|class| class.eq_ignore_ascii_case(side));
    if let Some(flip) = context.stage.augment.flips().filter(|_| names("left") && names("right")) {
        return Err(ModelError::Setting(format!(
            "stage {}: augment.{flip} is true and target has the classes {}: a film that is mirrored shows the other side; set \
             augment.{flip} to false",
            context.stage.name,
            classes.join(", ")
        )));
    }
    Ok(())
}

/// Refuses parts without films, training films of one class, and validation films that cannot give the threshold; notes what is doubtful.
fn check_parts(
    context: &Context<'_>,
    parts: &[Vec<(usize, usize)>; 2],
    classes: &[String],
    observer: &mut dyn Observer,
) -> Result<(), ModelError> {
    let [train, validation] = parts;
    if train.is_empty() || validation.is_empty() {
        return Err(context.fault(format!("{} films to train on, {} to validate", train.len(), validation.len())));
    }
    let has = |part: &[(usize, usize)], class: usize| part.iter().any(|(_, target)| *target == class);
    let (lacking, had): (Vec<usize>, Vec<usize>) = (0..classes.len()).partition(|class| !has(train, *class));
    if let [only] = had[..] {
        return Err(context.fault(format!(
            "all {} films to train on are of one class, {}; films of another patient with another class are needed",
            train.len(),
            classes[only]
        )));
    }
    let mut note = |text: String| observer.on(&Event::Note { stage: &context.stage.name, text: &text });
    if !lacking.is_empty() {
        let names: Vec<&str> = lacking.iter().map(|class| classes[*class].as_str()).collect();
        note(format!("no film to train on is of the class {}", names.join(", ")));
    }
    let one_class = classes.len() == 2 && !(has(validation, 0) && has(validation, 1));
    if one_class && !matches!(context.stage.threshold, ThresholdRule::Fixed { .. }) {
        return Err(context.fault("the threshold's rule needs validation films of both classes"));
    }
    if one_class {
        let class = &classes[validation[0].1];
        note(format!(
            "all {} films to validate on are of one class, {class}: accuracy and loss say little",
            validation.len()
        ));
    }
    Ok(())
}

/// Prepares the films, or finds them prepared; `None` if that was stopped.
fn prepared(
    context: &Context<'_>,
    samples: &[Sample],
    observer: &mut dyn Observer,
) -> Result<Option<FilmCache>, ModelError> {
    let stage = context.stage;
    let folder = context.options.cache_folder();
    let built = FilmCache::build(&folder, samples, stage.film_size(), stage.fit, |done, total| {
        observer.on(&Event::Preparing { stage: &stage.name, done, total }) == Control::Continue
    })?;
    match built {
        Built::Whole(cache) => Ok(Some(cache)),
        Built::Stopped => Ok(None),
        Built::Unreadable(films) => {
            let named = films.iter().take(10).map(|film| format!("{}: {}", film.image_id, film.reason));
            Err(context.fault(format!(
                "{} of {} films cannot be read; exclude them in the manifest: {}",
                films.len(),
                samples.len(),
                named.collect::<Vec<_>>().join("; ")
            )))
        }
    }
}

/// The split of a run that is resumed, or a new one.
fn split(context: &Context<'_>, samples: Vec<Sample>) -> Result<Split, ModelError> {
    let (stage, seed, path) = (context.stage, context.recipe.seed, context.layout.split());
    if path.exists() {
        return Ok(Split::load(&path, samples)?);
    }
    let split = match stage.fold {
        Some(fold) => Split::folds(&samples, fold.of, seed)?.swap_remove(fold.index - 1),
        None => Split::by_patient(samples, stage.validation, seed)?,
    };
    split.save(&path)?;
    Ok(split)
}

/// Whether a pseudonym stands for one patient in every data set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patients {
    Known,
    Numbered,
}

/// Checks whether the bundle that the stage starts from was trained or validated on films or patients to validate on: a cross-validation
/// is refused then, otherwise it is noted. (Stages of one run that share films hold out the same ones.)
fn check_unseen(
    context: &Context<'_>,
    split: &Split,
    entries: &[Entry],
    patients: Patients,
    observer: &mut dyn Observer,
) -> Result<(), ModelError> {
    let Start::Bundle(folder) = &context.stage.start else { return Ok(()) };
    // A folder that is gone since the run began takes its list with it.
    let Ok(bundle) = Bundle::load(folder) else { return Ok(()) };
    let run = RunLayout::of_bundle(folder).filter(|_| patients == Patients::Known);
    let key = run.and_then(|run| PatientKey::load(&run.patient_key()).ok());
    let files: HashMap<&str, &str> =
        entries.iter().map(|film| (film.image_id.as_str(), film.sha256.as_str())).collect();
    let has_seen = |sample: &&Sample| {
        let patient = key.as_ref().is_some_and(|key| bundle.has_seen_patient(&sample.patient, key));
        patient || files.get(sample.image_id.as_str()).is_some_and(|sha256| bundle.has_seen(sha256))
    };
    let (seen, of) = (split.validation().iter().filter(has_seen).count(), split.validation().len());
    if seen > 0 && context.stage.fold.is_some() {
        return Err(context.fault(format!(
            "{seen} of the films to be tested on, or other films of their patients, were trained or validated on with {}, where the \
             stage starts; start from a bundle that has not seen them",
            folder.display()
        )));
    }
    if seen > 0 {
        observer.on(&Event::ValidationSeen { stage: &context.stage.name, seen, of });
    }
    Ok(())
}

/// Numbers for the samples' patients, in the order of their first films.
fn patient_numbers(samples: &[Sample]) -> Vec<usize> {
    let mut numbers = HashMap::new();
    samples
        .iter()
        .map(|sample| {
            let next = numbers.len();
            *numbers.entry(sample.patient.as_str()).or_insert(next)
        })
        .collect()
}

/// SHA-256 over a fingerprint of films and, film by film, what else decides where each comes in an epoch and what is learned from it.
fn order(fingerprint: &str, samples: &[Sample], boxes: Option<&[Vec<[f32; 4]>]>) -> String {
    let mut hash = Sha256::new();
    hash.update(fingerprint);
    samples.iter().for_each(|sample| hash.update(format!("\n{}\t{}", sample.image_id, sample.patient)));
    boxes.into_iter().flatten().for_each(|film| hash.update(format!("\n{film:?}")));
    hash.finish()
}

/// SHA-256 over every film's name, content and class, whatever their order.
fn fingerprint(cache: &FilmCache, samples: &[Sample], classes: &[String]) -> String {
    let mut lines: Vec<String> = samples
        .iter()
        .zip(cache.entries())
        .map(|(sample, entry)| format!("{}\t{}\t{}\n", sample.image_id, entry.sha256, classes[sample.target]))
        .collect();
    lines.sort();
    let mut hash = Sha256::new();
    lines.iter().for_each(|line| hash.update(line));
    hash.finish()
}

//! The training loop: it learns, it resumes to the same bits from wherever it was cut, and it refuses what cannot work.
//!
//! Over 500 lines, as every test here stands on the same small data set, recipe and interruptions.

use std::fs;
use std::path::{Path, PathBuf};

use coxa_cohort::{Dataset, Target};
use coxa_engine::{Architecture, Normalization, Parameters};
use coxa_model::bundle::PatientKey;
use coxa_model::detect::gate::GateRule;
use coxa_model::recipe::{
    Beside, ClassBalance, LocalizationLoss, Overrides, Patch, Schedule, ScheduleKind, Start, TrainingPrecision,
};
use coxa_model::train::RunLayout;
use coxa_model::{
    Bundle, Card, Control, Detector, DetectorOptions, Event, ModelError, Quiet, Recipe, RunOutcome, TrainOptions,
    WeightsFormat, probability, resume, train,
};
use coxa_schema::{ErrorKind, Hint, Label};

use crate::films::{write_boxes, write_dataset};

fn recipe(data: &Path) -> Recipe {
    let text = format!(
        r#"
        name = "tiny"
        seed = 3
        [[stage]]
        name = "parts"
        dataset = "{data}"
        target = {{ column = "source" }}
        validation = 0.25
        input_size = 32
        epochs = 1
        batch = 4
        start = "scratch"
        [[stage]]
        name = "films"
        dataset = "{data}"
        target = "fracture"
        validation = 0.25
        input_size = 32
        epochs = 3
        batch = 4
        start = "previous"
        statistics_batches = 2
        class_balance = "even"
        calibration = "temperature"
        threshold = {{ rule = "youden" }}
        [stage.augment]
        zoom = 0.1
        horizontal_flip = true
        rotation_degrees = 10.0
        noise = 0.02
        "#,
        data = data.display()
    );
    Recipe::parse(&text, "tiny").unwrap()
}

/// The second stage alone, from random weights.
fn one_stage(data: &Path) -> Recipe {
    let mut recipe = recipe(data);
    recipe.stages.remove(0);
    recipe.stages[0].start = Start::Scratch;
    recipe
}

struct Place {
    _temporary: tempfile::TempDir,
    data: PathBuf,
    runs: PathBuf,
}

fn place(n_films: usize) -> Place {
    let temporary = tempfile::tempdir().unwrap();
    let (data, runs) = (temporary.path().join("data"), temporary.path().join("runs"));
    write_dataset(&data, n_films, 40);
    Place { _temporary: temporary, data, runs }
}

fn stop_after_an_epoch(event: &Event<'_>) -> Control {
    match event {
        Event::Epoch { .. } => Control::Stop,
        _ => Control::Continue,
    }
}

fn weights_of(outcome: &RunOutcome) -> Bundle {
    Bundle::load(outcome.bundle.as_ref().unwrap()).unwrap()
}

#[test]
fn a_broken_off_run_resumes_to_the_same_bundle() {
    let place = place(16);
    let recipe = one_stage(&place.data);
    let options = TrainOptions::new(&place.runs);
    let unbroken = weights_of(&train(&recipe, &options, &mut Quiet).unwrap());

    // Killed (nothing more is written) or stopped at chosen batches, with and without checkpoints within the epoch.
    for (cut, control, checkpoint_every) in [
        ((1, 2), Control::Abandon, None),
        ((2, 2), Control::Abandon, None),
        ((2, 3), Control::Abandon, Some(1)),
        ((3, 1), Control::Stop, None),
    ] {
        let options = TrainOptions { checkpoint_every, ..options.clone() };
        let mut cutter = |event: &Event<'_>| match event {
            Event::Batch { epoch, batch, .. } if (*epoch, *batch) == cut => control,
            _ => Control::Continue,
        };
        let stopped = train(&recipe, &options, &mut cutter).unwrap();
        assert_eq!(stopped.bundle, None);
        let mut first_batch = None;
        let mut watch = |event: &Event<'_>| {
            if let Event::Batch { epoch, batch, .. } = event {
                first_batch.get_or_insert((*epoch, *batch));
            }
            Control::Continue
        };
        let resumed = resume(&stopped.run, &options, &mut watch).unwrap();
        assert_eq!(weights_of(&resumed), unbroken, "cut at {cut:?}");
        let expected = match (cut, checkpoint_every) {
            ((2, 3), _) => (2, 3),
            ((3, 1), _) => (3, 2),
            ((epoch, _), _) => (epoch, 1),
        };
        assert_eq!(first_batch, Some(expected), "cut at {cut:?}");
        // A run that is done is only read again.
        let again = resume(&stopped.run, &options, &mut |event: &Event<'_>| {
            assert!(!matches!(event, Event::Batch { .. }));
            Control::Continue
        });
        assert_eq!(weights_of(&again.unwrap()), unbroken);
    }
}

#[test]
fn running_statistics_are_measured_once_and_stay() {
    let place = place(16);
    let options = TrainOptions::new(&place.runs);
    let mut recipe = one_stage(&place.data);
    let start = train(&recipe, &options, &mut Quiet).unwrap().bundle.unwrap();
    recipe.stages[0].start = Start::Bundle(start);
    recipe.stages[0].normalization = Normalization::Running;
    let running = |bundle: &Bundle| -> Vec<f32> {
        let tensors = bundle.parameters().iter().filter(|(name, ..)| name.contains("running"));
        tensors.flat_map(|(.., values)| values.to_vec()).collect()
    };
    let (mut measured, mut batches_before) = (0, 0);
    let mut watch = |event: &Event<'_>| {
        match event {
            Event::Measuring { .. } => measured += 1,
            Event::Batch { .. } if measured < 2 => batches_before += 1,
            _ => {}
        }
        Control::Continue
    };
    let unbroken = weights_of(&train(&recipe, &options, &mut watch).unwrap());
    assert_eq!((measured, batches_before), (2, 0));

    // Three epochs leave the statistics that the first began with, and a run that was broken off does not measure again.
    let mut cutter = |event: &Event<'_>| match event {
        Event::Batch { epoch: 2, batch: 1, .. } => Control::Abandon,
        _ => Control::Continue,
    };
    let stopped = train(&recipe, &options, &mut cutter).unwrap();
    let resumed = weights_of(&resume(&stopped.run, &options, &mut Quiet).unwrap());
    assert_eq!(resumed, unbroken);
    recipe.stages[0].epochs = 1;
    let first = weights_of(&train(&recipe, &options, &mut Quiet).unwrap());
    assert_eq!(running(&first), running(&unbroken));
    assert_ne!(first, unbroken);
}

#[test]
fn threads_do_not_change_the_weights() {
    let place = place(16);
    let recipe = one_stage(&place.data);
    let bundles = [1, 2, 3].map(|threads| {
        let options = TrainOptions { threads: Some(threads), ..TrainOptions::new(&place.runs) };
        weights_of(&train(&recipe, &options, &mut Quiet).unwrap())
    });
    assert_eq!(bundles[0], bundles[1]);
    assert_eq!(bundles[0], bundles[2]);
}

#[test]
fn two_stages_hand_their_weights_on_and_record_the_run() {
    let place = place(16);
    // Two sources make two classes for the first stage.
    let manifest = place.data.join("manifest.csv");
    let text = fs::read_to_string(&manifest).unwrap();
    let mut n = 0;
    let text: String = text
        .lines()
        .map(|line| {
            n += 1;
            let line = if n % 2 == 0 { line.replace("simulated", "other") } else { line.to_string() };
            line + "\n"
        })
        .collect();
    fs::write(&manifest, text).unwrap();
    let outcome = train(&recipe(&place.data), &TrainOptions::new(&place.runs), &mut Quiet).unwrap();
    assert_eq!(outcome.run.file_name().unwrap(), "tiny-1");
    assert_eq!(outcome.stages.len(), 2);
    let parts = Bundle::load(&outcome.stages[0].layout.bundle()).unwrap();
    assert_eq!(parts.card().classes, ["other", "simulated"]);
    let bundle = weights_of(&outcome);
    let card = bundle.card();
    assert_eq!(card.classes, ["absent", "present"]);
    assert_eq!(card.recipe.as_ref().unwrap().name, "tiny");
    assert_eq!(card.stage.as_deref(), Some("films"));
    let data = card.data.as_ref().unwrap();
    assert!(data.simulated && data.train_films == 12 && data.validation_films == 4 && data.patients == 8);
    assert!(card.threshold.rule == coxa_stats::Rule::Youden && card.threshold.chosen_on.contains('4'));
    assert!(card.temperature > 0.0 && card.cam.reference > 0.0);
    let scores = card.validation_scores.as_ref().unwrap();
    assert!(scores.patients == scores.logits.len() && scores.patients > 0, "{scores:?}");
    assert!(card.metrics.contains_key("validation_auc"));
    for file in ["recipe.toml", "environment.json"] {
        assert!(outcome.run.join(file).is_file(), "{file}");
    }
    let stage = &outcome.stages[1];
    for file in ["split.csv", "history.csv", "events.out.tfevents.coxa", "last.safetensors"] {
        assert!(stage.layout.folder().join(file).is_file(), "{file}");
    }
    assert_eq!(stage.history.len(), 3);
    // The next run has a folder of its own.
    let next = train(&one_stage(&place.data), &TrainOptions::new(&place.runs), &mut |event: &Event<'_>| match event {
        Event::Batch { .. } => Control::Abandon,
        _ => Control::Continue,
    });
    assert_eq!(next.unwrap().run.file_name().unwrap(), "tiny-2");
}

#[test]
fn a_small_set_is_learned_by_heart() {
    let place = place(16);
    let mut recipe = one_stage(&place.data);
    let stage = &mut recipe.stages[0];
    stage.input_size = 64;
    stage.epochs = 12;
    stage.augment = Default::default();
    stage.schedule = Schedule { kind: ScheduleKind::Cosine, ..Schedule::default() };
    let outcome = train(&recipe, &TrainOptions::new(&place.runs), &mut Quiet).unwrap();
    let history = &outcome.stages[0].history;
    let last = history.last().unwrap();
    assert!(last.train_loss < 0.2 && last.train_accuracy > 0.95, "{last:?}");
    assert!(last.train_loss < history[0].train_loss / 2.0);
    assert!(last.val_accuracy > 0.7, "{last:?}");
    // Where the validation films give no temperature, it stays 1 and the card says why.
    let card = weights_of(&outcome).card().clone();
    assert_eq!(card.temperature == 1.0, card.notes.iter().any(|note| note.contains("temperature stays 1")), "{card:?}");
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_with_advice() {
    let place = place(16);
    // Weights so large that the logits overflow.
    let mut parameters = Parameters::initialize(&Architecture::new(1), 1);
    parameters.tensor_mut("classifier.weight").unwrap().1.fill(3e38);
    let card = Card::imported("huge", vec!["absent".into(), "present".into()], 32, "made up");
    let folder = place.data.join("huge");
    Bundle::new(card, parameters).unwrap().save(&folder, WeightsFormat::F32).unwrap();
    let mut recipe = one_stage(&place.data);
    recipe.stages[0].start = Start::Bundle(folder);
    let error = train(&recipe, &TrainOptions::new(&place.runs), &mut Quiet).unwrap_err();
    assert!(matches!(error, ModelError::NonFiniteLoss { epoch: 1, batch: 1, .. }), "{error}");
    assert!(error.to_string().contains("epoch 1, batch 1") && error.hint().unwrap().contains("learning_rate"));
}

#[test]
fn what_cannot_work_is_refused_before_any_training() {
    let place = place(8);
    let options = TrainOptions::new(&place.runs);
    let mut without = one_stage(&place.data);
    without.stages[0].dataset = None;
    assert!(train(&without, &options, &mut Quiet).unwrap_err().to_string().contains("no data set is given"));

    let mut one_class = recipe(&place.data);
    one_class.stages.truncate(1);
    let error = train(&one_class, &options, &mut Quiet).unwrap_err().to_string();
    assert!(error.contains("one class, simulated"), "{error}");

    fs::write(place.data.join("images/003.png"), b"broken").unwrap();
    let error = train(&one_stage(&place.data), &options, &mut Quiet).unwrap_err().to_string();
    assert!(error.contains("1 of 8 films") && error.contains("003"), "{error}");
}

#[test]
fn a_run_whose_films_changed_is_not_resumed() {
    let place = place(16);
    let options = TrainOptions::new(&place.runs);
    let stopped = train(&one_stage(&place.data), &options, &mut stop_after_an_epoch).unwrap();
    let image = place.data.join("images/000.png");
    coxa_imaging::encode::png_gray8(&image, 40, 40, &[77; 1600]).unwrap();
    let error = resume(&stopped.run, &options, &mut Quiet).unwrap_err();
    assert!(matches!(error, ModelError::Resume { .. }), "{error}");
}

#[test]
fn a_run_whose_films_come_in_another_order_is_not_resumed() {
    let place = place(16);
    let options = TrainOptions::new(&place.runs);
    let stopped = train(&one_stage(&place.data), &options, &mut stop_after_an_epoch).unwrap();
    let manifest = place.data.join("manifest.csv");
    let text = fs::read_to_string(&manifest).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let reversed: Vec<&str> = rows.lines().rev().collect();
    fs::write(&manifest, format!("{header}\n{}\n", reversed.join("\n"))).unwrap();
    let error = resume(&stopped.run, &options, &mut Quiet).unwrap_err();
    assert!(matches!(error, ModelError::Resume { .. }) && error.to_string().contains("order"), "{error}");
    fs::write(&manifest, text).unwrap();
    resume(&stopped.run, &options, &mut Quiet).unwrap();
}

#[test]
fn a_run_keeps_the_format_of_its_bundles_when_it_goes_on() {
    let place = place(16);
    let recipe = one_stage(&place.data);
    let options = TrainOptions { weights_format: WeightsFormat::Bf16, ..TrainOptions::new(&place.runs) };
    let whole = weights_of(&train(&recipe, &options, &mut Quiet).unwrap());
    let stopped = train(&recipe, &options, &mut stop_after_an_epoch).unwrap();
    let resumed = resume(&stopped.run, &TrainOptions::new(&place.runs), &mut Quiet).unwrap();
    assert_eq!(weights_of(&resumed), whole);
    assert_eq!(whole.card().weights.format, WeightsFormat::Bf16);
}

#[test]
fn stages_that_share_films_hold_out_the_same_ones() {
    let place = place(16);
    let mut recipe = one_stage(&place.data);
    let mut second = recipe.stages[0].clone();
    second.name = "again".into();
    second.start = Start::Previous;
    recipe.stages.push(second);
    recipe.stages.iter_mut().for_each(|stage| stage.epochs = 1);
    let options = TrainOptions::new(&place.runs);
    let outcome = train(&recipe, &options, &mut Quiet).unwrap();
    let split = |stage: usize| fs::read_to_string(outcome.stages[stage].layout.split()).unwrap();
    assert_eq!(split(0), split(1));
    recipe.stages[1].validation = 0.5;
    let error = train(&recipe, &options, &mut Quiet).unwrap_err().to_string();
    assert!(error.contains("stages films and again share a dataset"), "{error}");

    // A bundle from another run is known to have seen some of them.
    let mut seen = None;
    let mut watch = |event: &Event<'_>| {
        if let Event::ValidationSeen { seen: n, of, .. } = event {
            seen = Some((*n, *of));
        }
        Control::Continue
    };
    let mut recipe = one_stage(&place.data);
    recipe.stages[0].epochs = 1;
    recipe.stages[0].start = Start::Bundle(outcome.bundle.unwrap());
    train(&recipe, &options, &mut watch).unwrap();
    assert_eq!(seen, Some((4, 4)));
}

#[test]
fn bfloat16_training_runs_and_resumes_too() {
    let place = place(16);
    let mut recipe = one_stage(&place.data);
    recipe.stages[0].precision = TrainingPrecision::Bf16;
    recipe.stages[0].epochs = 2;
    let options = TrainOptions::new(&place.runs);
    let unbroken = weights_of(&train(&recipe, &options, &mut Quiet).unwrap());
    let mut cutter = |event: &Event<'_>| match event {
        Event::Batch { epoch: 2, batch: 1, .. } => Control::Abandon,
        _ => Control::Continue,
    };
    let stopped = train(&recipe, &options, &mut cutter).unwrap();
    assert_eq!(weights_of(&resume(&stopped.run, &options, &mut Quiet).unwrap()), unbroken);
}

#[test]
fn a_plateau_reduces_the_rate_across_an_interruption() {
    let place = place(16);
    let mut recipe = one_stage(&place.data);
    let stage = &mut recipe.stages[0];
    stage.epochs = 6;
    // No loss ever falls by so much: every epoch after the first is a bad one, and the rate falls after every second.
    stage.schedule = Schedule { kind: ScheduleKind::Plateau, patience: 1, min_delta: 1e6, ..Schedule::default() };
    let options = TrainOptions::new(&place.runs);
    let unbroken = train(&recipe, &options, &mut Quiet).unwrap();
    let rates = |outcome: &RunOutcome| -> Vec<f64> {
        outcome.stages[0].history.iter().map(|record| (record.learning_rate * 1e9).round() / 1e9).collect()
    };
    // An epoch's row has the rate in force before its own loss was compared.
    assert_eq!(rates(&unbroken), [1e-3, 1e-3, 1e-3, 1e-4, 1e-4, 1e-5]);
    for cut in [(3, 1), (4, 2), (6, 1)] {
        let mut cutter = |event: &Event<'_>| match event {
            Event::Batch { epoch, batch, .. } if (*epoch, *batch) == cut => Control::Abandon,
            _ => Control::Continue,
        };
        let stopped = train(&recipe, &options, &mut cutter).unwrap();
        let resumed = resume(&stopped.run, &options, &mut Quiet).unwrap();
        assert_eq!(rates(&resumed), rates(&unbroken), "cut at {cut:?}");
        assert_eq!(weights_of(&resumed), weights_of(&unbroken), "cut at {cut:?}");
    }
}

/// A stage on patches, whose class activation map is taught.
fn patches(data: &Path) -> Recipe {
    let mut recipe = one_stage(data);
    let stage = &mut recipe.stages[0];
    stage.epochs = 2;
    stage.patch = Some(Patch { film_size: 64, jitter: 0.2, elsewhere: 0.25 });
    stage.localization = Some(LocalizationLoss::default());
    recipe
}

#[test]
fn patches_and_localization_are_trained_and_resumed() {
    let place = place(16);
    let options = TrainOptions::new(&place.runs);
    let error = train(&patches(&place.data), &options, &mut Quiet).unwrap_err().to_string();
    assert!(error.contains("truth.csv has no boxes"), "{error}");
    write_boxes(&place.data);
    let both = patches(&place.data);
    let unbroken = train(&both, &options, &mut Quiet).unwrap();
    let mut cutter = |event: &Event<'_>| match event {
        Event::Batch { epoch: 2, batch: 2, .. } => Control::Abandon,
        _ => Control::Continue,
    };
    let stopped = train(&both, &options, &mut cutter).unwrap();
    assert_eq!(weights_of(&resume(&stopped.run, &options, &mut Quiet).unwrap()), weights_of(&unbroken));
    // Each of the two changes what is learned, and the card says what was asked for.
    let (mut whole_films, mut no_map) = (both.clone(), both.clone());
    whole_films.stages[0].patch = None;
    no_map.stages[0].localization = None;
    let [a, b, c] =
        [&both, &whole_films, &no_map].map(|recipe| weights_of(&train(recipe, &options, &mut Quiet).unwrap()));
    assert_eq!(a, weights_of(&unbroken));
    assert!(a.parameters() != b.parameters() && a.parameters() != c.parameters());
    let stage = &a.card().recipe.as_ref().unwrap().stages[0];
    assert!(stage.patch.is_some() && stage.localization.is_some());
    // A run whose boxes have changed is not resumed.
    let stopped = train(&both, &options, &mut stop_after_an_epoch).unwrap();
    let truth = place.data.join("truth.csv");
    let text = fs::read_to_string(&truth).unwrap();
    fs::write(&truth, text.rsplit_once("\n0").unwrap().0.to_owned() + "\n").unwrap();
    assert!(matches!(resume(&stopped.run, &options, &mut Quiet), Err(ModelError::Resume { .. })));
}

#[test]
fn a_network_that_reads_by_windows_is_read_as_it_was_trained() {
    let place = place(16);
    let options = TrainOptions::new(&place.runs);
    let mut by_mean = one_stage(&place.data);
    by_mean.stages[0].input_size = 64;
    let mut by_window = by_mean.clone();
    // And with mirror images, which training does not see.
    (by_window.stages[0].window, by_window.stages[0].mirror) = (Some(1), true);
    let [mean, window] = [&by_mean, &by_window].map(|recipe| train(recipe, &options, &mut Quiet).unwrap());
    assert!(weights_of(&mean).parameters() != weights_of(&window).parameters());
    assert_eq!((weights_of(&mean).card().window, weights_of(&mean).card().mirror), (None, false));
    let bundle = weights_of(&window);
    assert_eq!((bundle.card().window, bundle.card().mirror), (Some(1), true));
    // What the run says of its validation films is what a user finds, and not what the mean over the films gives.
    let mut detector =
        Detector::new(&bundle, &DetectorOptions { gate: GateRule::Disabled, ..Default::default() }).unwrap();
    let films = Dataset::load(&place.data).unwrap();
    let table = fs::read_to_string(window.stages[0].layout.validation()).unwrap();
    for row in table.lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        let film = films.films.iter().find(|film| film.image_id == fields[0]).unwrap();
        let found = detector.read(films.image_path(film).as_path()).unwrap();
        let logit = found.logit().unwrap();
        let said: f64 = fields[3].parse().unwrap();
        assert!((probability(logit, 1.0) - said).abs() < 1e-5, "{} {said}", probability(logit, 1.0));
    }
    // A window has a cell at least, and finds one thing.
    by_window.stages[0].window = Some(0);
    let error = train(&by_window, &options, &mut Quiet).unwrap_err().to_string();
    assert!(error.contains("window is 0"), "{error}");
}

#[test]
fn data_sets_beside_the_stages_own_are_trained_on_whole() {
    let place = place(16);
    let other = place.data.with_file_name("limbs");
    write_dataset(&other, 8, 48);
    write_boxes(&place.data);
    write_boxes(&other);
    let options = TrainOptions::new(&place.runs);
    let mut recipe = patches(&place.data);
    let beside = Beside { name: "limbs".into(), dataset: None, share: 0.25, class_balance: ClassBalance::Even };
    recipe.stages[0].beside.push(beside);
    let error = train(&recipe, &options, &mut Quiet).unwrap_err().to_string();
    assert!(error.contains("--data films.limbs=DIR"), "{error}");
    let with = |name: &str, folder: &Path| {
        let overrides = Overrides { datasets: vec![(name.into(), folder.into())], ..Overrides::default() };
        recipe.clone().with(&overrides)
    };
    let error = with("films.hands", &other).unwrap_err().to_string();
    assert!(error.contains("there is no data set films.hands") && error.contains("films, films.limbs"), "{error}");
    // Its own films, held out or not, may not come a second time.
    let error = train(&with("films.limbs", &place.data).unwrap(), &options, &mut Quiet).unwrap_err().to_string();
    assert!(error.contains("4 films to validate on are also in a data set beside"), "{error}");

    let mixed = with("films.limbs", &other).unwrap();
    let unbroken = train(&mixed, &options, &mut Quiet).unwrap();
    let mut cutter = |event: &Event<'_>| match event {
        Event::Batch { epoch: 2, batch: 2, .. } => Control::Abandon,
        _ => Control::Continue,
    };
    let stopped = train(&mixed, &options, &mut cutter).unwrap();
    let bundle = weights_of(&unbroken);
    assert_eq!(weights_of(&resume(&stopped.run, &options, &mut Quiet).unwrap()), bundle);
    // 12 of its own films, three in a batch of four; all eight of the other set are counted and known as seen.
    let data = bundle.card().data.clone().unwrap();
    assert_eq!((data.train_films, data.validation_films), (12 + 8, 4));
    let film = fs::read(other.join("images/000.png")).unwrap();
    assert!(bundle.has_seen(&coxa_files::hash::sha256(&film)));
    let key = PatientKey::load(&RunLayout::new(&unbroken.run).patient_key()).unwrap();
    assert!(bundle.has_seen_patient("p3", &key) && !bundle.has_seen_patient("limbs/p3", &key));
    let alone = weights_of(&train(&patches(&place.data), &options, &mut Quiet).unwrap());
    assert!(alone.parameters() != bundle.parameters());
    // A share that holds no film, or all of them.
    for share in [0.1, 0.9] {
        let mut wrong = mixed.clone();
        wrong.stages[0].beside[0].share = share;
        let error = wrong.with(&Overrides::default()).unwrap_err().to_string();
        assert!(error.contains(&format!("beside.share is {share}")), "{error}");
    }
}

#[test]
fn validation_predictions_are_a_table_that_is_replaced_by_its_like_alone() {
    let place = place(16);
    let mut recipe = one_stage(&place.data);
    recipe.stages[0].epochs = 1;
    let options = TrainOptions::new(&place.runs);
    let outcome = train(&recipe, &options, &mut Quiet).unwrap();
    let layout = &outcome.stages[0].layout;
    let table = fs::read_to_string(layout.validation()).unwrap();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("image_id,patient,label,probability,threshold"));
    assert_eq!(lines.filter(|line| line.ends_with(',')).count(), 4);
}

#[test]
fn films_of_one_class_are_refused() {
    let place = place(16);
    let manifest = place.data.join("manifest.csv");
    let mut dataset = Dataset::load(&place.data).unwrap();
    dataset.films.iter_mut().for_each(|film| film.label = Label::Present);
    dataset.save().unwrap();
    let error = train(&one_stage(&place.data), &TrainOptions::new(&place.runs), &mut Quiet).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    let error = error.to_string();
    assert!(error.contains("all 16 films are of one class, present"), "{error}");
    assert!(manifest.is_file());
}

#[test]
fn sides_are_not_learned_from_mirrored_films() {
    let place = place(16);
    let mut dataset = Dataset::load(&place.data).unwrap();
    for (i, film) in dataset.films.iter_mut().enumerate() {
        film.extra.insert("hip".into(), if i % 4 < 2 { "left" } else { "right" }.into());
    }
    dataset.save().unwrap();
    let mut recipe = one_stage(&place.data);
    recipe.stages[0].target = Target::Column("hip".into());
    recipe.stages[0].epochs = 1;
    let options = TrainOptions::new(&place.runs);
    let error = train(&recipe, &options, &mut Quiet).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let error = error.to_string();
    assert!(error.contains("augment.horizontal_flip") && error.contains("target"), "{error}");
    recipe.stages[0].augment.horizontal_flip = false;
    let bundle = weights_of(&train(&recipe, &options, &mut Quiet).unwrap());
    assert_eq!(bundle.card().classes, ["left", "right"]);
}

#[test]
fn a_bundle_knows_its_patients_by_its_runs_key_alone() {
    let place = place(16);
    let mut recipe = one_stage(&place.data);
    recipe.stages[0].epochs = 1;
    let options = TrainOptions::new(&place.runs);
    let [first, second] = [(), ()].map(|()| train(&recipe, &options, &mut Quiet).unwrap());
    let [a, b] = [&first, &second].map(weights_of);
    // The key changes neither weights nor hash.
    assert_eq!(a.hash(), b.hash());
    let key = |outcome: &RunOutcome| PatientKey::load(&RunLayout::new(&outcome.run).patient_key()).unwrap();
    let (own, other) = (key(&first), key(&second));
    for patient in ["p0", "p7"] {
        assert!(a.has_seen_patient(patient, &own) && !a.has_seen_patient(patient, &other));
    }
    assert!(!a.has_seen_patient("p8", &own) && !a.has_seen_patient("", &own));
    assert!(a.knows_patients_by(&own) && !a.knows_patients_by(&other));
    let bundle = first.bundle.as_ref().unwrap();
    assert_eq!(RunLayout::of_bundle(bundle).unwrap().folder(), first.run.canonicalize().unwrap());
    let kept = fs::read_to_string(bundle.join("patients.txt")).unwrap();
    assert_eq!(kept.lines().count(), 8);
    assert!(!bundle.join("patient.key").exists());
    // A stage that starts from another run's bundle has patients under two keys.
    recipe.stages[0].start = Start::Bundle(bundle.clone());
    let third = train(&recipe, &options, &mut Quiet).unwrap();
    let (c, key) = (weights_of(&third), key(&third));
    assert!(c.has_seen_patient("p0", &key) && c.has_seen_patient("p0", &own) && !c.knows_patients_by(&key));
}

//! Training against PyTorch's gradients and one Adam step, and its promises: the same bits on any number of threads, states
//! that continue exactly, frozen tensors, a loss that is not finite.

use std::collections::BTreeMap;

use coxa_engine::{EngineError, Isa, Loss, Normalization, Parameters, Precision, StepOutput, Trainer, TrainerOptions};
use serde_json::Value;

use crate::formula::{expected, images, parameters, uniform};

fn float(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// The vector that `make.py` takes a tensor's dot product with: values in [-1, 1), of mean square 1/3.
fn probe(name: &str, which: usize, count: usize) -> impl Iterator<Item = f64> {
    uniform(&format!("probe{which}.{name}"), count).map(|u| 2.0 * u - 1.0)
}

fn dot(values: &[f32], probe: impl Iterator<Item = f64>) -> f64 {
    values.iter().zip(probe).map(|(v, p)| f64::from(*v) * p).sum()
}

fn options(loss: Loss, threads: usize) -> TrainerOptions {
    TrainerOptions { loss, threads, ..TrainerOptions::default() }
}

fn binary(threads: usize) -> Trainer {
    Trainer::new(parameters(1), options(Loss::Binary, threads)).expect("valid options")
}

fn tensors(parameters: &Parameters) -> BTreeMap<String, Vec<f32>> {
    parameters.iter().map(|(name, _, values)| (name.to_string(), values.to_vec())).collect()
}

/// The case's targets, image size, number of outputs, and what it asks of a trainer.
fn case_input(case: &Value) -> (Vec<usize>, usize, usize, TrainerOptions) {
    let whole = |v: &Value| usize::try_from(v.as_u64().expect("a whole number")).expect("a small number");
    let loss = if case["loss_name"] == "binary" { Loss::Binary } else { Loss::Softmax };
    let normalization = if case["normalization"] == "batch" { Normalization::Batch } else { Normalization::Running };
    let targets = case["targets"].as_array().expect("an array").iter().map(whole).collect();
    let window = (!case["window"].is_null()).then(|| whole(&case["window"]));
    let options = TrainerOptions { normalization, window, ..options(loss, 2) };
    (targets, whole(&case["size"]), whole(&case["classes"]), options)
}

/// Gradients differ from PyTorch's f64 by what the arithmetic costs: where a ReLU's input is within rounding of zero the two take
/// different sides, which batch statistics of few pixels amplify. PyTorch's own f32 gradients differ by up to 6 % of a tensor's
/// norm from its f64 gradients at this size, so the tensors' median and 95th percentile are checked, and the worst loosely.
fn check_gradients(case: &Value, isa: Isa, precision: Precision, limit: f64) {
    let (targets, size, classes, options) = case_input(case);
    let (loss, normalization, window) = (options.loss, options.normalization, options.window);
    let options = TrainerOptions { precision, isa, ..options };
    let mut trainer = Trainer::new(parameters(classes), options).expect("an available instruction set");
    let pixels = images(targets.len(), size);
    let (output, gradients) = trainer.gradients(&pixels, &targets, None, size).expect("a valid batch");
    let loss_error = (f64::from(output.loss) - float(&case["loss"])).abs() / float(&case["loss"]);
    assert!(loss_error < 1e-4, "loss {} instead of {}", output.loss, case["loss"]);
    let mut errors = Vec::new();
    for (name, wanted) in case["tensors"].as_object().expect("an object") {
        let (_, found) = gradients.tensor(name).expect("a tensor of the network");
        let error = |which: usize| {
            let probed = dot(found, probe(name, which, found.len()));
            3f64.sqrt() * (probed - float(&wanted["probes"][which - 1])).abs()
        };
        errors.push((error(1).max(error(2)) / float(&wanted["norm"]), name));
    }
    errors.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (median, most, worst) =
        (errors[errors.len() / 2].0, errors[errors.len() * 95 / 100].0, errors[errors.len() - 1]);
    println!(
        "{} {precision:?} {loss:?} {normalization:?} {window:?}: median {median:.1e}, 95 % {most:.1e}, worst {worst:?}",
        isa.name()
    );
    assert!(
        median < limit && most < 10.0 * limit && worst.0 < 20.0 * limit,
        "{}: {median} {most} {worst:?}",
        isa.name()
    );
}

#[test]
fn gradients_are_pytorchs_on_every_instruction_set() {
    for isa in Isa::ALL {
        if !isa.is_available() {
            println!("skipped: this processor has no {}", isa.name());
            continue;
        }
        for case in expected("expected_training.json") {
            check_gradients(&case, isa, Precision::F32, 1e-2);
        }
    }
}

#[test]
fn one_step_is_torchs_adam() {
    for case in expected("expected_training.json") {
        let (targets, size, classes, options) = case_input(&case);
        let start = parameters(classes);
        let mut trainer = Trainer::new(start.clone(), options).expect("valid options");
        trainer.step(&images(targets.len(), size), &targets, None, size).expect("a valid batch");
        let after = trainer.parameters();
        for (name, wanted) in case["tensors"].as_object().expect("an object") {
            let (_, values) = after.tensor(name).expect("a tensor of the network");
            let moved = (dot(values, probe(name, 1, values.len())) - float(&wanted["stepped_probe"])).abs();
            // The first step moves each value by the learning rate; the sign is in doubt where the gradient is near zero.
            let step = 1e-3 * (values.len() as f64).sqrt();
            assert!(moved < 0.6 * step.max(2e-3), "{name}: {moved:e} of {step:e}");
        }
        for (name, wanted) in case["running_probes"].as_object().expect("an object") {
            let (_, values) = after.tensor(name).expect("a tensor of the network");
            let error = (dot(values, probe(name, 1, values.len())) - float(wanted)).abs();
            assert!(error < 1e-4 * (1.0 + float(wanted).abs()), "{name}: {error:e}");
        }
    }
}

#[test]
fn several_steps_are_adams() {
    let (n, size, targets) = (3, 64, [0, 1, 1]);
    let pixels = images(n, size);
    let options = TrainerOptions { learning_rate: 2e-3, weight_decay: 0.01, ..options(Loss::Binary, 2) };
    let factors =
        [options.beta1, options.beta2, options.eps, options.learning_rate, options.weight_decay].map(f64::from);
    let [beta1, beta2, eps, rate, decay] = factors;
    let mut trainer = Trainer::new(parameters(1), options).expect("valid options");
    let mut moments = BTreeMap::<String, Vec<[f64; 2]>>::new();
    for step in 1..=5 {
        let before = tensors(&trainer.parameters());
        let gradients = tensors(&trainer.gradients(&pixels, &targets, None, size).expect("a valid batch").1);
        trainer.step(&pixels, &targets, None, size).expect("a valid batch");
        let after = tensors(&trainer.parameters());
        for (name, values) in before.iter().filter(|(name, _)| !name.contains("running")) {
            let moments = moments.entry(name.clone()).or_insert_with(|| vec![[0.0; 2]; values.len()]);
            for (i, moment) in moments.iter_mut().enumerate() {
                let value = f64::from(values[i]);
                let [loss, decay] = [f64::from(gradients[name][i]), decay * value];
                let g = loss + decay;
                *moment = [beta1 * moment[0] + (1.0 - beta1) * g, beta2 * moment[1] + (1.0 - beta2) * g * g];
                let [m, v] = [moment[0] / (1.0 - beta1.powi(step)), moment[1] / (1.0 - beta2.powi(step))];
                let expected = value - rate * m / (v.sqrt() + eps);
                let found = f64::from(after[name][i]);
                // Where loss and decay nearly cancel, little of f32 is left of their sum.
                let rounding = 1e-6 * rate * (loss.abs() + decay.abs()) / (v.sqrt() + eps);
                assert!(
                    (found - expected).abs() < 1e-6 + 1e-6 * value.abs() + rounding,
                    "{name}[{i}], step {step}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let (n, size) = (3, 96);
    let run = |precision: Precision, threads: usize| -> (Vec<StepOutput>, Parameters) {
        let options = TrainerOptions { precision, ..options(Loss::Binary, threads) };
        let mut trainer = Trainer::new(parameters(1), options).expect("valid options");
        let outputs = (0..2).map(|_| trainer.step(&images(n, size), &[1, 0, 1], None, size).expect("a valid batch"));
        (outputs.collect(), trainer.parameters())
    };
    for precision in [Precision::F32, Precision::Bf16] {
        let alone = run(precision, 1);
        assert!(alone.0[1].loss < alone.0[0].loss);
        for threads in [2, 3, 5] {
            assert_eq!(alone, run(precision, threads), "{precision:?}, {threads} threads");
        }
    }
}

#[test]
fn a_forward_pass_changes_nothing_with_or_without_its_backward_pass() {
    let (n, size, targets) = (2, 64, [0, 1]);
    let pixels = images(n, size);
    let (mut plain, mut passed) = (binary(2), binary(2));
    let (output, gradients) = plain.gradients(&pixels, &targets, None, size).expect("a valid batch");
    let pass = passed.forward(&pixels, &targets, None, size).expect("a valid batch");
    assert_eq!(pass.into_output(), output);
    let pass = passed.forward(&pixels, &targets, None, size).expect("a valid batch");
    assert_eq!(pass.backward(), gradients);
    let step = |trainer: &mut Trainer| trainer.step(&pixels, &targets, None, size).expect("a valid batch");
    assert_eq!(step(&mut plain), step(&mut passed));
    assert_eq!((plain.parameters(), plain.state()), (passed.parameters(), passed.state()));
}

#[test]
fn a_saved_state_continues_bit_for_bit() {
    let (n, size, targets) = (2, 64, [0, 1]);
    let pixels = images(n, size);
    let mut trainer = binary(2);
    for _ in 0..2 {
        trainer.step(&pixels, &targets, None, size).expect("a valid batch");
    }
    let (saved, state) = (trainer.parameters(), trainer.state());
    assert_eq!(state.step, 2);
    let mut again = Trainer::new(saved, options(Loss::Binary, 2)).expect("valid options");
    again.load_state(state.clone()).expect("the same network's state");
    let first = trainer.step(&pixels, &targets, None, size).expect("a valid batch");
    assert_eq!(first, again.step(&pixels, &targets, None, size).expect("a valid batch"));
    assert_eq!(trainer.parameters(), again.parameters());
    assert_eq!(trainer.state(), again.state());

    let mut missing = state.clone();
    missing.moments.remove(0);
    let error = again.load_state(missing).expect_err("a tensor is missing");
    assert_eq!(error.to_string(), "the optimizer state does not fit: features.conv0.weight is missing");
    let mut misshapen = state;
    misshapen.moments[1].second.push(0.0);
    let error = again.load_state(misshapen).expect_err("a tensor is too long");
    assert!(error.to_string().contains("features.norm0.weight has 64 and 65 values instead of 64"), "{error}");
}

#[test]
fn observed_batches_leave_their_mean_and_variance_and_the_weights_alone() {
    let (count, size) = (4, 64);
    let images: Vec<f32> = (0..count * size * size).map(|i| ((i * 7919) % 1013 + i / 50) as f32 / 1340.0).collect();
    let (first, second) = images.split_at(2 * size * size);
    let mut parts = binary(2);
    parts.observe(first, 2, size, 1.0).expect("a valid batch");
    parts.observe(second, 2, size, 0.5).expect("a valid batch");
    let mut whole = binary(1);
    let before = tensors(&whole.parameters());
    whole.observe(&images, count, size, 1.0).expect("a valid batch");
    let (parts, whole) = (tensors(&parts.parameters()), tensors(&whole.parameters()));
    // What reaches the first normalization does not depend on how the images are dealt into batches.
    for part in ["mean", "var"] {
        let name = format!("features.norm0.running_{part}");
        for (a, b) in parts[&name].iter().zip(&whole[&name]) {
            assert!((a - b).abs() <= 1e-5 * b.abs().max(1e-3), "{name}: {a} {b}");
        }
    }
    for (name, values) in &before {
        assert_eq!(name.contains("running"), *values != whole[name], "{name}");
    }
    // A step's mean moves by the tenth of the way that a share of a tenth does.
    let (mut stepped, mut observed) = (binary(2), binary(2));
    stepped.step(&images, &[0, 1, 0, 1], None, size).expect("a valid batch");
    observed.observe(&images, count, size, 0.1).expect("a valid batch");
    let (stepped, observed) = (tensors(&stepped.parameters()), tensors(&observed.parameters()));
    for (name, values) in stepped.iter().filter(|(name, _)| name.ends_with("running_mean")) {
        assert_eq!(values, &observed[name], "{name}");
    }
    for (share, named) in [(1.5, "share is 1.5"), (f32::NAN, "share is NaN")] {
        let error = binary(1).observe(&images, count, size, share).expect_err("out of range").to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn a_loss_that_is_not_finite_changes_nothing() {
    let mut huge = parameters(1);
    huge.tensor_mut("classifier.weight").expect("a tensor").1.fill(3e38);
    let mut trainer = Trainer::new(huge, options(Loss::Binary, 2)).expect("valid options");
    let mut pixels = images(2, 64);
    let before = (trainer.parameters(), trainer.state());
    let output = trainer.step(&pixels, &[0, 1], None, 64).expect("a valid batch");
    assert!(!output.loss.is_finite(), "{}", output.loss);
    assert!(trainer.observe(&pixels, 2, 64, 1.0).is_err());
    pixels[70] = f32::NAN;
    assert!(matches!(trainer.step(&pixels, &[0, 1], None, 64), Err(EngineError::BadPixel { image: 0, .. })));
    assert_eq!(before, (trainer.parameters(), trainer.state()));
}

#[test]
fn what_would_spoil_the_weights_later_is_refused_now() {
    let mut trainer = binary(1);
    for rate in [f32::NAN, f32::INFINITY, -1.0] {
        assert!(trainer.set_learning_rate(rate).is_err());
    }
    let mut state = trainer.state();
    state.step = u64::MAX;
    assert!(trainer.load_state(state).expect_err("no training has so many").to_string().contains("steps"));
    let no_epsilon = TrainerOptions { eps: 0.0, ..options(Loss::Binary, 1) };
    assert!(Trainer::new(parameters(1), no_epsilon).is_err());
}

#[test]
fn frozen_tensors_stay_and_the_rest_trains_alike() {
    let pixels = images(2, 64);
    let gradients = |frozen: &[&str]| {
        let frozen = frozen.iter().map(|f| f.to_string()).collect();
        let options = TrainerOptions { frozen, ..options(Loss::Binary, 2) };
        let mut trainer = Trainer::new(parameters(1), options).expect("valid options");
        let gradients = trainer.gradients(&pixels, &[0, 1], None, 64).expect("a valid batch").1;
        trainer.step(&pixels, &[0, 1], None, 64).expect("a valid batch");
        (tensors(&gradients), tensors(&trainer.parameters()))
    };
    let (all, trained) = gradients(&[]);
    let early =
        ["features.conv0", "features.norm0", "features.denseblock1", "features.transition1", "features.denseblock2."];
    for frozen in [&early[..], &["features."], &["features.denseblock2.denselayer3.conv2", "classifier.bias"]] {
        let (some, partly) = gradients(frozen);
        for (name, values) in &all {
            if name.contains("running") {
                assert_eq!(trained[name], partly[name], "{name}");
            } else if frozen.iter().any(|prefix| name.starts_with(prefix)) {
                assert!(some[name].iter().all(|v| *v == 0.0), "{name}");
                assert_eq!(parameters(1).tensor(name).expect("a tensor").1, partly[name], "{name}");
            } else {
                assert_eq!(values, &some[name], "{name}");
                assert_eq!(trained[name], partly[name], "{name}");
            }
        }
    }
}

#[test]
fn four_images_are_memorized() {
    let (n, size, targets) = (4, 64, [0, 1, 1, 0]);
    let pixels = images(n, size);
    let start = Parameters::initialize(&coxa_engine::Architecture::new(1), 3);
    let mut trainer = Trainer::new(start, options(Loss::Binary, 2)).expect("valid options");
    let mut losses = Vec::new();
    for _ in 0..12 {
        losses.push(trainer.step(&pixels, &targets, None, size).expect("a valid batch").loss);
    }
    assert!(losses[11] < 0.05 && losses[11] < losses[0] / 5.0, "{losses:?}");
}

#[test]
fn batches_of_any_shape_follow_each_other() {
    let mut trainer = Trainer::new(parameters(3), options(Loss::Softmax, 2)).expect("valid options");
    for (n, size) in [(1, 64), (2, 32), (5, 32), (1, 160), (3, 96)] {
        let targets: Vec<usize> = (0..n).map(|i| i % 3).collect();
        let alone = Trainer::new(trainer.parameters(), options(Loss::Softmax, 1)).expect("valid options");
        let mut alone = alone;
        let pixels = images(n, size);
        let found = trainer.gradients(&pixels, &targets, None, size).expect("a valid batch");
        assert_eq!(found, alone.gradients(&pixels, &targets, None, size).expect("a valid batch"), "{n} of {size}");
        assert!(found.0.loss.is_finite());
    }
}

#[test]
fn wrong_input_is_named() {
    let mut trainer = binary(1);
    let error = trainer.step(&[0.0; 100], &[0], None, 10).expect_err("not a multiple of 32");
    assert_eq!(
        error.to_string(),
        "image size 10 is not allowed: it must be a multiple of 32, at least 64 and at most 4096"
    );
    assert!(matches!(trainer.step(&[0.0; 1024], &[0], None, 32), Err(EngineError::ImageSize { minimum: 64, .. })));
    assert!(matches!(
        trainer.step(&[0.0; 1024], &[0, 1], None, 32),
        Err(EngineError::InputLength { expected: 2048, .. })
    ));
    let error = trainer.step(&[0.0; 2048], &[0, 2], None, 32).expect_err("class 2 of a binary loss");
    assert_eq!(error.to_string(), "target 2 of image 1 is out of range: there are 2 classes");
    let refused =
        |classes, options| Trainer::new(parameters(classes), options).expect_err("must be refused").to_string();
    assert_eq!(refused(2, options(Loss::Binary, 1)), "the binary loss needs one output, the network has 2 outputs");
    assert_eq!(
        refused(1, options(Loss::Softmax, 1)),
        "the softmax loss needs two outputs or more, the network has 1 outputs"
    );
    let int8 = TrainerOptions { precision: Precision::Int8, ..TrainerOptions::default() };
    assert_eq!(refused(1, int8), "int8: training needs f32 or bf16");
    let rate = TrainerOptions { learning_rate: -1.0, ..TrainerOptions::default() };
    assert_eq!(refused(1, rate), "learning_rate is -1, but must be finite and not negative");
}

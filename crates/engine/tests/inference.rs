//! Inference against PyTorch's values, on every instruction set that this processor has.

use coxa_engine::architecture::FEATURES;
use coxa_engine::{
    Architecture, EngineError, Isa, Output, Parameters, Precision, Predictor, PredictorOptions, QUARTERS, Trainer,
    TrainerOptions,
};
use serde_json::Value;

use crate::formula::{expected, images, parameters};

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn whole(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a whole number")).expect("a small number")
}

fn largest_difference(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(f, e)| (f64::from(*f) - e).abs()).fold(0.0, f64::max)
}

fn on(threads: usize) -> PredictorOptions {
    PredictorOptions { threads, ..PredictorOptions::default() }
}

fn run(classes: usize, n: usize, size: usize, isa: Isa, threads: usize) -> Output {
    let options = PredictorOptions { threads, isa };
    let mut predictor =
        Predictor::new(&parameters(classes), Precision::F32, options).expect("an available instruction set");
    predictor.run(&images(n, size), n, size).expect("a valid input")
}

#[test]
fn logits_and_maps_are_pytorchs() {
    for isa in Isa::ALL {
        if !isa.is_available() {
            println!("skipped: this processor has no {}", isa.name());
            continue;
        }
        for case in expected("expected.json") {
            let (classes, n, size) = (whole(&case["classes"]), whole(&case["n"]), whole(&case["size"]));
            let output = run(classes, n, size, isa, 2);
            assert_eq!(output.map_side, size / 32);
            let logits = largest_difference(&output.logits, &floats(&case["logits"]));
            let maps = largest_difference(&output.maps, &floats(&case["maps"]));
            println!("{} {classes} {n} {size}: logits {logits:.2e}, maps {maps:.2e}", isa.name());
            assert!(logits < 1e-4 && maps < 1e-4, "{} {n}×{size}: {logits} {maps}", isa.name());
        }
    }
}

/// The mean of the features over the quarters, times the classifier's weights, is the logit.
#[test]
fn features_are_what_the_classifier_reads() {
    let (classes, n, size) = (2, 2, 64);
    let parameters = parameters(classes);
    let weights = parameters.tensor("classifier.weight").unwrap().1;
    let bias = parameters.tensor("classifier.bias").unwrap().1;
    for isa in Isa::available() {
        let output = run(classes, n, size, isa, 2);
        assert_eq!(output.features.len(), n * QUARTERS * FEATURES);
        for (image, features) in output.features.chunks_exact(QUARTERS * FEATURES).enumerate() {
            for class in 0..classes {
                let row = &weights[class * FEATURES..][..FEATURES];
                let logit = features.iter().zip(row.iter().cycle()).map(|(f, w)| f64::from(f * w)).sum::<f64>()
                    / QUARTERS as f64
                    + f64::from(bias[class]);
                let found = f64::from(output.logits[image * classes + class]);
                assert!((logit - found).abs() < 1e-4, "{}: {logit} {found}", isa.name());
            }
        }
        // An image of one cell is all quarters at once.
        let cell = run(classes, 1, 32, isa, 1).features;
        assert!(cell.chunks_exact(FEATURES).all(|quarter| *quarter == cell[..FEATURES]));
    }
}

#[test]
fn threads_and_batches_change_no_bit() {
    let (n, size) = (3, 96);
    let together = run(2, n, size, Isa::best(), 1);
    for threads in [2, 3, 7] {
        assert_eq!(together, run(2, n, size, Isa::best(), threads), "{threads} threads");
    }
    let pixels = images(n, size);
    let low = |threads: usize| {
        let bf16 = Predictor::new(&parameters(2), Precision::Bf16, on(threads)).expect("bf16 is always there");
        let int8 = Predictor::calibrated(&parameters(2), &pixels, size, on(threads)).expect("valid films");
        [bf16, int8].map(|mut predictor| predictor.run(&pixels, n, size).expect("a valid input"))
    };
    let alone = low(1);
    for threads in [2, 3, 7] {
        assert_eq!(alone, low(threads), "bf16 and int8, {threads} threads");
    }
    let mut predictor = Predictor::new(&parameters(2), Precision::F32, on(2)).expect("f32 is always there");
    for (image, pixels) in images(n, size).chunks_exact(size * size).enumerate() {
        let alone = predictor.run(pixels, 1, size).expect("a valid input");
        assert_eq!(alone.logits, together.logits[image * 2..][..2]);
        assert_eq!(alone.maps, together.maps[image * 18..][..18]);
    }
}

#[test]
fn sizes_may_change_between_calls() {
    let mut predictor = Predictor::new(&parameters(1), Precision::F32, on(2)).expect("f32 is always there");
    for (n, size) in [(1, 64), (3, 64), (1, 32), (2, 96), (1, 64)] {
        let output = predictor.run(&images(n, size), n, size).expect("a valid input");
        assert_eq!(output, run(1, n, size, Isa::best(), 1), "{n}×{size}");
    }
}

#[test]
fn wrong_inputs_are_named() {
    let mut predictor = Predictor::new(&parameters(1), Precision::F32, on(1)).expect("f32 is always there");
    let error = predictor.run(&[0.0; 100], 1, 10).expect_err("not a multiple of 32");
    assert_eq!(
        error.to_string(),
        "image size 10 is not allowed: it must be a multiple of 32, at least 32 and at most 4096"
    );
    let error = predictor.run(&[0.0; 1024], 2, 32).expect_err("half the pixels");
    assert!(matches!(error, EngineError::InputLength { expected: 2048, found: 1024, .. }), "{error}");
    assert!(predictor.run(&[], 0, 32).is_err());
    // Its square is 1024 again where numbers wrap.
    let error = predictor.run(&[0.0; 1024], 1, (1 << 62) + 32).expect_err("beyond any memory");
    assert!(matches!(error, EngineError::ImageSize { .. }), "{error}");
    assert!(Predictor::new(&Parameters::initialize(&Architecture::new(0), 1), Precision::F32, on(1)).is_err());
}

#[test]
fn an_instruction_set_that_the_processor_lacks_is_an_error() {
    for isa in Isa::ALL.into_iter().filter(|isa| !isa.is_available()) {
        let options = PredictorOptions { threads: 1, isa };
        let error = Predictor::new(&parameters(1), Precision::F32, options).expect_err("no such instructions");
        assert_eq!(error, EngineError::IsaUnavailable { isa });
        assert!(error.to_string().contains("it has kernels for portable"), "{error}");
        let options = TrainerOptions { isa, ..TrainerOptions::default() };
        let error = Trainer::new(parameters(1), options).expect_err("no such instructions");
        assert_eq!(error, EngineError::IsaUnavailable { isa });
    }
}

#[test]
fn the_arithmetic_is_that_of_the_options() {
    for isa in Isa::available() {
        let options = PredictorOptions { threads: 1, isa };
        let predictor = Predictor::new(&parameters(1), Precision::F32, options).expect("an available instruction set");
        assert_eq!(predictor.arithmetic(), format!("{}, f32", isa.name()));
    }
}

#[test]
fn weights_that_overflow_are_an_error_and_no_prediction() {
    for name in ["features.denseblock2.denselayer3.norm2.weight", "features.norm5.weight", "classifier.weight"] {
        let mut huge = parameters(1);
        huge.tensor_mut(name).expect("a tensor").1.fill(3e38);
        for precision in [Precision::F32, Precision::Bf16] {
            let read =
                Predictor::new(&huge, precision, on(1)).and_then(|mut predictor| predictor.run(&images(1, 64), 1, 64));
            assert!(read.is_err(), "{name}, {precision:?}: {read:?}");
        }
    }
}

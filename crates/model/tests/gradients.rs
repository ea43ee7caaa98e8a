//! The gradients of the shipped network, whose weights are a trained network's, against PyTorch in f64; see
//! `testdata/gradients/make.py`.

use std::path::Path;

use coxa_engine::{Isa, Loss, Precision, Trainer, TrainerOptions};
use coxa_model::Bundle;
use serde_json::Value;

fn float(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Values in [-1, 1) of mean square 1/3: SplitMix64 from the FNV-1a of the vector's name, as in `make.py`.
fn probe(name: &str, which: usize, count: usize) -> impl Iterator<Item = f64> {
    let name = format!("probe{which}.{name}");
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325, fnv);
    (1..=count as u64).map(move |index| {
        let mut z = seed.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        2.0 * ((z >> 11) as f64 / (1u64 << 53) as f64) - 1.0
    })
}

#[test]
fn a_trained_networks_gradients_are_pytorchs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/gradients");
    let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let targets: Vec<usize> =
        expected["targets"].as_array().unwrap().iter().map(|t| t.as_u64().unwrap() as usize).collect();
    let mut images = Vec::new();
    for index in 0..targets.len() {
        let film = coxa_imaging::read(&folder.join(format!("films/{index}.png"))).unwrap();
        images.extend(film.pixels().iter().map(|value| value / 255.0));
    }
    let mut faults = Vec::new();
    for isa in Isa::available() {
        for precision in [Precision::F32, Precision::Bf16] {
            faults.extend(check(&expected, &images, &targets, isa, precision));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

fn check(expected: &Value, images: &[f32], targets: &[usize], isa: Isa, precision: Precision) -> Option<String> {
    let options = TrainerOptions { loss: Loss::Binary, threads: 2, precision, isa, ..TrainerOptions::default() };
    let mut trainer = Trainer::new(Bundle::shipped().unwrap().parameters().clone(), options).unwrap();
    let (output, gradients) = trainer.gradients(images, targets, None, 128).unwrap();
    let loss = float(&expected["loss"]);
    let (loss_limit, median_limit, limit) = match precision {
        Precision::F32 => (1e-4, LIMIT / 10.0, LIMIT),
        _ => (5e-2, BF16_LIMIT / 4.0, BF16_LIMIT),
    };
    let name = format!("{} {precision:?}", isa.name());
    assert!((f64::from(output.loss) - loss).abs() < loss_limit * loss.max(1e-2), "{name}: {} {loss}", output.loss);
    let mut errors: Vec<(f64, &String)> = Vec::new();
    for (name, wanted) in expected["tensors"].as_object().unwrap() {
        let (_, found) = gradients.tensor(name).unwrap();
        let error = |which: usize| {
            let dot: f64 = found.iter().zip(probe(name, which, found.len())).map(|(g, p)| f64::from(*g) * p).sum();
            3f64.sqrt() * (dot - float(&wanted["probes"][which - 1])).abs()
        };
        errors.push((error(1).max(error(2)) / float(&wanted["norm"]), name));
    }
    errors.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (median, most, worst) =
        (errors[errors.len() / 2].0, errors[errors.len() * 95 / 100].0, errors[errors.len() - 1]);
    println!(
        "{name}: median {median:.1e}, 95 % {most:.1e}, worst {worst:?}; PyTorch's own f32: {}, bf16: {}",
        expected["pytorch_f32"], expected["pytorch_bf16"]
    );
    let holds = median < median_limit && worst.0 < limit;
    (!holds).then(|| format!("{name}: {median:e}, {most:e}, {worst:?}"))
}

/// How far any gradient may be from PyTorch's, as a fraction of their norms.
const LIMIT: f64 = 1e-3;

/// The same in bfloat16, whose numbers have 8 bits: a gradient that has nothing to do with the true one is off by 1.4.
const BF16_LIMIT: f64 = 0.5;

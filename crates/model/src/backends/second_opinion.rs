//! Burn's CPU back end against the engine: the same weights and films give the same logits, maps, losses and gradients.

use coxa_engine::{Architecture, CellTargets, Loss, Normalization, Parameters, Precision, TrainerOptions};

use super::{Backend, infer_executor, train_executor};

const SIZE: usize = 96;

/// A film with a gradient, some grain and, if `present`, a bright square.
fn pixels(index: usize, side: usize, present: bool) -> Vec<u8> {
    let (left, top) = (side / 8 + index % (side / 4), side / 8 + (index * 7) % (side / 4));
    (0..side * side)
        .map(|i| {
            let (x, y) = (i % side, i / side);
            let grain = (x * 31 + y * 17 + index * 101) * 2654435761 % 4294967296 / 134217728;
            let square = present && (left..left + side / 3).contains(&x) && (top..top + side / 3).contains(&y);
            (20 + 40 * y / side + grain + if square { 150 } else { 0 }).min(255) as u8
        })
        .collect()
}

fn images(n: usize) -> Vec<f32> {
    (0..n).flat_map(|i| pixels(i, SIZE, i % 2 == 1)).map(|value| f32::from(value) / 255.0).collect()
}

/// Random weights with running statistics and affine maps that are not trivial.
fn parameters(classes: usize) -> Parameters {
    let mut parameters = Parameters::initialize(&Architecture::new(classes), 4);
    for (at, (_, values)) in parameters.iter_mut().enumerate() {
        if values.len() < 1100 && at % 3 != 0 {
            values.iter_mut().enumerate().for_each(|(i, value)| *value += 0.1 * ((i * 7 + at) % 5) as f32 / 5.0);
        }
    }
    parameters
}

fn close(a: &[f32], b: &[f32], limit: f32, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let most = a.iter().map(|v| v.abs()).fold(1e-6, f32::max);
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= limit * most, "{what}: differs by {worst:e}, of values up to {most:e}");
}

#[test]
fn readings_are_the_engines() {
    for classes in [1, 3] {
        let parameters = parameters(classes);
        let [engine, burn] = [Backend::Cpu, Backend::Flex].map(|backend| {
            let mut network = infer_executor(backend, &parameters, Precision::F32, 2).unwrap();
            network.run(&images(2), 2, SIZE).unwrap()
        });
        assert_eq!(engine.map_side, burn.map_side);
        close(&engine.logits, &burn.logits, 1e-4, "logits");
        close(&engine.maps, &burn.maps, 1e-4, "maps");
        close(&engine.features, &burn.features, 1e-4, "features");
    }
}

#[test]
fn a_training_step_is_the_engines() {
    let side = SIZE / 32;
    let mut truth = vec![0.0; 4 * side * side];
    truth[side * side + 4] = 1.0;
    truth[side * side + 5] = f32::NAN;
    let cells = CellTargets { truth: &truth, weight: 0.7, extent: 2.0 };
    for (loss, classes, cells, normalization, window) in [
        (Loss::Binary, 1, None, Normalization::Batch, None),
        (Loss::Binary, 1, Some(&cells), Normalization::Batch, None),
        (Loss::Binary, 1, Some(&cells), Normalization::Running, None),
        (Loss::Binary, 1, Some(&cells), Normalization::Batch, Some(2)),
        (Loss::Softmax, 3, None, Normalization::Batch, None),
    ] {
        let [engine, burn] = [Backend::Cpu, Backend::Flex].map(|backend| {
            let options = TrainerOptions { loss, normalization, window, threads: 2, ..TrainerOptions::default() };
            let mut network = train_executor(backend, parameters(classes), options).unwrap();
            let output = network.step(&images(4), &[0, 1, 0, 1], cells, SIZE).unwrap();
            (output, network.state().unwrap(), network.parameters().unwrap())
        });
        assert!((engine.0.loss - burn.0.loss).abs() < 1e-4, "{} {}", engine.0.loss, burn.0.loss);
        assert!((engine.0.cell_loss - burn.0.cell_loss).abs() < 1e-4, "{} {}", engine.0.cell_loss, burn.0.cell_loss);
        close(&engine.0.logits, &burn.0.logits, 1e-3, "logits");
        // After one step the first moment is a tenth of the gradient. A ReLU at zero may fall to either side, so the median counts.
        let mut errors: Vec<f32> = (engine.1.moments.iter().zip(&burn.1.moments))
            .map(|(a, b)| {
                assert_eq!(a.name, b.name);
                let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
                let difference = norm(&mut a.first.iter().zip(&b.first).map(|(a, b)| a - b));
                difference / norm(&mut a.first.iter().copied()).max(1e-12)
            })
            .collect();
        errors.sort_by(f32::total_cmp);
        let (median, most) = (errors[errors.len() / 2], errors[errors.len() * 95 / 100]);
        assert!(median < 1e-2 && most < 0.1, "{loss:?}: {median:e}, {most:e}");
        for ((name, _, a), (_, _, b)) in engine.2.iter().zip(burn.2.iter()).filter(|(a, _)| a.0.contains("running")) {
            close(a, b, 1e-3, name);
        }
    }
}

#[test]
fn observed_statistics_are_the_engines() {
    let [engine, burn] = [Backend::Cpu, Backend::Flex].map(|backend| {
        let options = TrainerOptions { threads: 2, ..TrainerOptions::default() };
        let mut network = train_executor(backend, parameters(1), options).unwrap();
        network.observe(&images(4), 4, SIZE, 1.0).unwrap();
        network.observe(&images(7)[3 * SIZE * SIZE..], 4, SIZE, 0.5).unwrap();
        network.parameters().unwrap()
    });
    for ((name, _, a), (_, _, b)) in engine.iter().zip(burn.iter()) {
        close(a, b, 1e-3, name);
    }
}

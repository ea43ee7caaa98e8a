//! Trains a network to tell images with a bright square from images without one, then predicts a new image and prints its class
//! activation map: the large numbers are where the square is.
#![expect(clippy::print_stdout, reason = "an example prints")]

use coxa_engine::{
    Architecture, EngineError, Parameters, Precision, Predictor, PredictorOptions, Trainer, TrainerOptions,
};

/// Pixels on a side; the map has a cell for every 32.
const SIZE: usize = 128;

fn main() -> Result<(), EngineError> {
    let parameters = Parameters::initialize(&Architecture::new(1), 1);
    let mut trainer = Trainer::new(parameters, TrainerOptions::default())?;
    for step in 0..30 {
        let (images, targets) = batch(step);
        let output = trainer.step(&images, &targets, None, SIZE)?;
        if step % 5 == 0 {
            println!("step {step:2}: loss {:.3}", output.loss);
        }
    }
    // Running statistics follow the batches slowly: let them be those of a few batches under the weights as they are now.
    for k in 1..=8u16 {
        let (images, targets) = batch(100 + usize::from(k));
        trainer.observe(&images, targets.len(), SIZE, 1.0 / f32::from(k))?;
    }

    let mut predictor = Predictor::new(&trainer.parameters(), Precision::F32, PredictorOptions::default())?;
    println!("{}", predictor.arithmetic());
    for (name, corner) in [("with a square at the lower left", Some((80, 16))), ("without a square", None)] {
        let output = predictor.run(&image(7, corner), 1, SIZE)?;
        println!("{name}: probability {:.2}", 1.0 / (1.0 + (-output.logits[0]).exp()));
        for row in output.maps.chunks(output.map_side) {
            println!("  {}", row.iter().map(|value| format!("{value:6.2}")).collect::<String>());
        }
    }
    Ok(())
}

/// Eight images, every other one with a square, and their targets.
fn batch(step: usize) -> (Vec<f32>, Vec<usize>) {
    let targets: Vec<usize> = (0..8).map(|i| i % 2).collect();
    let images = targets.iter().enumerate().flat_map(|(i, &target)| {
        let seed = 8 * step + i;
        let corner = (seed * 37 % (SIZE - 32), seed * 61 % (SIZE - 32));
        image(seed, (target == 1).then_some(corner))
    });
    (images.collect(), targets)
}

/// A noisy image, with a square of 24 × 24 pixels at (row, column).
fn image(seed: usize, corner: Option<(usize, usize)>) -> Vec<f32> {
    let noise = |i: usize| ((i * 7919 + seed * 104_729) % 1013) as f32 / 1013.0;
    let mut image: Vec<f32> = (0..SIZE * SIZE).map(|i| 0.4 * noise(i)).collect();
    if let Some((top, left)) = corner {
        for row in image.chunks_mut(SIZE).skip(top).take(24) {
            row[left..left + 24].iter_mut().for_each(|value| *value += 0.5);
        }
    }
    image
}

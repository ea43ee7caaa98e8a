//! Random numbers of a film: streams that depend on nothing but the seed, the film's index and the stream's purpose.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The generator used for everything that is drawn.
pub type FilmRng = ChaCha8Rng;

/// The purpose of a stream of random numbers. Streams are separate so that drawing a fracture changes nothing else: films of the
/// same seed and index have the same patient, pose, view and exposure whatever their class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Which class the film has.
    Class,
    /// Patient and anatomy.
    Patient,
    /// Positioning of patient, tube and detector, cropping.
    View,
    /// The fracture.
    Fracture,
    /// Hardware, gas, clothing and lines.
    Accessories,
    /// Exposure and quantum noise.
    Exposure,
    /// Image processing.
    Display,
    /// Texture of spongy bone and soft tissue.
    Texture,
    /// Labels and markers on the finished image.
    Annotation,
    /// Lines and texture of the femora.
    Relief,
}

/// The generator of one stream of one film.
#[must_use]
pub fn stream(seed: u64, index: u64, purpose: Stream) -> FilmRng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ index.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17));
    rng.set_stream(purpose as u64);
    rng
}

/// Uniform in `[low, high)`.
pub fn uniform(rng: &mut FilmRng, low: f32, high: f32) -> f32 {
    low + (high - low) * rng.random::<f32>()
}

/// True with probability `p`.
pub fn chance(rng: &mut FilmRng, p: f32) -> bool {
    rng.random::<f32>() < p
}

/// Normal with the given mean and standard deviation, cut at 2.5 standard deviations (Box–Muller).
pub fn normal(rng: &mut FilmRng, mean: f32, sd: f32) -> f32 {
    let (a, b) = (rng.random::<f32>().max(1e-7), rng.random::<f32>());
    let z = (-2.0 * a.ln()).sqrt() * (std::f32::consts::TAU * b).cos();
    mean + sd * z.clamp(-2.5, 2.5)
}

/// One of the items, each as likely as its weight.
pub fn choose<T: Copy>(rng: &mut FilmRng, items: &[(T, f32)]) -> T {
    let mut rest = rng.random::<f32>() * items.iter().map(|i| i.1).sum::<f32>();
    for (item, weight) in items {
        rest -= weight;
        if rest <= 0.0 {
            return *item;
        }
    }
    items[items.len() - 1].0
}

//! The predictor: from images to logits and class activation maps.

use super::calibration::Ranges;
use super::network::{Arithmetic, Network};
use super::pass::Pass;
use super::workspace::Workspace;
use crate::architecture::{FEATURES, LARGEST_SIZE, STRIDE};
use crate::cpu::{Isa, cpu};
use crate::error::EngineError;
use crate::kernels::Format;
use crate::parameters::Parameters;
use crate::threads::Pool;

/// The arithmetic of the 1×1 convolutions, which are two thirds of the work. The 3×3 convolutions are in f32 always: by Winograd's
/// method they take a quarter of the multiplications, which is as fast as bfloat16 or 8 bits would be, and loses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16 operands (rounded to nearest, ties to even), f32 sums. Processors without bfloat16 products compute the same in
    /// f32 on rounded operands, without a gain in speed: see [`Predictor::arithmetic`].
    Bf16,
    /// 8-bit operands scaled by a calibration ([`Predictor::calibrated`]), 32-bit sums.
    Int8,
}

/// How a predictor runs; its results do not depend on the threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PredictorOptions {
    /// Threads, the calling one included; 0 counts as 1.
    pub threads: usize,
    /// The instruction set of the kernels, which the processor must have.
    pub isa: Isa,
}

impl Default for PredictorOptions {
    /// Every processor, and its richest instruction set ([`Isa::preferred`]).
    fn default() -> Self {
        PredictorOptions { threads: cpu().threads, isa: Isa::preferred() }
    }
}

/// The network's output for some images.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The logits, [images × classes].
    pub logits: Vec<f32>,
    /// Width and height of the maps: image size / 32.
    pub map_side: usize,
    /// The class activation maps, [images × classes × side × side]: Σₖ wₖ Aₖ / side², whose rectified form is Grad-CAM; their sum
    /// is the logit without the bias, until [`Output::read_by_window`] makes it that of a part.
    pub maps: Vec<f32>,
    /// The mean of each channel of the last feature map, after its normalization and ReLU, over each quarter of the image, [images ×
    /// [`QUARTERS`] × [`FEATURES`]]: top left, top right, bottom left, bottom right. Of an odd number of rows or columns the middle one
    /// is in both halves.
    pub features: Vec<f32>,
}

/// Quarters of an image in [`Output::features`].
pub const QUARTERS: usize = 4;
/// Values of [`Output::features`] for each image.
pub(super) const FEATURES_PER_IMAGE: usize = QUARTERS * FEATURES;

/// The inference network: weights packed once, memory used again from call to call.
#[derive(Debug)]
pub struct Predictor {
    network: Network,
    precision: Precision,
    pool: Pool,
    workspace: Option<Workspace>,
}

impl Predictor {
    /// The network in f32 or bfloat16.
    ///
    /// # Errors
    /// An instruction set that the processor does not have; a network without outputs; weights that are not finite once their
    /// normalization is folded in; [`Precision::Int8`], which needs a calibration: see [`Predictor::calibrated`].
    pub fn new(parameters: &Parameters, precision: Precision, options: PredictorOptions) -> Result<Self, EngineError> {
        let arithmetic = match precision {
            Precision::F32 => Arithmetic::F32,
            Precision::Bf16 => Arithmetic::Bf16,
            Precision::Int8 => {
                let reason = "8-bit inference needs calibration images";
                return Err(EngineError::PrecisionUnavailable { precision: "int8", reason });
            }
        };
        Self::build(parameters, precision, arithmetic, options)
    }

    /// The network in 8-bit arithmetic ([`Precision::Int8`]), scaled by the values of its channels on calibration images: one or more
    /// of `size` × `size` values in 0..=1. Some tens of images of the kind to be classified are enough.
    ///
    /// # Errors
    /// As [`Predictor::new`], and when the size is not a positive multiple of 32, or the values are not whole images, or there is none.
    pub fn calibrated(
        parameters: &Parameters,
        calibration: &[f32],
        size: usize,
        options: PredictorOptions,
    ) -> Result<Self, EngineError> {
        let ranges = Self::ranges(parameters, calibration, size, options)?;
        Self::with_ranges(parameters, &ranges, options)
    }

    /// The ranges of the channels' values on calibration images, in f32: what [`Predictor::calibrated`] measures, to be kept.
    ///
    /// # Errors
    /// As [`Predictor::calibrated`].
    pub fn ranges(
        parameters: &Parameters,
        calibration: &[f32],
        size: usize,
        options: PredictorOptions,
    ) -> Result<Ranges, EngineError> {
        let mut reference = Self::new(parameters, Precision::F32, options)?;
        let mut ranges = Ranges::empty();
        let n = calibration.len() / size.saturating_mul(size).max(1);
        reference.forward(calibration, n, size, Some(&mut ranges))?;
        Ok(ranges)
    }

    /// The network in 8-bit arithmetic, scaled by ranges that were measured before.
    ///
    /// # Errors
    /// As [`Predictor::new`], and ranges that are not finite once a normalization is applied.
    pub fn with_ranges(
        parameters: &Parameters,
        ranges: &Ranges,
        options: PredictorOptions,
    ) -> Result<Self, EngineError> {
        Self::build(parameters, Precision::Int8, Arithmetic::Int8(ranges), options)
    }

    fn build(
        parameters: &Parameters,
        precision: Precision,
        arithmetic: Arithmetic<'_>,
        options: PredictorOptions,
    ) -> Result<Self, EngineError> {
        options.isa.check()?;
        if parameters.architecture().classes == 0 {
            return Err(EngineError::Option { option: "classes", value: "0".to_owned(), needed: "1 or more" });
        }
        let network = Network::new(parameters, options.isa, arithmetic)?;
        Ok(Predictor { network, precision, pool: Pool::new(options.threads), workspace: None })
    }

    /// Runs the network on `n` images of `size` × `size` values in 0..=1, one after the other.
    ///
    /// # Errors
    /// When the size is not a multiple of 32 from 32 to [`LARGEST_SIZE`], or the number of values is not n·size·size, or n is 0, or a
    /// value is not finite; and when an output is not, as weights too large bring about.
    pub fn run(&mut self, images: &[f32], n: usize, size: usize) -> Result<Output, EngineError> {
        self.forward(images, n, size, None)
    }

    /// The precision asked for.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// How it computes, in words: the instruction set and the arithmetic that the precision means there.
    pub fn arithmetic(&self) -> String {
        let weights = &self.network.blocks[0][0].conv1.weights;
        let numbers = match weights.format() {
            Format::F32 => "f32",
            Format::RoundedF32 => "bf16 emulated: operands rounded to bf16, products in f32",
            Format::Bf16 => "bf16 products in the 1×1 convolutions, f32 sums and 3×3 convolutions",
            Format::Int8 => "8-bit products in the 1×1 convolutions, f32 in the 3×3 convolutions",
        };
        format!("{}, {numbers}", weights.isa().name())
    }

    fn forward(
        &mut self,
        images: &[f32],
        n: usize,
        size: usize,
        mut ranges: Option<&mut Ranges>,
    ) -> Result<Output, EngineError> {
        check_images(images, n, size, STRIDE)?;
        // One that does not fit is gone before the next is made.
        let kept = self.workspace.take().filter(|workspace| workspace.fits(n, size));
        let mut workspace = kept.unwrap_or_else(|| Workspace::new(n, size, self.pool.threads(), &self.network));
        let map_side = size / STRIDE;
        let mut output = Output { logits: Vec::new(), map_side, maps: Vec::new(), features: Vec::new() };
        for group in images.chunks(workspace.group * size * size) {
            let pass = Pass { network: &self.network, pool: &self.pool, n: group.len() / (size * size), size };
            pass.forward(&mut workspace, group, ranges.as_deref_mut());
            pass.read_scores(&workspace, &mut output);
            pass.read_features(&workspace, &mut output);
        }
        self.workspace = Some(workspace);
        match output.logits.iter().position(|logit| !logit.is_finite()) {
            Some(index) => Err(EngineError::NotFinite { image: index * n / output.logits.len() }),
            None => Ok(output),
        }
    }
}

/// Checks that there are `n` images of `size` × `size` finite values: what every pass relies on, safe or not.
pub(crate) fn check_images(images: &[f32], n: usize, size: usize, minimum: usize) -> Result<(), EngineError> {
    if !(minimum..=LARGEST_SIZE).contains(&size) || !size.is_multiple_of(STRIDE) {
        return Err(EngineError::ImageSize { size, minimum });
    }
    let expected = n.saturating_mul(size * size);
    if n == 0 || images.len() != expected {
        return Err(EngineError::InputLength { images: n, size, expected, found: images.len() });
    }
    match images.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(EngineError::BadPixel { image: index / (size * size), value: images[index] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Architecture;

    /// Weights whose running statistics are not trivial, and an image.
    fn network() -> (Parameters, Vec<f32>) {
        let mut parameters = Parameters::initialize(&Architecture::new(3), 5);
        for (name, values) in parameters.iter_mut() {
            let offset = if name.ends_with("running_mean") || name.ends_with("norm1.bias") { 0.1 } else { 0.0 };
            values.iter_mut().enumerate().for_each(|(i, v)| *v += offset * ((i % 7) as f32 - 3.0));
        }
        let image = (0..64 * 64).map(|i| ((i * 37 + i / 64 * 11) % 101) as f32 / 100.0).collect();
        (parameters, image)
    }

    fn spread(values: &[f32]) -> f32 {
        values.iter().fold(0.0f32, |most, v| most.max(v.abs()))
    }

    fn difference(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()))
    }

    fn options(threads: usize, isa: Isa) -> PredictorOptions {
        PredictorOptions { threads, isa }
    }

    #[test]
    fn every_instruction_set_computes_the_same_network() {
        let (parameters, image) = network();
        let portable = |precision| {
            let mut predictor =
                Predictor::new(&parameters, precision, options(1, Isa::Portable)).expect("always there");
            predictor.run(&image, 1, 64).expect("a valid image")
        };
        let (f32s, bf16s) = (portable(Precision::F32), portable(Precision::Bf16));
        let scale = spread(&f32s.logits);
        let rounding = difference(&bf16s.logits, &f32s.logits) / scale;
        assert!(rounding > 1e-5 && rounding < 0.02, "bfloat16 rounds: {rounding}");
        for isa in Isa::testable() {
            for (precision, expected, tolerance) in [(Precision::F32, &f32s, 1e-5), (Precision::Bf16, &bf16s, 4e-3)] {
                let mut predictor = Predictor::new(&parameters, precision, options(2, isa)).expect("testable");
                let output = predictor.run(&image, 1, 64).expect("a valid image");
                let logits = difference(&output.logits, &expected.logits) / scale;
                let maps = difference(&output.maps, &expected.maps) / scale;
                if isa.is_emulated() && precision == Precision::F32 {
                    // The same operations on the same values: the shape of tiles and vectors changes no bit.
                    assert_eq!(&output, expected, "{}", isa.name());
                }
                assert!(logits < tolerance && maps < tolerance, "{} {precision:?}: {logits} {maps}", isa.name());
            }
        }
    }

    #[test]
    fn eight_bits_are_near_f32_on_every_instruction_set() {
        let (parameters, image) = network();
        let mut reference = Predictor::new(&parameters, Precision::F32, options(1, Isa::best())).expect("always there");
        let expected = reference.run(&image, 1, 64).expect("a valid image");
        for isa in Isa::testable() {
            let mut predictor = Predictor::calibrated(&parameters, &image, 64, options(2, isa)).expect("testable");
            let output = predictor.run(&image, 1, 64).expect("a valid image");
            let error = difference(&output.logits, &expected.logits) / spread(&expected.logits);
            println!("{}: {error}", isa.name());
            assert!(error > 0.0 && error < 0.05, "{}: {error}", isa.name());
        }
    }

    #[test]
    fn eight_bits_need_a_calibration() {
        let parameters = Parameters::initialize(&Architecture::new(1), 1);
        let error = Predictor::new(&parameters, Precision::Int8, options(1, Isa::best())).expect_err("no calibration");
        assert_eq!(error.to_string(), "int8: 8-bit inference needs calibration images");
        assert!(Predictor::calibrated(&parameters, &[], 64, options(1, Isa::best())).is_err());
        assert!(Predictor::calibrated(&parameters, &[0.0; 64 * 64 + 1], 64, options(1, Isa::best())).is_err());
    }
}

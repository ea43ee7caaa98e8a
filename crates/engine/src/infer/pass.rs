//! The forward pass, from top to bottom.

use super::calibration::Ranges;
use super::convolution::Convolution;
use super::network::{DenseLayer, Head, Network};
use super::predictor::Output;
use super::workspace::{Workspace, side};
use crate::architecture::{Architecture, BLOCKS, BOTTLENECK, FEATURES, GROWTH};
use crate::kernels::{
    Gather, MatrixC, PIXELS, Pointwise, STEM_PAD, Stem, TILES, Winograd, pointwise, stem, tiles_per_side, winograd,
};
use crate::threads::{Pool, SharedMut, even_range};

/// One group of images on its way through the network.
pub(super) struct Pass<'a> {
    pub network: &'a Network,
    pub pool: &'a Pool,
    /// Images in the group.
    pub n: usize,
    pub size: usize,
}

impl Pass<'_> {
    /// From the images to the classifier's scores at each pixel of the last feature map. `ranges`, if given, takes in each
    /// block's values.
    pub fn forward(&self, workspace: &mut Workspace, images: &[f32], mut ranges: Option<&mut Ranges>) {
        let Workspace { padded, blocks, bottleneck, scores, scratch, .. } = workspace;
        let scratch: Vec<SharedMut<f32>> = scratch.iter_mut().map(|s| SharedMut::new(s)).collect();
        let [odd, even] = blocks;
        let (mut now, mut next) = (SharedMut::new(odd), SharedMut::new(even));
        let bottleneck = SharedMut::new(bottleneck);
        self.pad(images, padded);
        self.stem(padded, now, &scratch);
        for (block, layers) in self.network.blocks.iter().enumerate() {
            for (index, layer) in layers.iter().enumerate() {
                self.dense_layer(block, index, layer, now, bottleneck, &scratch);
            }
            if let Some(ranges) = ranges.as_deref_mut() {
                let values = self.n * side(self.size, block).pow(2) * Architecture::block_output(block);
                // SAFETY: the buffer holds the block's pixels, and no loop is running.
                ranges.take_in(block, unsafe { now.part(0, values) });
            }
            if let Some(transition) = self.network.transitions.get(block) {
                self.transition(block, transition, now, next, &scratch);
                std::mem::swap(&mut now, &mut next);
            }
        }
        self.head(&self.network.head.classifier, now, SharedMut::new(scores), &scratch);
    }

    fn pad(&self, images: &[f32], padded: &mut [f32]) {
        let (size, width) = (self.size, self.size + 2 * STEM_PAD);
        for (image, padded) in images.chunks_exact(size * size).zip(padded.chunks_exact_mut(width * width)) {
            for (row, padded) in image.chunks_exact(size).zip(padded.chunks_exact_mut(width).skip(STEM_PAD)) {
                padded[STEM_PAD..STEM_PAD + size].copy_from_slice(row);
            }
        }
    }

    /// The stem of all images, into the first channels of the first block's buffer.
    fn stem(&self, padded: &[f32], block: SharedMut<f32>, scratch: &[SharedMut<f32>]) {
        const ROWS: usize = 8;
        let side = side(self.size, 0);
        let bands = side.div_ceil(ROWS);
        let channels = Architecture::block_output(0);
        self.pool.run(self.n * bands, &|band, thread| {
            let (image, band) = (band / bands, band % bands);
            let first = band * ROWS;
            // SAFETY: the band's rows are this tile's alone, and the scratch memory is this thread's.
            unsafe {
                stem(Stem {
                    image: padded.as_ptr().add(image * (self.size + 2 * STEM_PAD).pow(2)),
                    size: self.size,
                    first,
                    rows: ROWS.min(side - first),
                    weights: &self.network.stem,
                    bias: &self.network.stem_bias,
                    output: block.ptr().add(image * side * side * channels),
                    output_stride: channels,
                    scratch: scratch[thread].ptr(),
                });
            }
        });
    }

    /// One dense layer: reads the channels so far, writes the next 32 beside them.
    fn dense_layer(
        &self,
        block: usize,
        index: usize,
        layer: &DenseLayer,
        buffer: SharedMut<f32>,
        bottleneck: SharedMut<f32>,
        scratch: &[SharedMut<f32>],
    ) {
        let side = side(self.size, block);
        let (pixels, channels) = (self.n * side * side, Architecture::block_output(block));
        let chunks = self.chunks(pixels, PIXELS);
        self.pool.run(chunks, &|chunk, thread| {
            let range = even_range(pixels, chunks, chunk);
            // SAFETY: the bottleneck's rows of this range are this tile's alone; the block's channels so far are only read.
            unsafe {
                pointwise(Pointwise {
                    rows: range.len(),
                    input: buffer.ptr(),
                    input_stride: channels,
                    gather: Gather::Pixels { first: range.start },
                    scale: &layer.conv1.norm.scale,
                    shift: &layer.conv1.norm.shift,
                    weights: &layer.conv1.weights,
                    output: MatrixC {
                        ptr: bottleneck.ptr().add(range.start * BOTTLENECK),
                        row_stride: BOTTLENECK,
                    },
                    epilogue: layer.conv1.epilogue(),
                    scratch: scratch[thread].ptr(),
                });
            }
        });
        let offset = Architecture::block_input(block) + index * GROWTH;
        let tiles = self.n * tiles_per_side(side).pow(2);
        let chunks = self.chunks(tiles, TILES);
        self.pool.run(chunks, &|chunk, thread| {
            let range = even_range(tiles, chunks, chunk);
            // SAFETY: the new channels of this range's pixels are this tile's alone; the bottleneck is only read.
            unsafe {
                winograd(Winograd {
                    input: bottleneck.ptr(),
                    side,
                    first: range.start,
                    tiles: range.len(),
                    weights: &layer.conv2,
                    output: buffer.ptr().add(offset),
                    output_stride: channels,
                    scratch: scratch[thread].ptr(),
                });
            }
        });
    }

    fn transition(
        &self,
        block: usize,
        transition: &Convolution,
        from: SharedMut<f32>,
        to: SharedMut<f32>,
        scratch: &[SharedMut<f32>],
    ) {
        let side = side(self.size, block + 1);
        let (pixels, stride) = (self.n * side * side, Architecture::block_output(block + 1));
        let chunks = self.chunks(pixels, PIXELS);
        self.pool.run(chunks, &|chunk, thread| {
            let range = even_range(pixels, chunks, chunk);
            // SAFETY: the next block's pixels of this range are this tile's alone; the present block is only read.
            unsafe {
                pointwise(Pointwise {
                    rows: range.len(),
                    input: from.ptr(),
                    input_stride: Architecture::block_output(block),
                    gather: Gather::Pooled { first: range.start, side },
                    scale: &transition.norm.scale,
                    shift: &transition.norm.shift,
                    weights: &transition.weights,
                    output: MatrixC { ptr: to.ptr().add(range.start * stride), row_stride: stride },
                    epilogue: transition.epilogue(),
                    scratch: scratch[thread].ptr(),
                });
            }
        });
    }

    /// The classifier at each pixel of the last feature map; its mean over the pixels is the logit.
    fn head(&self, classifier: &Convolution, from: SharedMut<f32>, scores: SharedMut<f32>, scratch: &[SharedMut<f32>]) {
        let pixels = self.n * side(self.size, BLOCKS.len() - 1).pow(2);
        let width = classifier.weights.n();
        let chunks = self.chunks(pixels, PIXELS);
        self.pool.run(chunks, &|chunk, thread| {
            let range = even_range(pixels, chunks, chunk);
            // SAFETY: the scores of this range are this tile's alone; the block is only read.
            unsafe {
                pointwise(Pointwise {
                    rows: range.len(),
                    input: from.ptr(),
                    input_stride: FEATURES,
                    gather: Gather::Pixels { first: range.start },
                    scale: &classifier.norm.scale,
                    shift: &classifier.norm.shift,
                    weights: &classifier.weights,
                    output: MatrixC { ptr: scores.ptr().add(range.start * width), row_stride: width },
                    epilogue: classifier.epilogue(),
                    scratch: scratch[thread].ptr(),
                });
            }
        });
    }

    /// Appends the group's logits and maps to the output.
    pub fn read_scores(&self, workspace: &Workspace, output: &mut Output) {
        let Head { bias, classes, classifier, .. } = &self.network.head;
        let area = output.map_side * output.map_side;
        let width = classifier.weights.n();
        for image in workspace.scores.chunks_exact(area * width).take(self.n) {
            for class in 0..*classes {
                let mut sum = 0.0f64;
                for pixel in image.chunks_exact(width) {
                    sum += f64::from(pixel[class]);
                    output.maps.push(pixel[class] / area as f32);
                }
                output.logits.push((sum / area as f64) as f32 + bias[class]);
            }
        }
    }

    /// How many chunks of at most `most` to cut `total` into: a multiple of the threads, so that they end together.
    fn chunks(&self, total: usize, most: usize) -> usize {
        total.div_ceil(most).next_multiple_of(self.pool.threads()).min(total)
    }
}

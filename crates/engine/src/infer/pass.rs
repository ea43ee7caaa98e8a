//! The forward pass, from top to bottom.

use std::ops::Range;

use super::calibration::Ranges;
use super::convolution::Convolution;
use super::network::{DenseLayer, Head, Network};
use super::predictor::Output;
use super::workspace::{Workspace, in_bands, side};
use crate::architecture::{Architecture, BLOCKS, BOTTLENECK, FEATURES, GROWTH};
use crate::kernels::{
    Gather, MatrixC, PIXELS, Pointwise, RING, Rows, Stem, TILE, TILES, Winograd, pad_images, padded_side, pointwise,
    stem, tiles_per_side, winograd,
};
use crate::threads::{Pool, SharedMut, even_range};

/// A dense layer at work.
#[derive(Clone, Copy)]
struct Layer<'a> {
    weights: &'a DenseLayer,
    /// Width and height of the feature maps.
    side: usize,
    /// Channels of the block's buffer.
    channels: usize,
    /// The first of the channels that the layer adds.
    first_output: usize,
    buffer: SharedMut<f32>,
    bottleneck: SharedMut<f32>,
}

/// One thread's memory.
#[derive(Clone, Copy)]
struct Scratch {
    /// What kernels work in.
    work: SharedMut<f32>,
    /// Some rows of a band's bottleneck.
    ring: SharedMut<f32>,
}

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
        let scratch: Vec<Scratch> = scratch
            .iter_mut()
            .map(|(work, ring)| Scratch { work: SharedMut::new(work), ring: SharedMut::new(ring) })
            .collect();
        let [odd, even] = blocks;
        let (mut now, mut next) = (SharedMut::new(odd), SharedMut::new(even));
        let bottleneck = SharedMut::new(bottleneck);
        pad_images(images, self.size, padded);
        self.stem(padded, now, &scratch);
        for (block, layers) in self.network.blocks.iter().enumerate() {
            for (index, layer) in layers.iter().enumerate() {
                let layer = Layer {
                    weights: layer,
                    side: side(self.size, block),
                    channels: Architecture::block_output(block),
                    first_output: Architecture::block_input(block) + index * GROWTH,
                    buffer: now,
                    bottleneck,
                };
                self.dense_layer(layer, &scratch);
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

    /// The stem of all images, into the first channels of the first block's buffer.
    fn stem(&self, padded: &[f32], block: SharedMut<f32>, scratch: &[Scratch]) {
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
                    image: padded.as_ptr().add(image * padded_side(self.size).pow(2)),
                    size: self.size,
                    first,
                    rows: ROWS.min(side - first),
                    weights: &self.network.stem,
                    bias: &self.network.stem_bias,
                    output: block.ptr().add(image * side * side * channels),
                    output_stride: channels,
                    scratch: scratch[thread].work.ptr(),
                });
            }
        });
    }

    /// One dense layer: reads the channels so far, writes the next 32 beside them.
    fn dense_layer(&self, layer: Layer<'_>, scratch: &[Scratch]) {
        // Bands of rows, each with a bottleneck of its own that stays in the cache; the two rows between bands are computed
        // twice, so bands must be high.
        let bands = self.pool.threads();
        if in_bands(layer.side, bands) {
            self.pool.run(self.n * bands, &|band, thread| {
                let rows = even_range(tiles_per_side(layer.side), bands, band % bands);
                self.band(layer, band / bands, rows, scratch[thread]);
            });
        } else {
            self.whole_layer(layer, scratch);
        }
    }

    /// The rows of tiles `tile_rows` of one image, both convolutions.
    fn band(&self, layer: Layer<'_>, image: usize, tile_rows: Range<usize>, scratch: Scratch) {
        let side = layer.side;
        let per_side = tiles_per_side(side);
        let mut done = (tile_rows.start * TILE).saturating_sub(1);
        for tile_row in tile_rows {
            let last = (tile_row * TILE + TILE + 1).min(side);
            while done < last {
                // Rows of one image whose places in the ring lie together.
                let place = done.wrapping_sub(1) % RING;
                let rows = (last - done).min(RING - place);
                let pixels = (image * side + done) * side..(image * side + done + rows) * side;
                let output = scratch.ring.ptr().wrapping_add(place * side * BOTTLENECK);
                let more = (last + TILE).min(side) > last;
                self.conv1(layer, pixels, output, if more { PIXELS } else { 0 }, scratch);
                done += rows;
            }
            let first = tile_row * per_side;
            let offset = image * side * side * layer.channels;
            for tiles in chunks(first..first + per_side, TILES) {
                self.conv2(layer, scratch.ring.ptr(), Rows::Ring, offset, tiles, scratch);
            }
        }
    }

    /// All pixels of the first convolution, then all tiles of the second: small feature maps.
    fn whole_layer(&self, layer: Layer<'_>, scratch: &[Scratch]) {
        let pixels = self.n * layer.side * layer.side;
        let parts = self.parts(pixels, PIXELS);
        self.pool.run(parts, &|part, thread| {
            let range = even_range(pixels, parts, part);
            let output = layer.bottleneck.ptr().wrapping_add(range.start * BOTTLENECK);
            self.conv1(layer, range, output, 0, scratch[thread]);
        });
        let tiles = self.n * tiles_per_side(layer.side).pow(2);
        let parts = self.parts(tiles, TILES);
        self.pool.run(parts, &|part, thread| {
            let range = even_range(tiles, parts, part);
            self.conv2(layer, layer.bottleneck.ptr(), Rows::All, 0, range, scratch[thread]);
        });
    }

    /// The first convolution of some pixels; `ahead` pixels after them are read next.
    fn conv1(&self, layer: Layer<'_>, pixels: Range<usize>, output: *mut f32, ahead: usize, scratch: Scratch) {
        let conv1 = &layer.weights.conv1;
        let (start, end) = (pixels.start, pixels.end);
        for chunk in chunks(pixels, PIXELS) {
            // SAFETY: the rows of the output are the calling tile's alone; the block's channels so far are only read.
            unsafe {
                pointwise(Pointwise {
                    rows: chunk.len(),
                    input: layer.buffer.ptr(),
                    input_stride: layer.channels,
                    gather: Gather::Pixels { first: chunk.start },
                    ahead: (end - chunk.end + ahead).min(PIXELS),
                    scale: &conv1.norm.scale,
                    shift: &conv1.norm.shift,
                    weights: &conv1.weights,
                    output: MatrixC { ptr: output.add((chunk.start - start) * BOTTLENECK), row_stride: BOTTLENECK },
                    epilogue: conv1.epilogue(),
                    scratch: scratch.work.ptr(),
                });
            }
        }
    }

    /// The second convolution of some tiles, from a bottleneck; `offset` is where the output's first image begins.
    fn conv2(
        &self,
        layer: Layer<'_>,
        bottleneck: *const f32,
        rows: Rows,
        offset: usize,
        tiles: Range<usize>,
        scratch: Scratch,
    ) {
        // SAFETY: the new channels of these tiles' pixels are the calling tile's alone; the bottleneck is only read.
        unsafe {
            winograd(Winograd {
                input: bottleneck,
                rows,
                side: layer.side,
                first: tiles.start,
                tiles: tiles.len(),
                weights: &layer.weights.conv2,
                output: layer.buffer.ptr().add(offset + layer.first_output),
                output_stride: layer.channels,
                scratch: scratch.work.ptr(),
            });
        }
    }

    fn transition(
        &self,
        block: usize,
        transition: &Convolution,
        from: SharedMut<f32>,
        to: SharedMut<f32>,
        scratch: &[Scratch],
    ) {
        let side = side(self.size, block + 1);
        let (pixels, stride) = (self.n * side * side, Architecture::block_output(block + 1));
        let parts = self.parts(pixels, PIXELS);
        self.pool.run(parts, &|part, thread| {
            let range = even_range(pixels, parts, part);
            // SAFETY: the next block's pixels of this range are this tile's alone; the present block is only read.
            unsafe {
                pointwise(Pointwise {
                    rows: range.len(),
                    input: from.ptr(),
                    input_stride: Architecture::block_output(block),
                    gather: Gather::Pooled { first: range.start, side },
                    ahead: 0,
                    scale: &transition.norm.scale,
                    shift: &transition.norm.shift,
                    weights: &transition.weights,
                    output: MatrixC { ptr: to.ptr().add(range.start * stride), row_stride: stride },
                    epilogue: transition.epilogue(),
                    scratch: scratch[thread].work.ptr(),
                });
            }
        });
    }

    /// The classifier at each pixel of the last feature map; its mean over the pixels is the logit.
    fn head(&self, classifier: &Convolution, from: SharedMut<f32>, scores: SharedMut<f32>, scratch: &[Scratch]) {
        let pixels = self.n * side(self.size, BLOCKS.len() - 1).pow(2);
        let width = classifier.weights.n();
        let parts = self.parts(pixels, PIXELS);
        self.pool.run(parts, &|part, thread| {
            let range = even_range(pixels, parts, part);
            // SAFETY: the scores of this range are this tile's alone; the block is only read.
            unsafe {
                pointwise(Pointwise {
                    rows: range.len(),
                    input: from.ptr(),
                    input_stride: FEATURES,
                    gather: Gather::Pixels { first: range.start },
                    ahead: 0,
                    scale: &classifier.norm.scale,
                    shift: &classifier.norm.shift,
                    weights: &classifier.weights,
                    output: MatrixC { ptr: scores.ptr().add(range.start * width), row_stride: width },
                    epilogue: classifier.epilogue(),
                    scratch: scratch[thread].work.ptr(),
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

    /// Appends the group's features to the output.
    pub fn read_features(&self, workspace: &Workspace, output: &mut Output) {
        let norm = &self.network.head.classifier.norm;
        let side = output.map_side;
        let halves = [0..side.div_ceil(2), side / 2..side];
        let share = 1.0 / (halves[0].len() * halves[0].len()) as f32;
        // Blocks and buffers alternate, so the last of four blocks is in the second buffer.
        for image in workspace.blocks[1].chunks_exact(side * side * FEATURES).take(self.n) {
            for (rows, columns) in halves.iter().flat_map(|rows| halves.iter().map(move |columns| (rows, columns))) {
                let first = output.features.len();
                output.features.resize(first + FEATURES, 0.0);
                let sums = &mut output.features[first..];
                for pixel in rows.clone().flat_map(|row| columns.clone().map(move |column| row * side + column)) {
                    let values = &image[pixel * FEATURES..][..FEATURES];
                    let lines = norm.scale.iter().zip(norm.shift.iter());
                    for ((sum, value), (scale, shift)) in sums.iter_mut().zip(values).zip(lines) {
                        *sum += (value * scale + shift).max(0.0);
                    }
                }
                sums.iter_mut().for_each(|sum| *sum *= share);
            }
        }
    }

    /// How many parts of at most `most` to cut `total` into: a multiple of the threads, so that they end together.
    fn parts(&self, total: usize, most: usize) -> usize {
        total.div_ceil(most).next_multiple_of(self.pool.threads()).min(total)
    }
}

/// A range in pieces of `size`, the last one shorter.
fn chunks(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    range.clone().step_by(size).map(move |start| start..range.end.min(start + size))
}

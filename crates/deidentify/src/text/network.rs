//! The network: two strided convolutions, then five pairs of a depthwise convolution (dilated by 1, 2, 4, 2 and 1) and a pointwise one with a
//! residual sum, then the logit of each cell. `bench/text_network.py` trains it and defines the same.
//!
//! Only tiles in which something varies are computed; around them, everything is zero.

use super::scale::{Scale, TILE};

/// The side of a cell in pixels.
pub(super) const CELL: usize = 4;
const STEM: usize = 8;
const CHANNELS: usize = 16;
const DILATIONS: [usize; 5] = [1, 2, 4, 2, 1];
/// Cells of zeros around a map.
const BORDER: usize = 4;
/// Cells along the side of a tile.
const TILE_CELLS: usize = TILE / CELL;

type Stem = [f32; STEM];
type Cell = [f32; CHANNELS];

/// Logits of the cells of a film; those that were not judged are far below any threshold.
pub(super) struct Cells {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) logits: Vec<f32>,
}

/// The weights.
#[derive(Debug, Clone)]
pub(super) struct Network {
    first: Vec<Stem>,
    first_bias: Stem,
    second: Vec<[Cell; STEM]>,
    second_bias: Cell,
    blocks: Vec<Block>,
    head: Cell,
    head_bias: f32,
}

#[derive(Debug, Clone)]
struct Block {
    dilation: usize,
    depthwise: Vec<Cell>,
    depthwise_bias: Cell,
    pointwise: Vec<Cell>,
    pointwise_bias: Cell,
}

/// A map of cells with a border of zeros.
struct Map {
    cells: Vec<Cell>,
    stride: usize,
}

impl Map {
    fn new(rows: usize, columns: usize) -> Self {
        let stride = columns + 2 * BORDER;
        Self { cells: vec![[0.0; CHANNELS]; (rows + 2 * BORDER) * stride], stride }
    }

    /// The place of a cell.
    fn at(&self, row: usize, column: usize) -> usize {
        (row + BORDER) * self.stride + column + BORDER
    }
}

static WEIGHTS: &[u8] = include_bytes!("../../data/text_network.bin");

impl Network {
    /// The weights that come with the program.
    pub(super) fn shipped() -> Self {
        let mut numbers = WEIGHTS.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        let network = Self {
            first: (0..25).map(|_| array(&mut numbers)).collect(),
            first_bias: array(&mut numbers),
            second: (0..9).map(|_| std::array::from_fn(|_| array(&mut numbers))).collect(),
            second_bias: array(&mut numbers),
            blocks: DILATIONS.map(|dilation| Block::read(dilation, &mut numbers)).into(),
            head: array(&mut numbers),
            head_bias: numbers.next().unwrap_or_default(),
        };
        debug_assert!(numbers.next().is_none(), "the file of weights is longer than the network");
        network
    }

    /// Judges the cells of a film.
    pub(super) fn cells(&self, film: &Scale) -> Cells {
        let [rows, columns] = [film.rows, film.columns].map(|n| n.div_ceil(2).div_ceil(2));
        let tiles: Vec<Tile> = film.tiles().map(|(y, x)| Tile::new(y / CELL, x / CELL, rows, columns)).collect();
        let mut logits = vec![f32::MIN; rows * columns];
        if tiles.is_empty() {
            return Cells { rows, columns, logits };
        }
        let (mut map, mut next) = (Map::new(rows, columns), Map::new(rows, columns));
        tiles.iter().for_each(|tile| self.stem(film, *tile, &mut map));
        for block in &self.blocks {
            tiles.iter().for_each(|tile| block.apply(*tile, &map, &mut next));
            std::mem::swap(&mut map, &mut next);
        }
        for tile in tiles {
            for row in tile.rows() {
                for column in tile.columns() {
                    let cell = &map.cells[map.at(row, column)];
                    let dot: f32 = cell.iter().zip(&self.head).map(|(a, b)| a * b).sum();
                    logits[row * columns + column] = dot + self.head_bias;
                }
            }
        }
        Cells { rows, columns, logits }
    }

    /// The two strided convolutions over a tile.
    fn stem(&self, film: &Scale, tile: Tile, map: &mut Map) {
        const SIDE: usize = 2 * TILE_CELLS + 1;
        const PIXELS: usize = 2 * SIDE + 3;
        // A pixel (y, x) of the window is the film's (4·row − 4 + y, 4·column − 4 + x).
        let mut window = vec![0.0; PIXELS * PIXELS];
        let (top, left) = (CELL * tile.row, CELL * tile.column);
        for y in 0..PIXELS {
            let Some(row) = (top + y).checked_sub(4).filter(|row| *row < film.rows) else { continue };
            let (from, to) = (left.saturating_sub(4), (left + PIXELS - 4).min(film.columns));
            let start = y * PIXELS + from + 4 - left;
            window[start..start + to - from].copy_from_slice(&film.values[row * film.columns..][from..to]);
        }
        let half = [film.rows.div_ceil(2), film.columns.div_ceil(2)];
        let mut inner: Vec<Stem> = vec![[0.0; STEM]; SIDE * SIDE];
        for y in 0..SIDE {
            for x in 0..SIDE {
                // Outside of the film the second convolution sees zeros.
                let is_inside = |at: usize, first: usize, most: usize| (1..=most).contains(&(2 * first + at));
                if is_inside(y, tile.row, half[0]) && is_inside(x, tile.column, half[1]) {
                    inner[y * SIDE + x] = self.first_at(&window[2 * y * PIXELS + 2 * x..], PIXELS);
                }
            }
        }
        for row in tile.rows() {
            for column in tile.columns() {
                let (y, x) = (2 * (row - tile.row), 2 * (column - tile.column));
                let at = map.at(row, column);
                map.cells[at] = self.second_at(&inner[y * SIDE + x..], SIDE);
            }
        }
    }

    fn first_at(&self, window: &[f32], stride: usize) -> Stem {
        let mut sum = self.first_bias;
        for (y, weights) in self.first.chunks_exact(5).enumerate() {
            for (value, weights) in window[y * stride..y * stride + 5].iter().zip(weights) {
                sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
            }
        }
        sum.map(|value| value.max(0.0))
    }

    fn second_at(&self, inner: &[Stem], stride: usize) -> Cell {
        let mut sum = self.second_bias;
        for (y, weights) in self.second.chunks_exact(3).enumerate() {
            for (values, weights) in inner[y * stride..y * stride + 3].iter().zip(weights) {
                for (value, weights) in values.iter().zip(weights) {
                    sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
                }
            }
        }
        sum.map(|value| value.max(0.0))
    }
}

impl Block {
    fn read(dilation: usize, numbers: &mut impl Iterator<Item = f32>) -> Self {
        Self {
            dilation,
            depthwise: (0..9).map(|_| array(numbers)).collect(),
            depthwise_bias: array(numbers),
            pointwise: (0..CHANNELS).map(|_| array(numbers)).collect(),
            pointwise_bias: array(numbers),
        }
    }

    fn apply(&self, tile: Tile, map: &Map, next: &mut Map) {
        let stride = map.stride;
        for row in tile.rows() {
            for column in tile.columns() {
                let at = map.at(row, column);
                let corner = at - self.dilation * (stride + 1);
                let mut sum = self.depthwise_bias;
                for (n, weights) in self.depthwise.iter().enumerate() {
                    let cell = &map.cells[corner + self.dilation * (n / 3 * stride + n % 3)];
                    for c in 0..CHANNELS {
                        sum[c] += cell[c] * weights[c];
                    }
                }
                let mut out = self.pointwise_bias;
                for (value, weights) in sum.iter().zip(&self.pointwise) {
                    let value = value.max(0.0);
                    for c in 0..CHANNELS {
                        out[c] += value * weights[c];
                    }
                }
                let cell = &map.cells[at];
                next.cells[at] = std::array::from_fn(|c| (out[c] + cell[c]).max(0.0));
            }
        }
    }
}

/// Cells of a tile.
#[derive(Clone, Copy)]
struct Tile {
    row: usize,
    column: usize,
    end: (usize, usize),
}

impl Tile {
    fn new(row: usize, column: usize, rows: usize, columns: usize) -> Self {
        Self { row, column, end: ((row + TILE_CELLS).min(rows), (column + TILE_CELLS).min(columns)) }
    }

    fn rows(self) -> std::ops::Range<usize> {
        self.row..self.end.0
    }

    fn columns(self) -> std::ops::Range<usize> {
        self.column..self.end.1
    }
}

fn array<const N: usize>(numbers: &mut impl Iterator<Item = f32>) -> [f32; N] {
    std::array::from_fn(|_| numbers.next().unwrap_or_default())
}

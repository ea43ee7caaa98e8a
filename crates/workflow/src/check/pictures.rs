//! Pictures of a check: hips at one scale, and what was pasted.

use coxa_imaging::encode::{EncodeError, png_gray8_to_vec};

use super::hip::{HipFrame, Local, Plane};
use super::moves::FilmHip;
use super::paste::{PARTS, paste};

/// Pixels a head radius on the page.
const RADIUS: f32 = 38.0;
/// What is shown of a hip's frame: to the side, and down.
const ACROSS: Local = [-2.2, 3.2];
const DOWN: Local = [-2.2, 4.2];
/// Hips in a row.
const COLUMNS: usize = 6;
/// Black between pictures.
const GAP: usize = 4;

/// A picture of pictures.
struct Sheet {
    columns: usize,
    tiles: Vec<Vec<u8>>,
}

fn tile_size() -> [usize; 2] {
    [ACROSS, DOWN].map(|[low, high]| ((high - low) * RADIUS) as usize)
}

/// The hip as on a film of the patient's right side, its window set by what is seen; black beyond the film.
fn tile(plane: &Plane, hip: &impl HipFrame) -> Vec<u8> {
    let ([width, height], (radius, _)) = (tile_size(), hip.axes());
    let value = |i: usize| {
        // Away from the body is to the left, as on films of right hips.
        let (x, y) = ((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
        plane.mean_at(hip.on_film([ACROSS[1] - x / RADIUS, DOWN[0] + y / RADIUS]), radius / RADIUS)
    };
    let values: Vec<Option<f32>> = (0..width * height).map(value).collect();
    let mut seen: Vec<f32> = values.iter().flatten().copied().collect();
    seen.sort_by(f32::total_cmp);
    let at = |q: f32| seen.get((q * (seen.len().max(1) - 1) as f32) as usize).copied().unwrap_or(0.0);
    let (low, high) = (at(0.02), at(0.998));
    let gray = |q: f32| ((q - low) / (high - low).max(1.0) * 255.0).clamp(0.0, 255.0) as u8;
    values.into_iter().map(|q| q.map_or(0, gray)).collect()
}

impl Sheet {
    fn png(&self) -> Result<Vec<u8>, EncodeError> {
        let [tile_width, tile_height] = tile_size();
        let rows = self.tiles.len().div_ceil(self.columns).max(1);
        let (width, height) = (self.columns * (tile_width + GAP), rows * (tile_height + GAP));
        let mut pixels = vec![0; width * height];
        for (n, tile) in self.tiles.iter().enumerate() {
            let corner = (n / self.columns) * (tile_height + GAP) * width + (n % self.columns) * (tile_width + GAP);
            for (y, row) in tile.chunks_exact(tile_width).enumerate() {
                pixels[corner + y * width..][..tile_width].copy_from_slice(row);
            }
        }
        png_gray8_to_vec(width, height, &pixels)
    }
}

/// Hips at one scale, [`COLUMNS`] in a row, of different films as far as there are any.
///
/// # Errors
/// A picture that cannot be encoded.
pub(super) fn hips(hips: &[FilmHip<'_>], rows: usize) -> Result<Vec<u8>, EncodeError> {
    let tiles = hips.iter().take(COLUMNS * rows).map(|known| tile(&known.film.plane, known.hip));
    Sheet { columns: COLUMNS, tiles: tiles.collect() }.png()
}

/// A film's hip, then each part of the donor's hip in it.
///
/// # Errors
/// A picture that cannot be encoded.
pub(super) fn pasted(film: &FilmHip<'_>, donor: &FilmHip<'_>) -> Result<Vec<u8>, EncodeError> {
    let mut tiles = vec![tile(&film.film.plane, film.hip), tile(&donor.film.plane, donor.hip)];
    for part in &PARTS {
        let plane = paste(&film.film.plane, film.hip, &donor.film.plane, donor.hip, part);
        tiles.extend(plane.map(|plane| tile(&plane, film.hip)));
    }
    Sheet { columns: COLUMNS, tiles }.png()
}

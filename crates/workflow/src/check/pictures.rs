//! Pictures of a check: hips at one scale, their means, and what was pasted.

use coxa_imaging::encode::{EncodeError, png_gray8_to_vec};
use coxa_simulate::film::beam::gaussian_blur;

use super::hip::{HipFrame, Local, Plane};
use super::moves::FilmHip;
use super::paste::{Bend, PARTS, paste};

/// Pixels a head radius on the page.
const RADIUS: f32 = 38.0;
/// What is shown of a hip's frame: to the side, and down.
const ACROSS: Local = [-2.2, 3.2];
const DOWN: Local = [-2.2, 4.2];
/// Hips in a row.
const COLUMNS: usize = 6;
/// Standard deviations of the Gaussians that a mean hip is finer than, and within which its contrast is evened out, head radii.
const DETAIL: f32 = 0.5;
const SURROUNDINGS: f32 = 1.0;
/// Gray levels that are noise.
const NOISE: f32 = 3.0;
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

/// The hip as on a film of the patient's right side; `None` beyond the film.
fn values(plane: &Plane, hip: &impl HipFrame) -> Vec<Option<f32>> {
    let ([width, height], (radius, _)) = (tile_size(), hip.axes());
    let value = |i: usize| {
        // Away from the body is to the left, as on films of right hips.
        let (x, y) = ((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
        plane.mean_at(hip.on_film([ACROSS[1] - x / RADIUS, DOWN[0] + y / RADIUS]), radius / RADIUS)
    };
    (0..width * height).map(value).collect()
}

/// [`values`] as gray levels, the window set by what is seen; black beyond the film.
fn tile(plane: &Plane, hip: &impl HipFrame) -> Vec<u8> {
    let values = values(plane, hip);
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
    let bend = Bend::between(film.shaft(), donor.shaft());
    for part in &PARTS {
        let plane = paste(film.place(), donor.place(), bend, part);
        tiles.extend(plane.map(|plane| tile(&plane, film.hip)));
    }
    Sheet { columns: COLUMNS, tiles }.png()
}

/// The mean real hip, the mean simulated one, and the first less the second, so that gray is no difference: what is finer than
/// [`DETAIL`], its contrast evened out, so that every film counts the same.
///
/// # Errors
/// A picture that cannot be encoded.
pub(super) fn means(real: &[FilmHip<'_>], simulated: &[FilmHip<'_>]) -> Result<Vec<u8>, EncodeError> {
    let (real, simulated) = (mean(real), mean(simulated));
    let difference: Vec<f32> = real.iter().zip(&simulated).map(|(a, b)| a - b).collect();
    let gray = |values: &[f32]| values.iter().map(|q| (127.5 + 85.0 * q).clamp(0.0, 255.0) as u8).collect();
    Sheet { columns: 3, tiles: [real, simulated, difference].map(|values| gray(&values)).into() }.png()
}

/// The mean detail of hips at each place, over those that show it; 0 where none does.
fn mean(hips: &[FilmHip<'_>]) -> Vec<f32> {
    let [width, height] = tile_size();
    let mut sums = vec![(0.0_f32, 0.0_f32); width * height];
    for known in hips {
        let seen = values(&known.film.plane, known.hip);
        let level = seen.iter().flatten().sum::<f32>() / seen.iter().flatten().count().max(1) as f32;
        let mut detail: Vec<f32> = seen.iter().map(|q| q.unwrap_or(level)).collect();
        let mut broad = detail.clone();
        gaussian_blur(&mut broad, width, height, DETAIL * RADIUS);
        detail.iter_mut().zip(&broad).for_each(|(q, broad)| *q -= broad);
        let mut energy: Vec<f32> = detail.iter().map(|q| q * q).collect();
        gaussian_blur(&mut energy, width, height, SURROUNDINGS * RADIUS);
        for (i, (sum, n)) in sums.iter_mut().enumerate().filter(|(i, _)| seen[*i].is_some()) {
            *sum += detail[i] / (energy[i].max(0.0).sqrt() + NOISE);
            *n += 1.0;
        }
    }
    sums.into_iter().map(|(sum, n)| sum / f32::max(n, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use coxa_schema::Side;
    use coxa_simulate::HipOnFilm;

    use super::*;
    use crate::check::moves::{HipFilm, hips_of};

    /// A film of one hip with a bright line half a radius below the head's center.
    fn film(side: Side, radius: f32, gain: f32) -> HipFilm {
        let hip = HipOnFilm { side, head: [8.0 * radius, 7.0 * radius], radius };
        let size = (16.0 * radius) as usize;
        let mut plane = Plane::filled(size, size, 40.0);
        for (i, value) in plane.values.iter_mut().enumerate() {
            let [u, v] = hip.local([(i % size) as f32 + 0.5, (i / size) as f32 + 0.5]);
            *value += if (v - 0.5).abs() < 0.1 && u.abs() < 1.0 { gain } else { 0.0 };
        }
        HipFilm { name: "film".to_owned(), plane, hips: vec![hip] }
    }

    #[test]
    fn the_mean_hip_shows_what_hips_share_whatever_their_side_size_and_exposure() {
        let films = [film(Side::Left, 20.0, 30.0), film(Side::Right, 31.0, 90.0)];
        let mean = mean(&hips_of(&films));
        let width = tile_size()[0];
        let at = |[u, v]: Local| mean[((v - DOWN[0]) * RADIUS) as usize * width + ((ACROSS[1] - u) * RADIUS) as usize];
        assert!(at([0.0, 0.5]) > 0.5 && at([0.0, 0.5]) > at([0.0, 0.2]) + 0.5, "{}", at([0.0, 0.5]));
        assert!(at([0.0, 3.5]).abs() < 0.05 && mean.iter().all(|q| q.is_finite()));
    }
}

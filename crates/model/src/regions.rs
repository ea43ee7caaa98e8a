//! From a Grad-CAM to the regions of a film: where the raw map reaches a fraction of the bundle's reference, as boxes in the film's
//! own pixels.

use coxa_imaging::{CamMap, Geometry, Laterality, Region, Side};

/// Regions of a film at most, the strongest kept.
const MOST_REGIONS: usize = 8;
/// A film of a pelvis is at least this wide for its height; a hip alone is taken upright.
const PELVIS_ASPECT: f32 = 0.9;
/// A region whose center lies this close to the midline, as a fraction of the film's width, has no side.
const MIDLINE: f32 = 0.03;

/// Finds the regions of a film that the network calls positive.
///
/// The map is enlarged to the input's size (bilinear, edges repeated) and cut at `fraction · reference`, or at half its own peak
/// where it never reaches that, so that a positive film always shows where its probability stems from. Each connected piece
/// (4-neighbors) gives its bounding box, mapped by `geometry` and clipped to the film; padding belongs to no region. The score is
/// p / (p + reference) of the piece's peak p: 0.5 at the reference. Strongest first.
///
/// The side is the file's laterality where it has one. Else, on a film as wide as a pelvis's, it follows from the midline (image
/// left is the patient's right); a hip alone, taken upright, has no midline, and its side is unknown.
pub fn find(
    cam: &CamMap,
    geometry: &Geometry,
    reference: f32,
    fraction: f32,
    laterality: Option<Laterality>,
) -> Vec<Region> {
    let size = geometry.size;
    let map = enlarge(cam, size);
    let (left, top, columns, rows) = geometry.covered();
    let covered = |x: usize, y: usize| (left..left + columns).contains(&x) && (top..top + rows).contains(&y);
    let peak = (top..top + rows).flat_map(|y| map[y * size + left..][..columns].iter().copied()).fold(0.0f32, f32::max);
    if peak <= 0.0 {
        return Vec::new();
    }
    let cut = (fraction * reference).min(0.5 * peak);
    let mut open: Vec<bool> =
        map.iter().enumerate().map(|(i, value)| *value >= cut && covered(i % size, i / size)).collect();
    let mut regions = Vec::new();
    for first in 0..open.len() {
        if open[first] {
            let piece = flood(&mut open, &map, size, first);
            regions.push(piece.region(geometry, reference, laterality));
        }
    }
    regions.sort_by(|a: &Region, b: &Region| b.score.total_cmp(&a.score));
    regions.truncate(MOST_REGIONS);
    regions
}

/// A connected piece: bounds in input pixels (`right` and `bottom` included) and the peak.
struct Piece {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
    peak: f32,
}

impl Piece {
    fn region(&self, geometry: &Geometry, reference: f32, laterality: Option<Laterality>) -> Region {
        let (width, height) = (geometry.film_width as f32, geometry.film_height as f32);
        let (x0, y0) = geometry.to_film(self.left as f32, self.top as f32);
        let (x1, y1) = geometry.to_film((self.right + 1) as f32, (self.bottom + 1) as f32);
        let (x0, x1) = (x0.clamp(0.0, width), x1.clamp(0.0, width));
        let (y0, y1) = (y0.clamp(0.0, height), y1.clamp(0.0, height));
        Region {
            x: x0,
            y: y0,
            width: x1 - x0,
            height: y1 - y0,
            side: side((x0 + x1) / 2.0, width, height, laterality),
            score: self.peak / (self.peak + reference),
        }
    }
}

fn side(center: f32, width: f32, height: f32, laterality: Option<Laterality>) -> Side {
    match laterality {
        Some(Laterality::Left) => return Side::Left,
        Some(Laterality::Right) => return Side::Right,
        _ => {}
    }
    let off = center / width - 0.5;
    if width < PELVIS_ASPECT * height || off.abs() < MIDLINE {
        Side::Unknown
    } else if off < 0.0 {
        Side::Right
    } else {
        Side::Left
    }
}

/// Takes the piece that holds `first` out of `open`.
fn flood(open: &mut [bool], map: &[f32], size: usize, first: usize) -> Piece {
    let (x, y) = (first % size, first / size);
    let mut piece = Piece { left: x, top: y, right: x, bottom: y, peak: 0.0 };
    let mut waiting = vec![first];
    open[first] = false;
    while let Some(at) = waiting.pop() {
        let (x, y) = (at % size, at / size);
        piece.left = piece.left.min(x);
        piece.right = piece.right.max(x);
        piece.top = piece.top.min(y);
        piece.bottom = piece.bottom.max(y);
        piece.peak = piece.peak.max(map[at]);
        let mut visit = |next: usize| {
            if std::mem::take(&mut open[next]) {
                waiting.push(next);
            }
        };
        if x > 0 {
            visit(at - 1);
        }
        if x + 1 < size {
            visit(at + 1);
        }
        if y > 0 {
            visit(at - size);
        }
        if y + 1 < size {
            visit(at + size);
        }
    }
    piece
}

/// The map at `size` × `size`, bilinear between cell centers, the outer cells' values repeated towards the edges.
pub(crate) fn enlarge(cam: &CamMap, size: usize) -> Vec<f32> {
    let weights = |cells: usize| -> Vec<(usize, usize, f32)> {
        (0..size)
            .map(|i| {
                let at = ((i as f32 + 0.5) * cells as f32 / size as f32 - 0.5).clamp(0.0, cells as f32 - 1.0);
                let low = at.floor() as usize;
                (low, (low + 1).min(cells - 1), at - low as f32)
            })
            .collect()
    };
    let across = weights(cam.columns);
    let mut map = Vec::with_capacity(size * size);
    for (upper, lower, down) in weights(cam.rows) {
        let row = |r: usize| &cam.values[r * cam.columns..][..cam.columns];
        let (upper, lower) = (row(upper), row(lower));
        map.extend(across.iter().map(|&(left, right, along)| {
            let a = upper[left] + along * (upper[right] - upper[left]);
            let b = lower[left] + along * (lower[right] - lower[left]);
            a + down * (b - a)
        }));
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use coxa_imaging::Fit;

    /// A 4 × 4 map with the given cells set.
    fn cam(cells: &[(usize, usize, f32)]) -> CamMap {
        let mut values = vec![0.0; 16];
        for &(row, column, value) in cells {
            values[row * 4 + column] = value;
        }
        CamMap { rows: 4, columns: 4, values }
    }

    #[test]
    fn enlarging_keeps_cell_centers_and_repeats_edges() {
        // At three times the size every cell center is a pixel center.
        let map = enlarge(&cam(&[(1, 2, 3.0)]), 12);
        assert_eq!((map[4 * 12 + 7], map[4 * 12 + 4], map[4 * 12 + 10]), (3.0, 0.0, 0.0));
        assert!((map[4 * 12 + 6] - 2.0).abs() < 1e-6 && (map[5 * 12 + 7] - 2.0).abs() < 1e-6);
        let corner = enlarge(&cam(&[(0, 0, 1.0)]), 12);
        assert_eq!(corner[0], 1.0);
    }

    #[test]
    fn boxes_are_in_film_pixels_with_the_patients_side() {
        // A film of 1,280 × 1,280 at 128: ten film pixels to one. Cell (1, 0) has its center at input (16, 48).
        let geometry = Geometry::new(1280, 1280, 128, Fit::Letterbox);
        let regions = find(&cam(&[(1, 0, 1.0), (2, 3, 0.8)]), &geometry, 1.0, 0.5, None);
        let [first, second] = &regions[..] else { panic!("two regions, not {}", regions.len()) };
        // Half the peak is reached 16 input pixels above and below and to the right; edges repeat to the left.
        assert_eq!((first.x, first.y, first.width, first.height), (0.0, 320.0, 320.0, 320.0));
        assert_eq!((first.side, second.side), (Side::Right, Side::Left));
        assert!(first.score > second.score && first.score <= 0.5);
    }

    #[test]
    fn a_weak_map_still_shows_its_peak_and_an_empty_one_nothing() {
        let geometry = Geometry::new(128, 128, 128, Fit::Letterbox);
        assert_eq!(find(&cam(&[(1, 1, 0.01)]), &geometry, 1.0, 0.5, None).len(), 1);
        assert!(find(&cam(&[]), &geometry, 1.0, 0.5, None).is_empty());
    }

    #[test]
    fn padding_is_no_region() {
        // A film twice as wide as high fills the middle half of the input; the map's first row lies in the padding.
        let geometry = Geometry::new(256, 128, 128, Fit::Letterbox);
        assert!(find(&cam(&[(0, 1, 1.0)]), &geometry, 1.0, 0.9, None).iter().all(|r| r.y + r.height <= 128.0));
        let inside = find(&cam(&[(1, 1, 1.0)]), &geometry, 1.0, 0.9, None);
        assert_eq!(inside.len(), 1);
        assert!(inside[0].y >= 0.0 && inside[0].height > 0.0);
    }

    #[test]
    fn the_side_is_unknown_where_nothing_tells_it() {
        let upright = Geometry::new(800, 1000, 128, Fit::Letterbox);
        let at = |laterality| find(&cam(&[(1, 1, 1.0)]), &upright, 1.0, 0.5, laterality)[0].side;
        assert_eq!(at(None), Side::Unknown);
        assert_eq!(at(Some(Laterality::Left)), Side::Left);
        assert_eq!(at(Some(Laterality::Both)), Side::Unknown);
        let pelvis = Geometry::new(1280, 1280, 128, Fit::Letterbox);
        let middle = find(&cam(&[(1, 1, 1.0), (1, 2, 1.0)]), &pelvis, 1.0, 0.5, None);
        assert_eq!(middle[0].side, Side::Unknown);
    }
}

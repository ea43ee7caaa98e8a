//! From a Grad-CAM to the regions of a film: where the raw map reaches a fraction of the bundle's reference, as boxes in the film's
//! own pixels.

use coxa_imaging::{Facing, Geometry, Laterality, Radiograph};
use coxa_schema::{HeatMap, Region, Side};

/// Regions of a film at most, the strongest kept.
const MOST_REGIONS: usize = 8;
/// A film of a pelvis is at least this wide for its height; a hip alone is taken upright.
const PELVIS_ASPECT: f32 = 0.9;
/// A region whose center lies this close to the midline, as a fraction of the film's width, has no side.
const MIDLINE: f32 = 0.03;

/// A film this wide shows both hips: the larger cassettes are 354 mm wide, a hip alone is taken on 240 mm.
const PELVIS_MM: f32 = 300.0;

/// What the sides of a film follow from.
#[derive(Debug, Clone, Copy, Default)]
pub struct SideEvidence {
    /// The side imaged.
    pub laterality: Option<Laterality>,
    /// How the patient lies.
    pub facing: Facing,
    /// The film's width at the detector, millimeters.
    pub width_mm: Option<f32>,
}

impl SideEvidence {
    /// Of a film.
    pub fn of(film: &Radiograph) -> Self {
        let width_mm = film.spacing_mm().map(|[_, across]| across * film.width() as f32);
        Self { laterality: film.laterality(), facing: film.facing(), width_mm }
    }
}

/// Finds the regions of a film that the network calls positive.
///
/// The map is enlarged to the input's size (bilinear, edges repeated) and cut at `fraction · reference`, or at half its own peak
/// where it never reaches that, so that a positive film always shows where its probability stems from. Each connected piece
/// (4-neighbors) gives its bounding box, mapped by `geometry` and clipped to the film; padding belongs to no region. The score is
/// p / (p + reference) of the piece's peak p: 0.5 at the reference. Strongest first; pieces smaller than half a cell of the map are
/// left out, but for the strongest.
///
/// The side is the film's laterality where it has one. Else, on a film of both hips or as wide as a pelvis's (for its height, or in
/// millimeters), it follows from the midline and how the patient lies; a hip alone, taken upright, has no midline, and its side is unknown,
/// as on a turned film.
pub fn find(cam: &HeatMap, geometry: &Geometry, reference: f32, fraction: f32, evidence: &SideEvidence) -> Vec<Region> {
    let size = geometry.size;
    let map = enlarge(cam, size);
    let (left, top, columns, rows) = geometry.covered();
    let covered = |y: usize| &map[y * size + left..][..columns];
    let peak = (top..top + rows).flat_map(|y| covered(y).iter().copied()).fold(0.0f32, f32::max);
    if peak <= 0.0 {
        return Vec::new();
    }
    let cut = (fraction * reference).min(0.5 * peak);
    let mut pieces = Pieces::default();
    for y in top..top + rows {
        pieces.add_row(covered(y), left, y, cut);
    }
    let mut pieces = pieces.finish();
    pieces.sort_by(|a, b| b.peak.total_cmp(&a.peak));
    let half_cell = size / (2 * cam.rows.max(1));
    let is_shown = |(i, piece): &(usize, &Piece)| *i == 0 || piece.area() >= half_cell * half_cell;
    let shown = pieces.iter().enumerate().filter(is_shown).take(MOST_REGIONS);
    shown.map(|(_, piece)| piece.region(geometry, reference, evidence)).collect()
}

/// A connected piece: bounds in input pixels (`right` and `bottom` included) and the peak.
#[derive(Clone, Copy)]
struct Piece {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
    peak: f32,
}

impl Piece {
    /// Of its bounding box, in input pixels.
    fn area(&self) -> usize {
        (self.right - self.left + 1) * (self.bottom - self.top + 1)
    }

    fn region(&self, geometry: &Geometry, reference: f32, evidence: &SideEvidence) -> Region {
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
            side: side((x0 + x1) / 2.0, width, height, evidence),
            score: self.peak / (self.peak + reference),
        }
    }
}

fn side(center: f32, width: f32, height: f32, evidence: &SideEvidence) -> Option<Side> {
    match evidence.laterality {
        Some(Laterality::Left) => return Some(Side::Left),
        Some(Laterality::Right) => return Some(Side::Right),
        _ => {}
    }
    let off = center / width - 0.5;
    let both_hips = evidence.laterality == Some(Laterality::Both)
        || width >= PELVIS_ASPECT * height
        || evidence.width_mm.is_some_and(|width| width >= PELVIS_MM);
    let (left_part, right_part) = match evidence.facing {
        Facing::Usual => (Side::Right, Side::Left),
        Facing::Mirrored => (Side::Left, Side::Right),
        Facing::Turned => return None,
    };
    if !both_hips || off.abs() < MIDLINE {
        None
    } else if off < 0.0 {
        Some(left_part)
    } else {
        Some(right_part)
    }
}

/// The pieces of a map, row by row: runs of open pixels, joined with those of the row above that they touch.
#[derive(Default)]
struct Pieces {
    /// What is known of each piece; one that was joined to another counts no more.
    pieces: Vec<Piece>,
    /// The piece that each was joined to, or itself.
    joined: Vec<usize>,
    /// Runs of the row above: first and last pixel, and piece.
    above: Vec<(usize, usize, usize)>,
}

impl Pieces {
    fn root(&self, mut piece: usize) -> usize {
        while self.joined[piece] != piece {
            piece = self.joined[piece];
        }
        piece
    }

    /// Adds a row's pixels, of which the first lies at `left`.
    fn add_row(&mut self, row: &[f32], left: usize, y: usize, cut: f32) {
        let mut runs = Vec::new();
        let (mut x, mut next) = (0, 0);
        while x < row.len() {
            if row[x] < cut {
                x += 1;
                continue;
            }
            let end = row[x..].iter().position(|value| *value < cut).map_or(row.len(), |n| x + n);
            let peak = row[x..end].iter().copied().fold(0.0, f32::max);
            let (first, last) = (left + x, left + end - 1);
            let mut own = self.pieces.len();
            self.pieces.push(Piece { left: first, top: y, right: last, bottom: y, peak });
            self.joined.push(own);
            while next < self.above.len() && self.above[next].1 < first {
                next += 1;
            }
            let mut at = next;
            while at < self.above.len() && self.above[at].0 <= last {
                own = self.join(self.root(self.above[at].2), self.root(own));
                at += 1;
            }
            runs.push((first, last, own));
            x = end;
        }
        self.above = runs;
    }

    /// Joins two pieces; the older one stands for both.
    fn join(&mut self, a: usize, b: usize) -> usize {
        let (old, new) = (a.min(b), a.max(b));
        if old != new {
            let (other, piece) = (self.pieces[new], &mut self.pieces[old]);
            piece.left = piece.left.min(other.left);
            piece.top = piece.top.min(other.top);
            piece.right = piece.right.max(other.right);
            piece.bottom = piece.bottom.max(other.bottom);
            piece.peak = piece.peak.max(other.peak);
            self.joined[new] = old;
        }
        old
    }

    /// The pieces, in the order of their first pixels.
    fn finish(self) -> Vec<Piece> {
        let alone = self.joined.iter().enumerate().filter(|(piece, root)| piece == *root);
        alone.map(|(piece, _)| self.pieces[piece]).collect()
    }
}

/// The map at `size` × `size`, bilinear between cell centers, the outer cells' values repeated towards the edges.
pub(crate) fn enlarge(cam: &HeatMap, size: usize) -> Vec<f32> {
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
    fn cam(cells: &[(usize, usize, f32)]) -> HeatMap {
        let mut values = vec![0.0; 16];
        for &(row, column, value) in cells {
            values[row * 4 + column] = value;
        }
        HeatMap { rows: 4, columns: 4, values }
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
        let regions = find(&cam(&[(1, 0, 1.0), (2, 3, 0.8)]), &geometry, 1.0, 0.5, &SideEvidence::default());
        let [first, second] = &regions[..] else { panic!("two regions, not {}", regions.len()) };
        // Half the peak is reached 16 input pixels above and below and to the right; edges repeat to the left.
        assert_eq!((first.x, first.y, first.width, first.height), (0.0, 320.0, 320.0, 320.0));
        assert_eq!((first.side, second.side), (Some(Side::Right), Some(Side::Left)));
        assert!(first.score > second.score && first.score <= 0.5);
    }

    #[test]
    fn a_weak_map_still_shows_its_peak_and_an_empty_one_nothing() {
        let geometry = Geometry::new(128, 128, 128, Fit::Letterbox);
        assert_eq!(find(&cam(&[(1, 1, 0.01)]), &geometry, 1.0, 0.5, &SideEvidence::default()).len(), 1);
        assert!(find(&cam(&[]), &geometry, 1.0, 0.5, &SideEvidence::default()).is_empty());
    }

    #[test]
    fn pieces_that_meet_further_down_are_one() {
        let rows = ["#.#..#", "#.#...", "#.####", "#.....", "####.#"];
        let mut pieces = Pieces::default();
        for (y, row) in rows.iter().enumerate() {
            let row: Vec<f32> = row.chars().map(|c| if c == '#' { 1.0 + y as f32 } else { 0.0 }).collect();
            pieces.add_row(&row, 10, y, 0.5);
        }
        let found: Vec<_> = pieces.finish().iter().map(|p| (p.left, p.top, p.right, p.bottom, p.peak)).collect();
        let wanted = [(10, 0, 13, 4, 5.0), (12, 0, 15, 2, 3.0), (15, 0, 15, 0, 1.0), (15, 4, 15, 4, 5.0)];
        assert_eq!(found, wanted);
    }

    #[test]
    fn padding_is_no_region() {
        // A film twice as wide as high fills the middle half of the input; the map's first row lies in the padding.
        let geometry = Geometry::new(256, 128, 128, Fit::Letterbox);
        assert!(
            find(&cam(&[(0, 1, 1.0)]), &geometry, 1.0, 0.9, &SideEvidence::default())
                .iter()
                .all(|r| r.y + r.height <= 128.0)
        );
        let inside = find(&cam(&[(1, 1, 1.0)]), &geometry, 1.0, 0.9, &SideEvidence::default());
        assert_eq!(inside.len(), 1);
        assert!(inside[0].y >= 0.0 && inside[0].height > 0.0);
    }

    #[test]
    fn the_side_is_unknown_where_nothing_tells_it() {
        let upright = Geometry::new(800, 1000, 128, Fit::Letterbox);
        let seen = |evidence: SideEvidence| find(&cam(&[(1, 1, 1.0)]), &upright, 1.0, 0.5, &evidence)[0].side;
        let of = |laterality, facing| seen(SideEvidence { laterality, facing, ..SideEvidence::default() });
        let at = |laterality| of(laterality, Facing::Usual);
        let wide = |width_mm| seen(SideEvidence { width_mm: Some(width_mm), ..SideEvidence::default() });
        assert_eq!((wide(240.0), wide(354.0)), (None, Some(Side::Right)));
        assert_eq!(at(None), None);
        assert_eq!(at(Some(Laterality::Left)), Some(Side::Left));
        // A film of both hips has a midline whatever its shape.
        assert_eq!(at(Some(Laterality::Both)), Some(Side::Right));
        assert_eq!(of(Some(Laterality::Both), Facing::Mirrored), Some(Side::Left));
        assert_eq!(of(Some(Laterality::Both), Facing::Turned), None);
        let pelvis = Geometry::new(1280, 1280, 128, Fit::Letterbox);
        let middle = find(&cam(&[(1, 1, 1.0), (1, 2, 1.0)]), &pelvis, 1.0, 0.5, &SideEvidence::default());
        assert_eq!(middle[0].side, None);
    }
}

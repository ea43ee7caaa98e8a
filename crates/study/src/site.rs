//! Where things lie on a film: the peak of a map, the patient's sides, and rectangles.

use coxa_cohort::{Film, TruthBox};
use coxa_imaging::Geometry;
use coxa_schema::{BodyPart, Finding, HeatMap, Region, Side};

/// A cell of the last feature map in input pixels: DenseNet-121 reduces its input 32 times.
pub(crate) const CELL: usize = 32;

/// The center of the strongest cell in the film's pixels; of equal ones the first. `None` on a map that is nowhere above 0.
pub(crate) fn peak_of(map: &HeatMap, geometry: &Geometry) -> Option<(f64, f64)> {
    let mut peak = None;
    let mut most = 0.0;
    for (i, &value) in map.values.iter().enumerate() {
        if value > most {
            most = value;
            peak = Some(i);
        }
    }
    peak.map(|i| cell_center(i, map, geometry))
}

fn cell_center(i: usize, map: &HeatMap, geometry: &Geometry) -> (f64, f64) {
    let center = |cell: usize| (cell as f32 + 0.5) * CELL as f32;
    let (x, y) = geometry.to_film(center(i % map.columns), center(i / map.columns));
    (f64::from(x), f64::from(y))
}

pub(crate) fn share_inside(map: &HeatMap, geometry: &Geometry, boxes: &[Rect]) -> Option<f64> {
    let activation = |value: &f32| f64::from(value.max(0.0));
    let total: f64 = map.values.iter().map(activation).sum();
    let is_inside = |i: usize| boxes.iter().any(|rect| rect.contains(cell_center(i, map, geometry)));
    let inside: f64 =
        map.values.iter().enumerate().filter(|(i, _)| is_inside(*i)).map(|(_, value)| activation(value)).sum();
    (total > 0.0).then(|| inside / total)
}

/// The fractured side and the side of the strongest activation. On a film of the whole pelvis the middle of the film parts
/// them, the patient's right being on the left; on other films only what the manifest and the reading say counts.
pub(crate) struct Sides {
    truth: Option<Side>,
    reading: Option<Side>,
}

impl Sides {
    pub(crate) fn of(film: &Film, truth: &[Rect], finding: &Finding, peak: Option<(f64, f64)>, width: usize) -> Self {
        let middle = width as f64 / 2.0;
        let is_pelvis = film.body_part == BodyPart::Pelvis;
        let of_x = |x: f64| if x < middle { Side::Right } else { Side::Left };
        let boxed = || {
            let mut sides = truth.iter().map(|rect| of_x(rect.center().0));
            let first = sides.next()?;
            // Fractures on both sides have no side to be confused.
            sides.all(|side| side == first).then_some(first)
        };
        let of_region = finding.regions.first().and_then(|region| region.side);
        Self {
            truth: film.side.or_else(|| boxed().filter(|_| is_pelvis)),
            reading: peak.map(|(x, _)| of_x(x)).filter(|_| is_pelvis).or(of_region),
        }
    }

    pub(crate) fn differ(&self) -> Option<bool> {
        Some(self.truth? != self.reading?)
    }
}

/// A rectangle in the film's pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Rect {
    pub(crate) fn of_truth(truth: &TruthBox) -> Self {
        let [x, y, width, height] = [truth.x, truth.y, truth.width, truth.height].map(f64::from);
        Self { left: x, top: y, right: x + width, bottom: y + height }
    }

    pub(crate) fn of_region(region: &Region) -> Self {
        let [x, y, width, height] = [region.x, region.y, region.width, region.height].map(f64::from);
        Self { left: x, top: y, right: x + width, bottom: y + height }
    }

    pub(crate) fn grown(self, by: f64) -> Self {
        Self { left: self.left - by, top: self.top - by, right: self.right + by, bottom: self.bottom + by }
    }

    pub(crate) fn center(self) -> (f64, f64) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }

    pub(crate) fn contains(self, (x, y): (f64, f64)) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }

    pub(crate) fn area(self) -> f64 {
        (self.right - self.left) * (self.bottom - self.top)
    }

    pub(crate) fn intersection(self, other: Self) -> f64 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        width.max(0.0) * height.max(0.0)
    }

    /// More than 0, as a truth box always has an area.
    pub(crate) fn union(self, other: Self) -> f64 {
        self.area() + other.area() - self.intersection(other)
    }
}

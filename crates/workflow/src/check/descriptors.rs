//! Numbers that tell a hip's picture apart from others': levels of landmarks in head radii, ratios of contrasts, and texture.
//!
//! Contrasts are in units of the cortex's: the shaft's two cortices over the soft tissue beside them, so that windows and exposures do
//! not matter. Everything is measured on the film seen in the hip's frame, at the same number of pixels a head radius.

use coxa_simulate::HipOnFilm;
use coxa_simulate::film::beam::gaussian_blur;

use super::hip::{HipFrame, Local, Plane};
use super::quantile::quantile;

/// Pixels a head radius.
const RADIUS: f32 = 20.0;
/// What is seen of the frame: to the side, and down.
const ACROSS: [f32; 2] = [-2.4, 3.8];
const DOWN: [f32; 2] = [-2.6, 4.4];
/// The level at which the shaft is measured, and half the height of the band.
const SHAFT: [f32; 2] = [3.1, 0.25];
/// The smallest and the largest width of a shaft.
const SHAFT_WIDTH: [f32; 2] = [0.8, 1.7];
/// Standard deviation of the Gaussian that texture is finer than, head radii.
const FINE: f32 = 0.08;

/// In the ilium above the joint.
const ILIUM: Local = [-0.1, -1.9];
/// Turns between which the head's outline crosses neither acetabulum nor neck: below it, and beside the acetabulum.
const BELOW: [f32; 2] = [-1.9, -2.74];
const BESIDE: [f32; 2] = [1.0, 1.4];

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// What it is called.
    pub name: &'static str,
    /// What it is measured in.
    pub unit: &'static str,
}

/// How many there are.
pub const COUNT: usize = 16;

/// The descriptors in the order of the tables.
pub const DESCRIPTORS: [Descriptor; COUNT] = [
    descriptor("lateral shoulder of the greater trochanter, below the head's center", "head radii"),
    descriptor("widest level of the trochanter, below the head's center", "head radii"),
    descriptor("lowest point of the ischium, below the head's center", "head radii"),
    descriptor("width of the shaft", "head radii"),
    descriptor("middle of the shaft, to the side of the head's center", "head radii"),
    descriptor("canal over cortex", "of the cortex's contrast"),
    descriptor("middle of the head over soft tissue", "of the cortex's contrast"),
    descriptor("neck over soft tissue", "of the cortex's contrast"),
    descriptor("ilium over soft tissue", "of the cortex's contrast"),
    descriptor("roof of the acetabulum", "of the cortex's contrast"),
    descriptor("outline of the head below, over its neighbors", "of the cortex's contrast"),
    descriptor("outline of the head to the side, over its neighbors", "of the cortex's contrast"),
    descriptor("texture of the trochanter", "of the cortex's contrast"),
    descriptor("texture of the ilium", "of the cortex's contrast"),
    descriptor("texture of soft tissue", "of the cortex's contrast"),
    descriptor("loss of soft tissue toward the side", "of the cortex's contrast"),
];

const fn descriptor(name: &'static str, unit: &'static str) -> Descriptor {
    Descriptor { name, unit }
}

/// The descriptors of a hip in the order of [`DESCRIPTORS`]; `None` for what the film does not show or shows unclearly.
pub fn describe(plane: &Plane, hip: &HipOnFilm) -> [Option<f64>; COUNT] {
    let view = View::new(plane, hip);
    let Some(shaft) = view.shaft() else { return [None; COUNT] };
    let fine = view.fine();
    let per_cortex = |value: Option<f32>| value.map(|value| value / shaft.contrast);
    let over_soft = |place: Local| per_cortex(view.mean(place, [0.12, 0.12]).map(|mean| mean - shaft.soft));
    let texture = |center: Local| per_cortex(fine.deviation(center, 0.35));
    let (shoulder, widest) = view.trochanter(&shaft).unzip();
    let beside = shaft.lateral + 0.55;
    [
        shoulder,
        widest,
        view.ischium(&shaft),
        Some(shaft.lateral - shaft.medial),
        Some(0.5 * (shaft.lateral + shaft.medial)),
        Some(shaft.canal / shaft.contrast),
        over_soft([0.2, 0.2]),
        over_soft([0.85, 0.55]),
        over_soft(ILIUM),
        per_cortex(view.roof()),
        per_cortex(view.outline(BELOW)),
        per_cortex(view.outline(BESIDE)),
        texture([1.6, 1.25]),
        texture(ILIUM),
        texture([beside, 2.9]),
        per_cortex(view.loss(&shaft)),
    ]
    .map(|value| value.map(f64::from))
}

/// The borders of the shaft below the lesser trochanter in the hip's frame, medial and lateral; `None` where the film does not show them.
pub fn shaft_borders(plane: &Plane, hip: &HipOnFilm) -> Option<[f32; 2]> {
    View::new(plane, hip).shaft().map(|shaft| [shaft.medial, shaft.lateral])
}

/// The shaft at its level.
struct Shaft {
    /// Its borders in the frame.
    medial: f32,
    lateral: f32,
    /// The cortices over the soft tissue beside them, gray levels.
    contrast: f32,
    /// The canal over the same.
    canal: f32,
    /// The soft tissue beside it, gray levels.
    soft: f32,
}

/// The film seen in the hip's frame.
struct View {
    width: usize,
    height: usize,
    /// Not a number where the film does not show it.
    values: Vec<f32>,
}

impl View {
    fn new(plane: &Plane, hip: &HipOnFilm) -> Self {
        let size = |[low, high]: [f32; 2]| ((high - low) * RADIUS) as usize;
        let (width, height) = (size(ACROSS), size(DOWN));
        let value = |i: usize| {
            let (x, y) = ((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
            let place = hip.on_film([ACROSS[0] + x / RADIUS, DOWN[0] + y / RADIUS]);
            plane.mean_at(place, hip.radius / RADIUS).unwrap_or(f32::NAN)
        };
        Self { width, height, values: (0..width * height).map(value).collect() }
    }

    fn at(&self, [u, v]: Local) -> f32 {
        let (x, y) = (((u - ACROSS[0]) * RADIUS).floor(), ((v - DOWN[0]) * RADIUS).floor());
        if x < 0.0 || y < 0.0 || x >= self.width as f32 || y >= self.height as f32 {
            return f32::NAN;
        }
        self.values[y as usize * self.width + x as usize]
    }

    /// The mean over a box around a place: half its width and height.
    fn mean(&self, [u, v]: Local, [across, down]: Local) -> Option<f32> {
        let (mut sum, mut n) = (0.0, 0.0);
        let step = 1.0 / RADIUS;
        let count = |half: f32| (half / step).floor() as i32;
        for j in -count(down)..=count(down) {
            for i in -count(across)..=count(across) {
                sum += self.at([u + i as f32 * step, v + j as f32 * step]);
                n += 1.0;
            }
        }
        Some(sum / n).filter(|mean| mean.is_finite())
    }

    /// How much brighter the film is inward of a place than outward of it.
    fn fall(&self, u: f32, v: f32) -> Option<f32> {
        Some(self.mean([u - 0.1, v], [0.05, 0.1])? - self.mean([u + 0.1, v], [0.05, 0.1])?)
    }

    fn shaft(&self) -> Option<Shaft> {
        let [level, half] = SHAFT;
        let band = |u: f32, across: f32| self.mean([u, level], [across, half]);
        let places: Vec<f32> = (0..).map(|i| -0.6 + i as f32 * 0.05).take_while(|u| *u < 3.2).collect();
        let rises: Vec<Option<f32>> =
            places.iter().map(|u| Some(band(u + 0.08, 0.05)? - band(u - 0.08, 0.05)?)).collect();
        let mut best: Option<(f32, f32, f32)> = None;
        for (a, rise) in places.iter().zip(&rises) {
            for (b, fall) in places.iter().zip(&rises) {
                if let (true, Some(rise), Some(fall)) =
                    ((SHAFT_WIDTH[0]..=SHAFT_WIDTH[1]).contains(&(b - a)), rise, fall)
                {
                    let strength = rise.min(-fall) + 0.2 * (rise - fall);
                    if rise.min(-fall) > 0.0 && best.is_none_or(|(most, ..)| strength > most) {
                        best = Some((strength, *a, *b));
                    }
                }
            }
        }
        let (_, medial, lateral) = best?;
        let width = lateral - medial;
        let peak = |from: f32| {
            let values = (0..8).filter_map(|i| band(from + width * 0.4 * i as f32 / 7.0, 0.025));
            values.fold(None, |most: Option<f32>, q| Some(most.map_or(q, |most| most.max(q))))
        };
        let soft = 0.5 * (band(medial - 0.3, 0.1)? + band(lateral + 0.3, 0.1)?);
        let contrast = 0.5 * (peak(medial)? + peak(lateral - width * 0.4)?) - soft;
        let canal = band(0.5 * (medial + lateral), 0.12 * width)? - soft;
        (contrast > 4.0).then_some(Shaft { medial, lateral, contrast, canal, soft })
    }

    /// The lateral outline of the femur from the shaft upward: levels in steps of 0.05, and how far to the side it lies. It ends where
    /// the outline is lost.
    fn outline_of(&self, shaft: &Shaft) -> Vec<[f32; 2]> {
        let mut outline = Vec::new();
        let (mut u, mut v) = (shaft.lateral, SHAFT[0]);
        let mut faint = 0;
        while v > -0.6 {
            let steps = (-3..=5).map(|i| u + i as f32 * 0.04);
            let strength = |to: f32| Some((self.fall(to, v)? / shaft.contrast - (to - u).abs() * 0.6, to));
            let Some((strength, to)) = steps.filter_map(strength).max_by(|a, b| a.0.total_cmp(&b.0)) else { break };
            faint = if strength < 0.09 { faint + 1 } else { 0 };
            if faint > 3 {
                outline.truncate(outline.len() + 1 - faint);
                break;
            }
            u = to;
            outline.push([v, u]);
            v -= 0.05;
        }
        outline
    }

    /// Where the outline turns to the top of the greater trochanter, and where it lies farthest to the side.
    fn trochanter(&self, shaft: &Shaft) -> Option<(f32, f32)> {
        let outline = self.outline_of(shaft);
        let upper = || outline.iter().filter(|[v, _]| *v < 2.8);
        let [widest, far] = *upper().max_by(|a, b| a[1].total_cmp(&b[1]))?;
        let shoulder = upper().filter(|[_, u]| *u > far - 0.15).map(|[v, _]| *v).fold(f32::MAX, f32::min);
        (outline.len() > 20).then_some((shoulder, widest))
    }

    /// The lowest edge of bone medial of the femur.
    fn ischium(&self, shaft: &Shaft) -> Option<f32> {
        let mut lowest: Vec<f32> = Vec::new();
        for i in 0..16 {
            let u = -1.7 + 0.1 * i as f32;
            if u > shaft.medial - 0.4 {
                break;
            }
            let edges = (0..56).map(|j| 1.4 + 0.05 * j as f32).filter_map(|v| {
                let step = self.mean([u, v - 0.1], [0.1, 0.05])? - self.mean([u, v + 0.12], [0.1, 0.05])?;
                let beyond = self.mean([u, v - 0.15], [0.1, 0.1])? - self.mean([u, v + 0.5], [0.1, 0.1])?;
                (step > 0.15 * shaft.contrast && beyond > 0.15 * shaft.contrast).then_some((step, v))
            });
            lowest.extend(edges.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, v)| v));
        }
        let lowest: Vec<f64> = lowest.into_iter().map(f64::from).collect();
        quantile(&lowest, 0.85).filter(|_| lowest.len() >= 4).map(|v| v as f32)
    }

    /// The ridge of the acetabulum's roof over what lies above and below it.
    fn roof(&self) -> Option<f32> {
        let ridge = |turn: f32| {
            let along = |r: f32| self.mean([r * turn.sin(), -r * turn.cos()], [0.05, 0.05]);
            let profile: Option<Vec<f32>> = (0..14).map(|i| along(0.9 + 0.07 * i as f32)).collect();
            let profile = profile?;
            let place = (2..12).max_by(|a, b| profile[*a].total_cmp(&profile[*b]))?;
            let least = |part: &[f32]| part.iter().copied().fold(f32::MAX, f32::min);
            Some(profile[place] - 0.5 * (least(&profile[..place]) + least(&profile[place + 1..])))
        };
        middle((-2..=5).filter_map(|i| ridge(i as f32 * 0.12)))
    }

    /// How much the head's outline stands out between two turns from its top, positive to the side.
    fn outline(&self, [from, to]: [f32; 2]) -> Option<f32> {
        let ridge = |turn: f32| {
            let along = |r: f32| self.mean([r * turn.sin(), -r * turn.cos()], [0.05, 0.05]);
            let peak = [0.92, 0.96, 1.0, 1.04].into_iter().filter_map(along).fold(f32::MIN, f32::max);
            Some(peak - 0.5 * (along(0.78)? + along(1.18)?))
        };
        middle((0..8).filter_map(|i| ridge(from + (to - from) * i as f32 / 7.0)))
    }

    /// The soft tissue beside the shaft over that farther to the side.
    fn loss(&self, shaft: &Shaft) -> Option<f32> {
        let at = |beyond: f32| self.mean([shaft.lateral + beyond, SHAFT[0]], [0.12, 0.25]);
        Some(at(0.35)? - at(1.1)?)
    }

    /// What is finer than [`FINE`].
    fn fine(&self) -> Self {
        let mut values: Vec<f32> = self.values.iter().map(|q| if q.is_finite() { *q } else { 0.0 }).collect();
        gaussian_blur(&mut values, self.width, self.height, FINE * RADIUS);
        let values = self.values.iter().zip(values).map(|(q, smooth)| q - smooth).collect();
        Self { values, ..*self }
    }

    /// The deviation within a radius of a place, of the middle half of the values: lines do not count.
    fn deviation(&self, [u, v]: Local, radius: f32) -> Option<f32> {
        let n = (radius * RADIUS) as i32;
        let mut values = Vec::new();
        for j in -n..=n {
            for i in (-n..=n).filter(|i| i * i + j * j <= n * n) {
                values.push(f64::from(self.at([u + i as f32 / RADIUS, v + j as f32 / RADIUS])));
            }
        }
        if values.iter().any(|q| !q.is_finite()) {
            return None;
        }
        // Of a normal distribution, the quartiles lie 0.6745 deviations from the middle.
        Some(((quantile(&values, 0.75)? - quantile(&values, 0.25)?) / (2.0 * 0.6745)) as f32)
    }
}

fn middle(values: impl Iterator<Item = f32>) -> Option<f32> {
    let values: Vec<f64> = values.filter(|q| q.is_finite()).map(f64::from).collect();
    quantile(&values, 0.5).map(|q| q as f32)
}

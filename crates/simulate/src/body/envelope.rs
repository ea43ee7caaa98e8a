//! The body's form: how much of it, of what lies under the skin and of its lean part a ray meets.
//!
//! A supine body is seen from the front, so each of its parts (trunk, thighs, buttocks, belly) is a sheet with a height in front of
//! the plane of the hips and one behind, given in closed form. That keeps the line of the skin and the edges of folds as crisp as
//! the raster, which a mesh coarse enough to be quick does not.

use crate::geometry::shape::smooth_max;
use crate::geometry::{Vec3, smoothstep, v};
use crate::random::{FilmRng, chance, normal, uniform};

/// Thickness of the skin, millimeters.
const SKIN: f32 = 1.9;

/// The measures in which bodies differ.
#[derive(Clone, Copy, Debug)]
pub struct BodyShape {
    /// Half width at the trochanters, millimeters.
    pub hips: f32,
    /// Half width at the waist, millimeters.
    pub waist: f32,
    /// Depth of the trunk in front of the hips, millimeters.
    pub depth: f32,
    /// Radius of the thighs, millimeters.
    pub thigh: f32,
    /// Thickness of the subcutaneous fat at the hips, millimeters.
    pub fat: f32,
    /// How far the buttocks hang below the hips, millimeters.
    pub buttocks: f32,
    /// How far the buttocks stand out behind the thighs, millimeters.
    pub seat: f32,
    /// Half height of the bladder, millimeters; 0 is empty.
    pub bladder: f32,
    /// Size of the external genitals, 0 for none in view.
    pub genitals: f32,
    /// Height of the lower edge of the belly above the hips and how far it stands out, millimeters.
    pub belly: [f32; 2],
    /// Muscle over that of a mean adult.
    pub muscle: f32,
    /// Share of fat between the muscles, 0..=1.
    pub marbling: f32,
}

impl BodyShape {
    /// A body around a pelvis with hip centers `half_distance` from the midline; `female` 0 or 1, `age` in years.
    #[must_use]
    pub fn draw(rng: &mut FilmRng, half_distance: f32, female: f32, age: f32, variation: f32) -> Self {
        let s = 0.4 + 0.6 * variation;
        let corpulence = normal(rng, 0.05, 0.4 * s).clamp(-0.6, 1.6);
        let hips = half_distance + 80.0 + 27.0 * corpulence + 6.0 * female;
        let old = smoothstep(55.0, 90.0, age);
        let overhangs = corpulence > 0.4 && chance(rng, 0.6);
        Self {
            hips,
            waist: hips - 26.0 - 8.0 * female + 18.0 * corpulence + normal(rng, 0.0, 8.0),
            depth: 84.0 + 28.0 * corpulence + normal(rng, 0.0, 6.0),
            thigh: 80.0 + 14.0 * corpulence + 3.0 * female + normal(rng, 0.0, 5.0),
            fat: (13.0 + 17.0 * corpulence + 7.0 * female + normal(rng, 0.0, 3.0)).max(4.0),
            buttocks: 94.0 + 12.0 * corpulence + normal(rng, 0.0, 9.0),
            seat: uniform(rng, 0.0, 15.0) + 7.0 * corpulence.max(0.0),
            bladder: if chance(rng, 0.6) { uniform(rng, 18.0, 48.0) } else { 0.0 },
            genitals: if female < 0.5 { uniform(rng, 0.0, 1.3) } else { 0.0 },
            belly: if overhangs {
                [uniform(rng, -35.0, 55.0), uniform(rng, 12.0, 40.0)]
            } else {
                [uniform(rng, -20.0, 40.0), uniform(rng, -6.0, 9.0)]
            },
            muscle: (1.04 - 0.1 * female - 0.16 * old + normal(rng, 0.0, 0.08)).clamp(0.65, 1.2),
            marbling: (0.3 + 0.25 * old + normal(rng, 0.0, 0.1)).clamp(0.15, 0.75),
        }
    }

    /// Trunk from the thighs to the ribs at height `y`: half width, height in front and behind.
    fn trunk(&self, y: f32) -> [f32; 3] {
        let (hips, waist, d) = (self.hips, self.waist, self.depth);
        let nodes = [
            (-110.0, [0.90 * hips, 0.56 * d, 0.70 * d + 16.0]),
            (-60.0, [0.985 * hips, 0.72 * d, 0.90 * d + 22.0]),
            (-15.0, [hips, 0.87 * d, d + 25.0]),
            (40.0, [0.985 * hips, 0.98 * d, d + 27.0]),
            (100.0, [0.45 * hips + 0.54 * waist, 1.10 * d, d + 25.0]),
            (160.0, [waist, 1.16 * d, d + 18.0]),
            (230.0, [waist, 1.18 * d, d + 16.0]),
            (330.0, [1.03 * waist, 1.18 * d, d + 18.0]),
            (450.0, [1.07 * waist, 1.15 * d, d + 18.0]),
        ];
        along(&nodes, y)
    }

    /// Thigh at `t` below the hip: half width, height in front of and behind its axis.
    fn leg(&self, t: f32) -> [f32; 3] {
        let r = self.thigh;
        let nodes = [
            (-60.0, [0.90 * r, 0.80 * r, 0.9 * r]),
            (25.0, [1.05 * r, 0.88 * r, 0.98 * r]),
            (100.0, [1.04 * r, 0.92 * r, 0.94 * r]),
            (200.0, [0.93 * r, 0.9 * r, 0.86 * r]),
            (330.0, [0.79 * r, 0.8 * r, 0.76 * r]),
            (480.0, [0.66 * r, 0.68 * r, 0.66 * r]),
        ];
        along(&nodes, t)
    }

    /// Bladder in the patient's frame: center and half axes, if there is water in it.
    #[must_use]
    pub fn bladder(&self) -> Option<(Vec3, Vec3)> {
        let h = self.bladder;
        (h > 0.0).then(|| (v(0.0, -12.0 + h, 15.0), v(h * 1.35, h, h)))
    }
}

/// The value at `x` on a smooth curve through ascending nodes (Catmull–Rom), held beyond its ends.
fn along<const N: usize>(nodes: &[(f32, [f32; N])], x: f32) -> [f32; N] {
    let last = nodes.len() - 1;
    let i = nodes.partition_point(|n| n.0 <= x).clamp(1, last) - 1;
    let t = ((x - nodes[i].0) / (nodes[i + 1].0 - nodes[i].0)).clamp(0.0, 1.0);
    let (before, after) = (nodes[i.saturating_sub(1)], nodes[(i + 2).min(last)]);
    let width = nodes[i + 1].0 - nodes[i].0;
    std::array::from_fn(|k| {
        let (a, b) = (nodes[i].1[k], nodes[i + 1].1[k]);
        let slope =
            |low: (f32, [f32; N]), high: (f32, [f32; N])| (high.1[k] - low.1[k]) / (high.0 - low.0).max(1e-3) * width;
        let (start, end) = (slope(before, nodes[i + 1]), slope(nodes[i], after));
        let (t2, t3) = (t * t, t * t * t);
        a * (2.0 * t3 - 3.0 * t2 + 1.0) + start * (t3 - 2.0 * t2 + t) + b * (3.0 * t2 - 2.0 * t3) + end * (t3 - t2)
    })
}

/// Layers from the outside: the whole, without its skin, without skin and subcutaneous fat.
const LAYERS: usize = 3;

/// A cross-section, for each layer: one over the half width's square, heights in front and behind, and how far it has closed.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    narrow: [f32; LAYERS],
    front: [f32; LAYERS],
    back: [f32; LAYERS],
    closed: [f32; LAYERS],
}

impl Level {
    fn new([half, front, back]: [f32; 3], fat: [f32; 3], closed: impl Fn(f32) -> f32) -> Self {
        let mut level = Self::default();
        for layer in 0..LAYERS {
            let inset = |fat: f32| [0.0, SKIN, SKIN + fat][layer];
            level.narrow[layer] = (half - inset(fat[0])).max(1.0).powi(-2);
            level.front[layer] = (front - inset(fat[1])).max(0.0);
            level.back[layer] = (back - inset(fat[2])).max(0.0);
            level.closed[layer] = closed(inset(fat[0])).max(0.0).powi(2);
        }
        level
    }

    /// Heights in front and behind `x` beside the axis, if a layer reaches as far. `round`: 1 an ellipse, 0 a box with round edges.
    fn heights(&self, layer: usize, x: f32, round: f32) -> Option<[f32; 2]> {
        let q = x * x * self.narrow[layer];
        let left = 1.0 - q * (round + (1.0 - round) * q) - self.closed[layer];
        (left > 0.0).then(|| {
            let s = left.sqrt();
            [self.front[layer] * s, self.back[layer] * s]
        })
    }
}

/// A bulge of the outline in front or behind: an ellipsoid with a lower edge of its own.
#[derive(Clone, Copy, Debug)]
struct Bulge {
    center: Vec3,
    radii: Vec3,
}

impl Bulge {
    /// How much of it the ray to `(x, y)` meets outside a body that reaches from `-back` to `front`.
    fn beyond(&self, x: f32, y: f32, front: f32, back: f32) -> f32 {
        let (u, t) = ((x - self.center.x) / self.radii.x, (y - self.center.y) / self.radii.y);
        let left = 1.0 - u * u * (0.4 + 0.6 * u * u) - t * t;
        if left <= 0.0 {
            return 0.0;
        }
        // It grows out of the sides of the body, so that only its lower edge stands out.
        let half = self.radii.z * left.sqrt() * smoothstep(1.0, 0.45, u.abs());
        let (low, high) = (self.center.z - half, self.center.z + half);
        ((-back).min(high) - low).max(0.0) + (high - front.max(low)).max(0.0)
    }
}

/// A body in its pose, in the patient's frame.
#[derive(Debug)]
pub(crate) struct Form {
    trunk: Vec<Level>,
    thigh: Vec<Level>,
    legs: [(Vec3, Vec3); 2],
    bulges: Vec<Bulge>,
    cleft: [f32; 3],
}

/// What of a body a ray meets, millimeters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Met {
    /// All of it.
    pub whole: f32,
    /// Subcutaneous fat.
    pub fat: f32,
    /// What lies under it.
    pub lean: f32,
}

const LOWEST: f32 = -260.0;
const HIGHEST: f32 = 460.0;

impl Form {
    /// `legs`: hip center and unit vector down the shaft, right then left.
    pub(crate) fn new(body: &BodyShape, legs: [(Vec3, Vec3); 2], rng: &mut FilmRng) -> Self {
        let fat = body.fat;
        let perineum = -(uniform(rng, 84.0, 108.0) + 0.5 * fat);
        let trunk = (LOWEST as i32..HIGHEST as i32).map(|y| {
            let y = y as f32;
            let high = smoothstep(40.0, 160.0, y);
            let under = [fat * (1.0 - 0.25 * high), fat * (0.75 + 0.35 * high), fat * (1.25 - 0.5 * high)];
            Level::new(body.trunk(y), under, |inset| (perineum + 48.0 - (y - inset)) / 48.0)
        });
        let thigh = (-120..600).map(|t| {
            let t = t as f32;
            let low = smoothstep(0.0, 260.0, t);
            let under = [fat * (0.85 - 0.25 * low), fat * (0.6 - 0.1 * low), fat * (0.9 - 0.35 * low)];
            Level::new(body.leg(t), under, |inset| (-5.0 - (t - inset)) / 80.0)
        });
        let mut bulges = Vec::new();
        for (side, (hip, _)) in [-1.0_f32, 1.0].into_iter().zip(legs) {
            let sag = normal(rng, 0.0, 4.0);
            bulges.push(Bulge {
                center: v(
                    side * body.hips * 0.47,
                    sag - body.buttocks + 95.0,
                    hip.z - body.thigh * 0.88 - 0.35 * body.seat,
                ),
                radii: v(body.hips * 0.46, 95.0, 4.0 + 0.7 * body.seat),
            });
        }
        let [low, stands] = body.belly;
        if stands > 0.0 {
            bulges.push(Bulge {
                center: v(normal(rng, 0.0, 6.0), low + 105.0, body.depth * 0.88),
                radii: v(body.waist * 1.05, 105.0, 3.0 + 0.8 * stands),
            });
        }
        let deep = if chance(rng, 0.5) { uniform(rng, 2.0, 14.0) } else { 0.0 };
        let cleft = [normal(rng, 0.0, 4.0), uniform(rng, 0.8, 3.0), deep];
        Self { trunk: trunk.collect(), thigh: thigh.collect(), legs, bulges, cleft }
    }

    /// What the ray meets whose point at the hips' depth is `p`; `slope` is how far it moves in x and y for a millimeter forward.
    pub(crate) fn meet(&self, p: Vec3, slope: [f32; 2]) -> Met {
        let row = (p.y - LOWEST).clamp(0.0, HIGHEST - LOWEST - 1.0) as usize;
        let level = &self.trunk[row];
        let thighs = [0, 1].map(|k| {
            let ((hip, down), side) = (self.legs[k], [-1.0, 1.0][k]);
            let (dx, dy) = (p.x - hip.x - side * 6.0, p.y - hip.y);
            let t = dx * down.x + dy * down.y;
            let level = &self.thigh[(t + 120.0).clamp(0.0, 719.0) as usize];
            (level, dx * down.y - dy * down.x, hip.z - 4.0 + down.z * t.max(0.0))
        });
        let mut layers = [0.0; LAYERS];
        let mut outside = [0.0; 2];
        for (layer, sum) in layers.iter_mut().enumerate() {
            let mut all: Option<[f32; 2]> = level.heights(layer, p.x, 0.25);
            for (level, off, z) in &thighs {
                let Some([front, back]) = level.heights(layer, *off, 0.3) else { continue };
                let here = [front + z, back - z];
                all = Some(all.map_or(here, |[f, b]| [smooth_max(f, here[0], 24.0), smooth_max(b, here[1], 24.0)]));
            }
            let [front, back] = all.unwrap_or_default();
            *sum = (front + back).max(0.0);
            if layer == 0 {
                outside = [front, back];
            }
        }
        let mut met = Met { whole: layers[0], fat: layers[1] - layers[2].min(layers[1]), lean: layers[2] };
        for bulge in &self.bulges {
            let z = bulge.center.z;
            let extra = bulge.beyond(p.x + slope[0] * z, p.y + slope[1] * z, outside[0], outside[1]);
            met.whole += extra;
            met.fat += (extra - 2.0 * SKIN).max(0.0);
        }
        let [x, width, deep] = self.cleft;
        let off = (p.x - x) / width;
        if off.abs() < 3.0 && met.whole > 0.0 {
            let span = smoothstep(-125.0, -90.0, p.y) * smoothstep(-10.0, -60.0, p.y);
            let lack = (deep * span * (-off * off).exp()).min(met.fat);
            met.whole -= lack;
            met.fat -= lack;
        }
        met
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Stream, stream};

    #[test]
    fn the_layers_lie_in_each_other_and_nothing_lies_beside_the_body() {
        let down = v(0.0, -1.0, 0.0);
        for index in 0..20 {
            let rng = &mut stream(1, index, Stream::Patient);
            let body = BodyShape::draw(rng, 84.0, (index % 2) as f32, 70.0, 1.0);
            let form = Form::new(&body, [(v(-84.0, 0.0, 0.0), down), (v(84.0, 0.0, 0.0), down)], rng);
            for x in -60..=60 {
                for y in -40..=50 {
                    let met = form.meet(v(5.0 * x as f32, 5.0 * y as f32, 0.0), [0.0; 2]);
                    assert!(met.fat >= 0.0 && met.lean >= 0.0, "{met:?}");
                    assert!(met.fat + met.lean <= met.whole + 1e-3, "{met:?}");
                }
            }
            assert_eq!(form.meet(v(body.hips + 40.0, 0.0, 0.0), [0.0; 2]).whole, 0.0);
            let middle = form.meet(v(0.0, 30.0, 0.0), [0.0; 2]).whole;
            assert!((140.0..360.0).contains(&middle), "{middle}");
        }
    }

    #[test]
    fn a_smooth_curve_goes_through_its_nodes() {
        let nodes = [(0.0, [1.0]), (2.0, [5.0]), (3.0, [4.0]), (7.0, [4.0])];
        for (x, [y]) in nodes {
            assert!((along(&nodes, x)[0] - y).abs() < 1e-5);
        }
        assert_eq!(along(&nodes, -9.0), [1.0]);
        assert_eq!(along(&nodes, 90.0), [4.0]);
    }
}

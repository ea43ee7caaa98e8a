//! Details of a proximal femur that its smooth shape does not have: the crest and lines between the trochanters, the
//! edges of the fossa behind the neck, the lines of the shaft, and how coarse its spongy bone looks.
//!
//! On a frontal film these are thin bright lines across the trochanteric region, with the lucent fossa between them (Keats and
//! Anderson, Atlas of Normal Roentgen Variants). A network that has never seen them mistakes them for a fracture.

use super::femur::FemurShape;
use crate::geometry::{Vec3, smoothstep};
use crate::noise;
use crate::random::{FilmRng, chance, normal, uniform};

/// How many lines there are.
const LINES: usize = 6;
/// Points of a line.
const POINTS: usize = 5;
/// The line in whose plane, near the neck's, the grain is looked up.
const GRAIN_AT: usize = 3;

/// A line on the bone's surface.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// Where it runs: millimeters of the mean femur from the neck's base, in the frontal plane of the left femur.
    points: [[f32; 2]; POINTS],
    /// How far in front of that plane, millimeters of the mean femur.
    depth: f32,
    /// Compact bone that a ray meets along it, at its strongest, millimeters.
    height: f32,
    /// Half its width, millimeters.
    width: f32,
    /// How far it fades out lateral to the line, millimeters, and with what share of its height: an edge rather than a ridge.
    apron: [f32; 2],
    /// Height at both ends over that in the middle.
    ends: [f32; 2],
}

/// Lines and ridges of one femur.
#[derive(Clone, Copy, Debug)]
pub struct Relief {
    lines: [Line; LINES],
    /// Center (as a line's points), radius in millimeters and share of spongy bone lacking in the trochanteric fossa.
    fossa: [f32; 4],
    /// Strength of the trabecular texture over that of a mean femur.
    pub trabeculae: f32,
    /// How much of the spongy bone is drawn together to a network of fine bright lines, 0 none.
    pub network: f32,
    /// Standard deviation of the grain that single trabeculae and their knots leave, millimeters of compact bone.
    grain: f32,
    /// Where on the noise the grain begins.
    salt: [f32; 2],
}

impl Relief {
    /// Draws the relief of a person's femora, and with small differences that of each, right then left.
    #[must_use]
    pub fn draw_both(rng: &mut FilmRng, shapes: &[FemurShape; 2]) -> [Self; 2] {
        let trabeculae = uniform(rng, -1.8, 0.1).exp();
        let network = if chance(rng, 0.7) { uniform(rng, 0.0, 0.3) } else { 0.0 };
        let grain = uniform(rng, -2.2, -1.2).exp();
        let strength = uniform(rng, 0.15, 1.0);
        let person = Self::draw(rng, strength, shapes[0].greater);
        shapes.map(|shape| {
            let mut own = person;
            own.network = network;
            own.trabeculae = trabeculae * (1.0 + normal(rng, 0.0, 0.08));
            own.grain = grain;
            own.salt = [uniform(rng, 0.0, 512.0), uniform(rng, 0.0, 512.0)];
            for line in &mut own.lines {
                line.height *= uniform(rng, 0.6, 1.3);
                let shift = [normal(rng, 0.0, 0.8), normal(rng, 0.0, 1.2)];
                for point in &mut line.points {
                    *point = [point[0] + shift[0], point[1] * (shape.greater / shapes[0].greater) + shift[1]];
                }
            }
            own
        })
    }

    fn draw(rng: &mut FilmRng, strength: f32, g: f32) -> Self {
        let mut lines = [Line::default(); LINES];
        let spread = |rng: &mut FilmRng, points: [[f32; 2]; POINTS], by: f32| {
            points.map(|[x, y]| [x + normal(rng, 0.0, by), y + normal(rng, 0.0, by)])
        };
        // Intertrochanteric crest, behind: from the greater trochanter's tip down to the lesser trochanter.
        let bow = normal(rng, 1.0, 2.0);
        let crest = [[3.0, 37.0 * g], [1.0 - bow, 24.0], [0.0 - bow, 12.0], [-6.0 - bow, 0.0], [-15.0, -12.0]];
        lines[0] = Line {
            points: spread(rng, crest, 1.0),
            depth: -17.0,
            height: strength * uniform(rng, 0.0, 2.5),
            width: uniform(rng, 0.7, 1.6),
            apron: [uniform(rng, 2.0, 8.0), uniform(rng, 0.1, 0.5)],
            ends: [uniform(rng, 0.5, 1.2), uniform(rng, 0.0, 0.6)],
        };
        // Upper edge of the neck, going on across the base of the greater trochanter.
        let reach = uniform(rng, 2.0, 10.0);
        let rise = uniform(rng, -4.0, 5.0);
        let edge = [[-15.0, 33.5], [-10.0, 32.0], [-4.0, 31.5], [reach * 0.5, 31.0 + rise * 0.5], [reach, 31.0 + rise]];
        lines[1] = Line {
            points: spread(rng, edge, 0.8),
            depth: -6.0,
            height: strength * uniform(rng, 0.3, 3.5),
            width: uniform(rng, 0.6, 1.5),
            apron: [1.0, 0.0],
            ends: [uniform(rng, 0.2, 1.0), uniform(rng, 0.0, 0.8)],
        };
        // Intertrochanteric line, in front: fainter, from the tubercle down and medially.
        let front = [[4.0, 29.0], [0.0, 17.0], [-6.0, 5.0], [-13.0, -7.0], [-19.0, -20.0]];
        lines[2] = Line {
            points: spread(rng, front, 2.0),
            depth: 15.0,
            height: strength * uniform(rng, 0.0, 2.6),
            width: uniform(rng, 0.7, 2.2),
            apron: [uniform(rng, 2.0, 6.0), uniform(rng, 0.0, 0.4)],
            ends: [uniform(rng, 0.2, 1.0), uniform(rng, 0.0, 0.8)],
        };
        // Lateral facet of the greater trochanter.
        let facet = [[11.0, 37.0 * g], [14.0, 28.0 * g], [17.0, 18.0], [18.0, 8.0], [17.0, -4.0]];
        lines[3] = Line {
            points: spread(rng, facet, 1.2),
            depth: 2.0,
            height: strength * uniform(rng, 0.0, 2.4),
            width: uniform(rng, 0.6, 1.5),
            apron: [uniform(rng, 2.0, 4.0), uniform(rng, 0.0, 0.4)],
            ends: [uniform(rng, 0.2, 1.0), uniform(rng, 0.0, 0.8)],
        };
        // Base of the lesser trochanter and the pectineal line, then the gluteal ridge to the linea aspera.
        let pectineal = [[-20.0, -6.0], [-16.0, -15.0], [-12.5, -26.0], [-9.5, -40.0], [-5.0, -58.0]];
        let gluteal = [[14.0, 2.0], [12.0, -15.0], [9.0, -34.0], [5.0, -56.0], [1.0, -88.0]];
        for (line, points, most) in [(4, pectineal, 2.8), (5, gluteal, 2.2)] {
            lines[line] = Line {
                points: spread(rng, points, 1.5),
                depth: -13.0,
                height: strength * uniform(rng, 0.0, most),
                width: uniform(rng, 0.7, 2.0),
                apron: [uniform(rng, 2.0, 6.0), uniform(rng, 0.0, 0.4)],
                ends: [uniform(rng, 0.0, 1.0), uniform(rng, 0.0, 0.6)],
            };
        }
        let lack = if chance(rng, 0.8) { uniform(rng, 0.05, 0.55) } else { 0.0 };
        let fossa = [normal(rng, -1.0, 2.0), normal(rng, 22.0, 2.0), uniform(rng, 4.0, 9.0), lack];
        Self { lines, fossa, trabeculae: 1.0, network: 0.0, grain: 0.0, salt: [0.0; 2] }
    }

    /// Where the lines may be: the rest frame's plane of each, millimeters of the template in front of the neck's.
    pub(crate) fn depths(&self, shape: &FemurShape) -> [f32; LINES] {
        self.lines.map(|line| line.depth * shape.scale())
    }

    /// Millimeters of compact bone that lines and grain add at a film's point; `at` is where its ray crosses the plane of each
    /// line ([`Relief::depths`]), `pixel` the film's pixel in millimeters of the template, below which no line is thin.
    #[must_use]
    pub(crate) fn compact(&self, shape: &FemurShape, at: &[Vec3; LINES], pixel: f32) -> f32 {
        let (k, base) = (shape.scale(), shape.neck_base());
        let mut sum = 0.0;
        for (line, p) in self.lines.iter().zip(at) {
            if line.height < 0.05 {
                continue;
            }
            let q = [(p.x - base.x) / k, (p.y - base.y) / k];
            let Some((off, along)) = line.closest(q, 3.0 * line.width + 3.0 * line.apron[0]) else { continue };
            // A ray through a pixel meets the line's mean over it: wider and, by as much, lower.
            let width = line.width.hypot(0.5 * pixel);
            let ridge = (-(off / width).powi(2)).exp() * line.width / width;
            let apron =
                if off > 0.0 { line.apron[1] * (-off / line.apron[0]).exp() * (off / width).min(1.0) } else { 0.0 };
            let fade = if along < 0.5 {
                line.ends[0] + (1.0 - line.ends[0]) * smoothstep(0.0, 0.5, along)
            } else {
                line.ends[1] + (1.0 - line.ends[1]) * smoothstep(1.0, 0.5, along)
            };
            let tip = smoothstep(0.0, 0.06, along) * smoothstep(1.0, 0.94, along);
            sum += line.height * k * (ridge + apron) * fade * tip;
        }
        sum + self.grain(shape, at[GRAIN_AT])
    }

    /// Millimeters of compact bone that the grain adds or takes at a point of the frontal plane: none in the canal.
    fn grain(&self, shape: &FemurShape, p: Vec3) -> f32 {
        let q = (p - shape.neck_base()) * (1.0 / shape.scale());
        let spongy = smoothstep(-75.0, -25.0, q.y) * (1.2 + 0.7 * smoothstep(-4.0, 10.0, q.x));
        if spongy <= 0.0 {
            return 0.0;
        }
        let ([along, _], tile, [a, b]) = (shape.trabecular_coordinates(p), noise::tile(), self.salt);
        let streak = noise::tile_at(tile, along[0] * 17.0 + a, along[1] * 4.5 + b);
        let speck = noise::tile_at(tile, p.x * 15.0 + b, p.y * 15.0 + a);
        self.grain * spongy * (0.7 * streak + 0.75 * speck)
    }

    /// Share of the spongy bone that is there at a point of the frontal plane, 0..=1: less in the fossa.
    #[must_use]
    pub(crate) fn spongy(&self, shape: &FemurShape, p: Vec3) -> f32 {
        let [x, y, radius, lack] = self.fossa;
        let (k, base) = (shape.scale(), shape.neck_base());
        let (dx, dy) = ((p.x - base.x) / k - x, (p.y - base.y) / k - y);
        1.0 - lack * (-(dx * dx + dy * dy) / (radius * radius)).exp()
    }
}

impl Line {
    /// Signed distance from the line (positive laterally) and place along it (0..=1) of a point at most `reach` away.
    fn closest(&self, q: [f32; 2], reach: f32) -> Option<(f32, f32)> {
        // Most points are far from most lines: those outside the box around a line are sorted out first.
        let far = |k: usize| {
            self.points.iter().all(|p| p[k] > q[k] + reach) || self.points.iter().all(|p| p[k] < q[k] - reach)
        };
        if far(0) || far(1) {
            return None;
        }
        let mut best = (reach, 0.0, 1.0);
        for (i, pair) in self.points.windows(2).enumerate() {
            let [a, b] = [pair[0], pair[1]];
            let (d, to) = ([b[0] - a[0], b[1] - a[1]], [q[0] - a[0], q[1] - a[1]]);
            let t = ((to[0] * d[0] + to[1] * d[1]) / (d[0] * d[0] + d[1] * d[1]).max(1e-6)).clamp(0.0, 1.0);
            let off = (to[0] - t * d[0]).hypot(to[1] - t * d[1]);
            if off < best.0 {
                let side = if to[0] * d[1] - to[1] * d[0] < 0.0 { 1.0 } else { -1.0 };
                best = (off, (i as f32 + t) / (POINTS - 1) as f32, side);
            }
        }
        (best.0 < reach).then_some((best.0 * best.2, best.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::v;
    use crate::random::{Stream, stream};

    #[test]
    fn the_crest_runs_between_the_trochanters_and_no_line_lies_on_the_head() {
        let shape = FemurShape::numbered(0);
        for index in 0..20 {
            let [mut relief, _] = Relief::draw_both(&mut stream(1, index, Stream::Relief), &[shape, shape]);
            relief.grain = 0.0;
            let at = |p: Vec3| relief.compact(&shape, &[p; LINES], 0.5);
            let strongest = (-40..60).map(|x| at(shape.neck_base() + v(0.5 * x as f32, -2.0, 0.0))).fold(0.0, f32::max);
            assert!((0.05..12.0).contains(&strongest), "{strongest}");
            assert_eq!(at(Vec3::default()), 0.0);
            assert!((0.3..=1.0).contains(&relief.spongy(&shape, shape.neck_base())));
        }
    }

    #[test]
    fn a_line_has_a_lateral_side_and_an_end() {
        let line =
            Line { points: [[0.0, 20.0], [0.0, 10.0], [0.0, 0.0], [0.0, -10.0], [0.0, -20.0]], ..Line::default() };
        let (off, along) = line.closest([2.0, 10.0], 5.0).unwrap();
        assert!((off - 2.0).abs() < 1e-5 && (along - 0.25).abs() < 1e-5, "{off} {along}");
        assert!(line.closest([-2.0, 10.0], 5.0).unwrap().0 < 0.0);
        assert!(line.closest([6.0, 10.0], 5.0).is_none());
    }
}

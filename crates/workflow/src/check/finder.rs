//! A small landmark finder: where the femoral heads lie on a frontal film, learned from simulated films alone.
//!
//! A template of edges by direction, the mean of many simulated hips, is laid over the film at every place, size and side; the two
//! sides of a pelvis are sought together. Ridge regressions of the same edges, learned on hips that were moved at random, then bring
//! the place nearer, and at last the head's own outline does. None of them looks at gray values, which differ more between simulated and
//! real films than directions of edges do.

use coxa_schema::Side;
use coxa_simulate::HipOnFilm;
use coxa_simulate::random::{Stream, stream, uniform};

use super::circle;
use super::edges::{DIRECTIONS, Edges};
use super::hip::{HipFrame, Plane};
use super::moves::{FilmHip, HipFilm, hips_of};
use super::ridge::Ridge;

/// Pixels a head radius has where edges are taken.
const RADIUS: f32 = 12.0;
/// Pixels between the places at which a hip's edges are taken.
const STEP: isize = 4;
/// The places, in steps from the head's center: to the side, and down.
const ACROSS: std::ops::RangeInclusive<isize> = -6..=7;
const DOWN: std::ops::RangeInclusive<isize> = -5..=9;
/// Pixels around the places that the edges' surround needs.
const MARGIN: isize = 12;
/// Head radii that are tried, as shares of the film's longest side, each larger than the last by [`GROWTH`].
const SMALLEST: f32 = 0.034;
const LARGEST: f32 = 0.125;
const GROWTH: f32 = 1.13;
/// Pixels between the places at which the template is laid.
const STRIDE: usize = 2;
/// Candidates of each size and side.
const CANDIDATES: usize = 6;
/// Moved copies of each hip that the regressions learn from.
const COPIES: usize = 8;
/// The farthest that a copy is moved, in head radii, and its largest change of size.
const FARTHEST: f32 = 0.45;
const RESIZED: f32 = 0.16;
/// How often a found place is brought nearer.
const ROUNDS: usize = 4;
/// A hip that fits the template less than this has another anatomy than those of the lessons: its head's outline decides.
const FOREIGN: f32 = 0.75;
/// Between the hips of a pelvis, in head radii: expected, and what is still believed.
const DISTANCE: [f32; 3] = [5.2, 7.2, 9.5];

/// A finder, as it was learned.
pub struct Finder {
    template: Vec<f32>,
    /// The mean edges of whole films, which the template does not count.
    usual: [f32; DIRECTIONS],
    /// Moves of the place, in head radii to the side and down, and the logarithm of the change of size.
    moves: Ridge<3>,
    /// The least score of a hip that is believed.
    least: f32,
}

/// A hip that was found, with how well it fits the template.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// The hip.
    pub hip: HipOnFilm,
    /// How well it fits: the simulated hips that were learned from lie around 1.
    pub score: f32,
}

impl Finder {
    /// Learns from films whose hips are known. Of no film at all, a finder that finds nothing.
    pub fn learn(films: &[HipFilm]) -> Self {
        let hips = hips_of(films);
        let own: Vec<Vec<f32>> = hips.iter().map(|known| features(&known.film.plane, known.hip)).collect();
        let usual = usual_edges(&hips);
        let template = template_of(&own, &usual);
        let fit = |features: &[f32]| score(&template, features, &usual);
        let mut scores: Vec<f32> = own.iter().map(|features| fit(features)).collect();
        scores.sort_by(f32::total_cmp);
        let middle = scores.get(scores.len() / 2).copied().unwrap_or(f32::INFINITY);
        let mut rng = stream(20, 0, Stream::View);
        let mut samples = Vec::new();
        for known in &hips {
            for _ in 0..COPIES {
                let mut draw = |most: f32| uniform(&mut rng, -most, most);
                let (local, growth) = ([draw(FARTHEST), draw(FARTHEST)], draw(RESIZED));
                let radius = known.hip.radius * growth.exp();
                let moved = HipOnFilm { head: known.hip.on_film(local), radius, ..*known.hip };
                let [u, v] = moved.local(known.hip.head);
                samples.push((features(&known.film.plane, &moved), [u, v, -growth]));
            }
        }
        let template: Vec<f32> = template.iter().map(|w| w / middle.max(1e-6)).collect();
        Self { template, usual, moves: Ridge::fit(&samples, 30.0), least: 0.45 }
    }

    /// The hips of a frontal film of the pelvis or a hip, the patient's right one first; none where nothing looks like one.
    pub fn find(&self, plane: &Plane) -> Vec<Found> {
        let candidates = self.candidates(plane);
        let mut found: Vec<Found> =
            best(&candidates).into_iter().map(|candidate| self.refined(plane, candidate)).collect();
        found.retain(|found| found.score >= self.least);
        found.sort_by_key(|found| found.hip.side != Side::Right);
        found
    }

    /// Brings a hip nearer, from a place at most half a head radius away.
    fn refine(&self, plane: &Plane, mut hip: HipOnFilm) -> HipOnFilm {
        for _ in 0..ROUNDS {
            let [u, v, growth] = self.moves.predict(&features(plane, &hip));
            let local = [u.clamp(-0.5, 0.5), v.clamp(-0.5, 0.5)];
            hip = HipOnFilm { head: hip.on_film(local), radius: hip.radius * growth.clamp(-0.2, 0.2).exp(), ..hip };
        }
        hip
    }

    fn refined(&self, plane: &Plane, candidate: Found) -> Found {
        let hip = self.refine(plane, candidate.hip);
        let score = score(&self.template, &features(plane, &hip), &self.usual);
        let hip = if score < FOREIGN { circle::refined(plane, &hip) } else { hip };
        Found { hip, score }
    }

    /// The best places of each size and side.
    fn candidates(&self, plane: &Plane) -> Vec<Found> {
        let longest = plane.width.max(plane.height) as f32;
        let mut candidates = Vec::new();
        let mut radius = SMALLEST * longest;
        while radius <= LARGEST * longest {
            for side in [Side::Right, Side::Left] {
                candidates.extend(self.candidates_of(plane, side, radius));
            }
            radius *= GROWTH;
        }
        candidates
    }

    fn candidates_of(&self, plane: &Plane, side: Side, radius: f32) -> Vec<Found> {
        let scale = radius / RADIUS;
        let (width, height) = ((plane.width as f32 / scale) as usize, (plane.height as f32 / scale) as usize);
        if width < 8 || height < 8 {
            return Vec::new();
        }
        // On the mirrored film of a right hip the side away from the body is that of growing columns, as on the frame's.
        let corner = if side == Side::Right { plane.width as f32 } else { 0.0 };
        let frame = HipOnFilm { side, head: [corner, 0.0], radius };
        let small = sampled(plane, &frame, [0, 0], width, height);
        let edges = Edges::of(&small);
        let (columns, rows) = (width.div_ceil(STRIDE), height.div_ceil(STRIDE));
        let mut scores = vec![0.0_f32; columns * rows];
        for (i, total) in scores.iter_mut().enumerate() {
            let (x, y) = ((i % columns * STRIDE) as isize, (i / columns * STRIDE) as isize);
            *total = self.score_at(&edges, x, y);
        }
        let mut found = Vec::new();
        for _ in 0..CANDIDATES {
            let Some((i, &score)) = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)) else { break };
            let (x, y) = (i % columns, i / columns);
            let local = [x, y].map(|q| (q * STRIDE) as f32 / RADIUS);
            found.push(Found { hip: HipOnFilm { head: frame.on_film(local), ..frame }, score });
            let near = (RADIUS * 0.5) as usize / STRIDE;
            for row in y.saturating_sub(near)..(y + near + 1).min(rows) {
                scores[row * columns + x.saturating_sub(near)..row * columns + (x + near + 1).min(columns)]
                    .fill(f32::MIN);
            }
        }
        found
    }

    fn score_at(&self, edges: &Edges, x: isize, y: isize) -> f32 {
        let mut total = 0.0;
        let mut weights = self.template.chunks_exact(DIRECTIONS);
        for v in DOWN {
            for u in ACROSS {
                let Some(weights) = weights.next() else { break };
                let values = edges.at(x + u * STEP, y + v * STEP);
                total += (0..DIRECTIONS).map(|d| weights[d] * (values[d] - self.usual[d])).sum::<f32>();
            }
        }
        total
    }
}

/// The film seen in a hip's frame, [`RADIUS`] pixels a head radius, from the pixel `origin` of the frame on.
fn sampled(plane: &Plane, hip: &HipOnFilm, origin: [isize; 2], width: usize, height: usize) -> Plane {
    let side = hip.radius / RADIUS;
    let mut values = Vec::with_capacity(width * height);
    for i in 0..width * height {
        let (x, y) = (origin[0] + (i % width) as isize, origin[1] + (i / width) as isize);
        let [x, y] = hip.on_film([(x as f32 + 0.5) / RADIUS, (y as f32 + 0.5) / RADIUS]);
        let inside = |q: f32, n: usize| q.clamp(0.5 * side, (n as f32 - 0.5 * side).max(0.5 * side));
        values.push(plane.mean_at([inside(x, plane.width), inside(y, plane.height)], side).unwrap_or(0.0));
    }
    Plane { width, height, values }
}

/// The edges at the places of a hip.
fn features(plane: &Plane, hip: &HipOnFilm) -> Vec<f32> {
    let origin = [ACROSS.start() * STEP - MARGIN, DOWN.start() * STEP - MARGIN];
    let size =
        |range: std::ops::RangeInclusive<isize>| ((range.end() - range.start()) * STEP + 2 * MARGIN + 1) as usize;
    let edges = Edges::of(&sampled(plane, hip, origin, size(ACROSS), size(DOWN)));
    let mut features = Vec::with_capacity(ACROSS.count() * DOWN.count() * DIRECTIONS);
    for v in DOWN {
        for u in ACROSS {
            features.extend_from_slice(edges.at(u * STEP - origin[0], v * STEP - origin[1]));
        }
    }
    features
}

fn score(template: &[f32], features: &[f32], usual: &[f32; DIRECTIONS]) -> f32 {
    template.iter().zip(features).enumerate().map(|(i, (w, q))| w * (q - usual[i % DIRECTIONS])).sum()
}

/// The mean edges of the films at their hips' size.
fn usual_edges(hips: &[FilmHip<'_>]) -> [f32; DIRECTIONS] {
    let mut usual = [0.0; DIRECTIONS];
    for known in hips {
        let plane = &known.film.plane;
        let scale = known.hip.radius / RADIUS;
        let corner = if known.hip.side == Side::Right { plane.width as f32 } else { 0.0 };
        let frame = HipOnFilm { head: [corner, 0.0], ..*known.hip };
        let (width, height) = ((plane.width as f32 / scale) as usize, (plane.height as f32 / scale) as usize);
        let mean = Edges::of(&sampled(plane, &frame, [0, 0], width.max(1), height.max(1))).mean();
        usual.iter_mut().zip(mean).for_each(|(sum, q)| *sum += q / hips.len() as f32);
    }
    usual
}

/// How much the hips differ from a film's usual edges, measured by how much they differ among themselves.
fn template_of(hips: &[Vec<f32>], usual: &[f32; DIRECTIONS]) -> Vec<f32> {
    let (Some(first), n) = (hips.first(), hips.len() as f32) else { return Vec::new() };
    let mut template: Vec<f32> = (0..first.len())
        .map(|i| {
            let mean = hips.iter().map(|hip| hip[i]).sum::<f32>() / n;
            let spread = (hips.iter().map(|hip| (hip[i] - mean).powi(2)).sum::<f32>() / n).sqrt();
            (mean - usual[i % DIRECTIONS]) / (spread + 0.15)
        })
        .collect();
    let mean = template.iter().sum::<f32>() / template.len() as f32;
    template.iter_mut().for_each(|w| *w -= mean);
    template
}

/// The best pair of hips of one pelvis, or the best single hip where no pair is about as good.
fn best(candidates: &[Found]) -> Vec<Found> {
    let Some(single) = candidates.iter().max_by(|a, b| a.score.total_cmp(&b.score)) else { return Vec::new() };
    let of = |side: Side| candidates.iter().filter(move |candidate| candidate.hip.side == side);
    let mut pair: Option<(f32, [Found; 2])> = None;
    for right in of(Side::Right) {
        for left in of(Side::Left) {
            let total = right.score + left.score - misfit(&right.hip, &left.hip);
            if pair.as_ref().is_none_or(|(most, _)| total > *most) {
                pair = Some((total, [*right, *left]));
            }
        }
    }
    match pair {
        Some((total, pair)) if total > 1.5 * single.score => pair.to_vec(),
        _ => vec![*single],
    }
}

/// How little two hips look like one pelvis; beyond belief, infinite.
fn misfit(right: &HipOnFilm, left: &HipOnFilm) -> f32 {
    let radius = 0.5 * (right.radius + left.radius);
    let apart = (left.head[0] - right.head[0]) / radius;
    let (uneven, [least, usual, most]) = ((left.head[1] - right.head[1]) / radius, DISTANCE);
    let unequal = (left.radius / right.radius).ln().abs();
    if !(least..=most).contains(&apart) || unequal > 0.18 || uneven.abs() > 2.5 {
        return f32::INFINITY;
    }
    0.05 * (apart - usual).powi(2) + 0.05 * uneven.powi(2)
}

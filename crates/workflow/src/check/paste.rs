//! Parts of a hip pasted from one film into another: matched in mean and deviation, with soft edges.

use coxa_simulate::HipOnFilm;
use coxa_simulate::film::beam::gaussian_blur;
use coxa_simulate::geometry::smoothstep;

use super::hip::{HipFrame, Local, Plane};

/// What is pasted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// What it is called in tables.
    pub name: &'static str,
    /// The ellipses that it is made of.
    shape: &'static [Ellipse],
    /// Which spatial frequencies of it.
    pub band: Band,
}

/// An ellipse of a hip's frame: center and semi-axes in head radii.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ellipse {
    center: Local,
    axes: Local,
}

/// Which spatial frequencies of a part are pasted; lengths are standard deviations of a Gaussian in pixels of the film that receives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Band {
    /// All of them.
    Whole,
    /// The part low-passed.
    Smoothed(f32),
    /// Only what is finer, on what the receiving film has of the rest.
    Finer(f32),
    /// Only what is coarser, under what the receiving film has of the rest.
    Coarser(f32),
}

const fn ellipse(center: Local, axes: Local) -> Ellipse {
    Ellipse { center, axes }
}

const fn part(name: &'static str, shape: &'static [Ellipse]) -> Part {
    Part { name, shape, band: Band::Whole }
}

const fn band(name: &'static str, band: Band) -> Part {
    Part { name, shape: WHOLE, band }
}

const WHOLE: &[Ellipse] = &[ellipse([0.0, 0.0], [2.0, 1.8]), ellipse([1.2, 1.9], [1.7, 2.5])];

/// The parts in the order of the tables.
pub const PARTS: [Part; 12] = [
    part("whole hip", WHOLE),
    part("head and acetabulum", &[ellipse([-0.05, -0.1], [1.45, 1.4])]),
    part("shaft", &[ellipse([1.25, 3.7], [1.2, 1.3])]),
    part("calcar and lesser trochanter", &[ellipse([0.35, 2.05], [0.7, 0.85])]),
    part("between the trochanters", &[ellipse([1.2, 1.65], [0.85, 0.7])]),
    part("neck", &[ellipse([0.85, 0.75], [0.7, 0.7])]),
    part("greater trochanter, lateral", &[ellipse([2.15, 1.0], [0.75, 1.05])]),
    part("pelvis medial of the hip", &[ellipse([-1.75, 0.3], [0.75, 1.5])]),
    band("whole, smoothed by 2 px", Band::Smoothed(2.0)),
    band("whole, smoothed by 4 px", Band::Smoothed(4.0)),
    band("only what is finer than 1 px", Band::Finer(1.0)),
    band("only what is coarser than 8 px", Band::Coarser(8.0)),
];

/// How a donor is bent so that its shaft lies on the receiving film's: a step between two shafts would be a fracture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bend {
    /// The middle of the shaft in the frame of the film that receives it, and in the donor's.
    middle: [f32; 2],
    /// The donor's width over the receiving film's.
    ratio: f32,
}

/// Levels between which the bend sets in: below the neck, and where the shaft begins.
const BENT: [f32; 2] = [0.6, 2.6];

impl Bend {
    /// None at all.
    pub const NONE: Bend = Bend { middle: [0.0; 2], ratio: 1.0 };

    /// From the borders of both shafts, the receiving film's first; none where either is not known.
    pub fn between(own: Option<[f32; 2]>, donor: Option<[f32; 2]>) -> Self {
        let (Some(own), Some(donor)) = (own, donor) else { return Self::NONE };
        let [middle, width] = [|b: [f32; 2]| 0.5 * (b[0] + b[1]), |b: [f32; 2]| b[1] - b[0]];
        Bend { middle: [middle(own), middle(donor)], ratio: width(donor) / width(own) }
    }

    /// Where in the donor's frame that lies which is to stand at a point of the receiving film's.
    fn at(&self, [u, v]: Local) -> Local {
        let straight = self.middle[1] + (u - self.middle[0]) * self.ratio;
        [u + (straight - u) * smoothstep(BENT[0], BENT[1], v), v]
    }
}

/// Width of the soft edge in head radii.
const EDGE: f32 = 0.6;

/// The least share of a part that both films must show.
const LEAST_SHOWN: f32 = 0.9;

/// The narrowest and widest deviation by which a donor is stretched to the receiving film's.
const STRETCH: [f32; 2] = [0.2, 5.0];

impl Part {
    /// How far a point belongs to the part: 1 inside, 0 outside, between them along the soft edge.
    fn weight(&self, [u, v]: Local) -> f32 {
        let of = |e: &Ellipse| {
            let (du, dv) = ((u - e.center[0]) / e.axes[0], (v - e.center[1]) / e.axes[1]);
            let depth = (1.0 - du.hypot(dv)) * e.axes[0].min(e.axes[1]);
            smoothstep(-0.5 * EDGE, 0.5 * EDGE, depth)
        };
        self.shape.iter().map(of).fold(0.0, f32::max)
    }

    /// The part's box in the hip's frame: least and greatest `u`, least and greatest `v`.
    fn bounds(&self) -> [f32; 4] {
        self.shape.iter().fold([f32::MAX, f32::MIN, f32::MAX, f32::MIN], |b, e| {
            let ([u, v], [a, c]) = (e.center, [e.axes[0] + EDGE, e.axes[1] + EDGE]);
            [b[0].min(u - a), b[1].max(u + a), b[2].min(v - c), b[3].max(v + c)]
        })
    }
}

/// A window of the receiving film around a part: the film's own values, the donor's at the same places, and the part's weights.
struct Window {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    own: Vec<f32>,
    donor: Vec<f32>,
    weight: Vec<f32>,
}

impl Window {
    /// `None` where either film shows too little of the part.
    fn new(
        (film, hip): (&Plane, &HipOnFilm),
        (donor, donor_hip): (&Plane, &HipOnFilm),
        bend: Bend,
        part: &Part,
    ) -> Option<Self> {
        let [u0, u1, v0, v1] = part.bounds();
        let corners = [hip.on_film([u0, v0]), hip.on_film([u1, v1])];
        let range = |a: f32, b: f32, n: usize| {
            let (low, high) = (a.min(b).floor(), a.max(b).ceil());
            (low.clamp(0.0, n as f32) as usize, high.clamp(0.0, n as f32) as usize, high - low)
        };
        let (left, right, across) = range(corners[0][0], corners[1][0], film.width);
        let (top, bottom, down) = range(corners[0][1], corners[1][1], film.height);
        let (width, height) = (right.saturating_sub(left), bottom.saturating_sub(top));
        if (width * height) as f32 <= across * down * 0.5 {
            return None;
        }
        let mut window = Self { left, top, width, height, own: Vec::new(), donor: Vec::new(), weight: Vec::new() };
        let (mut shown, mut wanted) = (0.0, 0.0);
        let scale = donor_hip.radius / hip.radius;
        for i in 0..width * height {
            let (x, y) = (left + i % width, top + i / width);
            let local = hip.local([x as f32 + 0.5, y as f32 + 0.5]);
            let weight = part.weight(local);
            let own = film.values[y * film.width + x];
            let value = donor.mean_at(donor_hip.on_film(bend.at(local)), scale);
            wanted += weight;
            shown += if value.is_some() { weight } else { 0.0 };
            window.own.push(own);
            window.donor.push(value.unwrap_or(own));
            window.weight.push(if value.is_some() { weight } else { 0.0 });
        }
        // What the receiving film cuts off counts as not shown.
        let seen = (width * height) as f32 / (across * down);
        (wanted > 0.0 && shown >= LEAST_SHOWN * wanted && seen >= 0.8).then_some(window)
    }

    /// Weighted mean and deviation.
    fn moments(&self, values: &[f32]) -> (f32, f32) {
        let total: f32 = self.weight.iter().sum();
        let mean = values.iter().zip(&self.weight).map(|(q, w)| q * w).sum::<f32>() / total;
        let square = values.iter().zip(&self.weight).map(|(q, w)| (q - mean).powi(2) * w).sum::<f32>() / total;
        (mean, square.sqrt())
    }

    fn blurred(&self, values: &[f32], sigma: f32) -> Vec<f32> {
        let mut plane = values.to_vec();
        gaussian_blur(&mut plane, self.width, self.height, sigma);
        plane
    }

    /// The donor matched to the receiving film in mean and deviation.
    fn match_tone(&mut self) {
        let ((own, own_spread), (mean, spread)) = (self.moments(&self.own), self.moments(&self.donor));
        let stretch = (own_spread / spread.max(1e-3)).clamp(STRETCH[0], STRETCH[1]);
        for value in &mut self.donor {
            *value = own + (*value - mean) * stretch;
        }
    }

    /// What is to stand where the weight is 1.
    fn mixed(&self, band: Band) -> Vec<f32> {
        match band {
            Band::Whole => self.donor.clone(),
            Band::Smoothed(sigma) => self.blurred(&self.donor, sigma),
            Band::Finer(sigma) => self.exchange(&self.blurred(&self.own, sigma), &self.blurred(&self.donor, sigma)),
            Band::Coarser(sigma) => {
                let (own, donor) = (self.blurred(&self.own, sigma), self.blurred(&self.donor, sigma));
                self.own.iter().zip(own.iter().zip(donor)).map(|(q, (own, donor))| q - own + donor).collect()
            }
        }
    }

    fn exchange(&self, own: &[f32], donor: &[f32]) -> Vec<f32> {
        own.iter().zip(self.donor.iter().zip(donor)).map(|(own, (q, smooth))| own + q - smooth).collect()
    }
}

/// A film with a part of another film's hip, bent, in place of its own. `None` where either film shows too little of the part.
pub fn paste((film, hip): (&Plane, &HipOnFilm), donor: (&Plane, &HipOnFilm), bend: Bend, part: &Part) -> Option<Plane> {
    let mut window = Window::new((film, hip), donor, bend, part)?;
    window.match_tone();
    let mixed = window.mixed(part.band);
    let mut pasted = film.clone();
    for (i, (value, weight)) in mixed.iter().zip(&window.weight).enumerate() {
        let at = (window.top + i / window.width) * film.width + window.left + i % window.width;
        pasted.values[at] = (film.values[at] * (1.0 - weight) + value * weight).clamp(0.0, 255.0);
    }
    Some(pasted)
}

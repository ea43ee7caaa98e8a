//! Pictures that are no radiographs of a hip, drawn by formulas: pages, noise, photographs, other parts of the body as sketches. They
//! stand for what a picture archive may send and no dataset holds.

use coxa_simulate::accessories::font;
use coxa_simulate::noise::Noise;
use coxa_simulate::random::{FilmRng, Stream, chance, stream, uniform};

use super::picture::Picture;

/// The kinds of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drawn {
    /// One gray level, or almost.
    Blank,
    /// Noise of any grain.
    Noise,
    /// Levels that rise or fall evenly, or in rings.
    Gradient,
    /// Lines of print.
    Page,
    /// Surfaces, edges and shadows.
    Photograph,
    /// Stripes, squares and wedges, as of test images.
    Pattern,
    /// A sketch of a chest.
    Chest,
    /// A sketch of a skull.
    Skull,
    /// A sketch of a spine.
    Spine,
}

impl Drawn {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Blank,
        Self::Noise,
        Self::Gradient,
        Self::Page,
        Self::Photograph,
        Self::Pattern,
        Self::Chest,
        Self::Skull,
        Self::Spine,
    ];

    /// What the picture is called in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blank => "drawn blank",
            Self::Noise => "drawn noise",
            Self::Gradient => "drawn gradient",
            Self::Page => "drawn page",
            Self::Photograph => "drawn photograph",
            Self::Pattern => "drawn pattern",
            Self::Chest => "drawn chest",
            Self::Skull => "drawn skull",
            Self::Spine => "drawn spine",
        }
    }

    /// The class that the head learns it as.
    pub fn class(self) -> &'static str {
        match self {
            Self::Chest => "chest",
            _ => "other",
        }
    }

    /// The picture of this number.
    pub fn picture(self, seed: u64, index: u64) -> Picture {
        let rng = &mut stream(seed, index * Self::ALL.len() as u64 + self as u64, Stream::Display);
        let (width, height) = (side(rng), side(rng));
        let noise = Noise::new((index as u32).wrapping_mul(977).wrapping_add(self as u32));
        match self {
            Self::Blank => blank(rng, width, height),
            Self::Noise => grain(rng, width, height, noise),
            Self::Gradient => gradient(rng, width, height),
            Self::Page => page(rng, width, height),
            Self::Photograph => photograph(rng, width, height, noise),
            Self::Pattern => pattern(rng, width, height),
            Self::Chest => chest(rng, width, height, noise),
            Self::Skull => skull(rng, width, height, noise),
            Self::Spine => spine(rng, width, height, noise),
        }
    }
}

fn side(rng: &mut FilmRng) -> usize {
    uniform(rng, 260.0, 620.0) as usize
}

fn blank(rng: &mut FilmRng, width: usize, height: usize) -> Picture {
    let level = if chance(rng, 0.5) { 255.0 * f32::from(u8::from(chance(rng, 0.5))) } else { uniform(rng, 0.0, 255.0) };
    let border = if chance(rng, 0.5) { uniform(rng, 0.0, 0.2) } else { 0.0 };
    let frame = uniform(rng, 0.0, 255.0);
    Picture::drawn(width, height, |u, v| if u.min(v).min(1.0 - u).min(1.0 - v) < border { frame } else { level })
}

fn grain(rng: &mut FilmRng, width: usize, height: usize, noise: Noise) -> Picture {
    let (level, depth) = (uniform(rng, 60.0, 190.0), uniform(rng, 15.0, 120.0));
    let grain = uniform(rng, 0.0, 5.0).exp();
    let rough = uniform(rng, 0.3, 1.0);
    Picture::drawn(width, height, |u, v| {
        let (x, y) = (u * width as f32 / grain, v * height as f32 / grain);
        let octaves = (0..4).map(|k| {
            let scale = f32::from(1_u8 << k);
            rough.powi(k) * noise.plane(x * scale + 31.0 * scale, y * scale)
        });
        level + depth * octaves.sum::<f32>()
    })
}

fn gradient(rng: &mut FilmRng, width: usize, height: usize) -> Picture {
    let (from, to) = (uniform(rng, 0.0, 255.0), uniform(rng, 0.0, 255.0));
    let (sin, cos) = uniform(rng, 0.0, std::f32::consts::TAU).sin_cos();
    let rings = chance(rng, 0.4);
    let [x, y] = [0, 1].map(|_| uniform(rng, 0.2, 0.8));
    Picture::drawn(width, height, |u, v| {
        let along = if rings { 1.6 * (u - x).hypot(v - y) } else { 0.5 + (u - 0.5) * cos + (v - 0.5) * sin };
        from + (to - from) * along.clamp(0.0, 1.0)
    })
}

fn page(rng: &mut FilmRng, width: usize, height: usize) -> Picture {
    let (paper, ink) =
        if chance(rng, 0.7) { (uniform(rng, 200.0, 255.0), uniform(rng, 0.0, 60.0)) } else { (0.0, 255.0) };
    let dot = uniform(rng, 1.0, 3.0);
    let margin = uniform(rng, 0.04, 0.12);
    let advance = (font::WIDTH + 1) as f32 * dot;
    let spacing = (font::HEIGHT as f32 + uniform(rng, 2.0, 6.0)) * dot;
    let columns = ((width as f32 * (1.0 - 2.0 * margin)) / advance) as usize;
    let rows = ((height as f32 * (1.0 - 2.0 * margin)) / spacing) as usize;
    let letters: Vec<char> = ('A'..='Z').chain('0'..='9').chain("     .-:/".chars()).collect();
    let lines: Vec<Vec<char>> = (0..rows)
        .map(|_| {
            let filled = if chance(rng, 0.2) { 0.0 } else { uniform(rng, 0.4, 1.0) };
            let length = (columns as f32 * filled) as usize;
            (0..length)
                .map(|_| letters[(uniform(rng, 0.0, letters.len() as f32) as usize).min(letters.len() - 1)])
                .collect()
        })
        .collect();
    Picture::drawn(width, height, |u, v| {
        let (x, y) = ((u - margin) * width as f32, (v - margin) * height as f32);
        let line = (y / spacing).floor();
        let printed = line >= 0.0
            && lines.get(line as usize).is_some_and(|text| font::ink(text, x / dot, (y - line * spacing) / dot));
        if printed { ink } else { paper }
    })
}

fn photograph(rng: &mut FilmRng, width: usize, height: usize, noise: Noise) -> Picture {
    let horizon = uniform(rng, 0.2, 0.8);
    let (above, below) = (uniform(rng, 60.0, 255.0), uniform(rng, 0.0, 200.0));
    // Place, size, level, and whether round.
    let things: Vec<([f32; 4], f32, bool)> = (0..uniform(rng, 2.0, 12.0) as usize)
        .map(|_| {
            let place =
                [uniform(rng, 0.0, 1.0), uniform(rng, 0.0, 1.0), uniform(rng, 0.04, 0.3), uniform(rng, 0.04, 0.3)];
            (place, uniform(rng, 0.0, 255.0), chance(rng, 0.5))
        })
        .collect();
    let texture = uniform(rng, 3.0, 40.0);
    let grain = uniform(rng, 3.0, 40.0);
    Picture::drawn(width, height, |u, v| {
        let mut value = if v < horizon { above * (1.0 - 0.3 * v) } else { below * (0.6 + 0.4 * v) };
        for &([x, y, a, b], level, round) in &things {
            let (du, dv) = ((u - x) / a, (v - y) / b);
            let inside = if round { du.hypot(dv) < 1.0 } else { du.abs().max(dv.abs()) < 1.0 };
            if inside {
                value = level * (0.8 - 0.3 * du);
            }
        }
        value + texture * noise.plane(u * grain, v * grain)
    })
}

fn pattern(rng: &mut FilmRng, width: usize, height: usize) -> Picture {
    let cells = uniform(rng, 3.0, 24.0).floor();
    let kind = uniform(rng, 0.0, 4.0) as usize;
    let (low, high) = (uniform(rng, 0.0, 110.0), uniform(rng, 130.0, 255.0));
    Picture::drawn(width, height, |u, v| {
        let (x, y) = ((u * cells).floor(), (v * cells).floor());
        match kind {
            0 => {
                if (x + y) % 2.0 == 0.0 {
                    low
                } else {
                    high
                }
            }
            1 => {
                if x % 2.0 == 0.0 {
                    low
                } else {
                    high
                }
            }
            2 => low + (high - low) * x / cells,
            _ => {
                if ((u - 0.5).hypot(v - 0.5) * 2.0 * cells) as i32 % 2 == 0 {
                    low
                } else {
                    high
                }
            }
        }
    })
}

/// 1 inside of an ellipse, 0 outside, with an edge of `soft` radii.
fn ellipse(u: f32, v: f32, [x, y, a, b]: [f32; 4], soft: f32) -> f32 {
    ((1.0 - ((u - x) / a).hypot((v - y) / b)) / soft + 0.5).clamp(0.0, 1.0)
}

/// 1 on a line of `half` width through a place where `distance` is 0, fading to its edges.
fn band(distance: f32, half: f32) -> f32 {
    (1.0 - (distance / half).powi(2)).max(0.0)
}

fn chest(rng: &mut FilmRng, width: usize, height: usize, noise: Noise) -> Picture {
    let mut draw = |low: f32, high: f32| uniform(rng, low, high);
    let (tissue, air, bone) = (draw(130.0, 210.0), draw(40.0, 110.0), draw(15.0, 45.0));
    let (center, wide) = (draw(0.46, 0.54), draw(0.13, 0.17));
    let (top, low) = (draw(0.28, 0.42), draw(0.22, 0.3));
    let (pitch, first, sag) = (draw(0.055, 0.085), draw(0.08, 0.14), draw(0.6, 1.6));
    let (heart, leans) = (draw(0.09, 0.15), draw(0.03, 0.07));
    let (dome, texture) = (draw(0.68, 0.82), draw(3.0, 10.0));
    Picture::drawn(width, height, |u, v| {
        let x = u - center;
        let body = ellipse(u, v, [center, 0.75, draw_width(v), 0.9], 0.1);
        let lungs: f32 = [-1.0, 1.0]
            .map(|side| ellipse(u, v, [center + side * (wide + 0.06), top + 0.06, wide, low], 0.25))
            .iter()
            .sum();
        let lungs = (lungs * (1.0 - ellipse(u, v, [center - 0.16, dome + 0.16, 0.22, 0.2], 0.1)))
            * (1.0 - ellipse(u, v, [center + 0.17, dome + 0.19, 0.22, 0.2], 0.1));
        let heart = ellipse(u, v, [center + leans, top + 0.22, heart, 0.17], 0.15);
        let ribs: f32 = (0..10)
            .map(|k| {
                let y = first + pitch * k as f32;
                let back = band(v - y - 0.12 * x.abs() - sag * x * x, 0.011);
                let front = band(v - y - 0.2 + 0.5 * x.abs(), 0.009) * f32::from(u8::from(x.abs() > 0.12));
                back + 0.6 * front
            })
            .sum();
        let spine = band(x, 0.035) * (0.7 + 0.3 * (v * 90.0).sin());
        let collar = band(v - 0.17 + 0.28 * x.abs(), 0.014) * f32::from(u8::from(x.abs() > 0.03 && x.abs() < 0.3));
        let inside = tissue - (tissue - air) * (lungs - heart).clamp(0.0, 1.0);
        let cage = f32::from(u8::from(x.abs() < 0.33));
        body * (inside + bone * (ribs.min(1.4) * cage + spine + 1.3 * collar))
            + texture * noise.plane(u * 60.0, v * 60.0)
    })
}

/// Half the width of a body with arms hanging down, at a height.
fn draw_width(v: f32) -> f32 {
    if v < 0.12 { 0.2 } else { 0.52 }
}

fn skull(rng: &mut FilmRng, width: usize, height: usize, noise: Noise) -> Picture {
    let mut draw = |low: f32, high: f32| uniform(rng, low, high);
    let (x, y, a, b) = (draw(0.42, 0.58), draw(0.38, 0.48), draw(0.27, 0.38), draw(0.3, 0.38));
    let (brain, bone, thick) = (draw(90.0, 160.0), draw(40.0, 90.0), draw(0.05, 0.1));
    let texture = draw(3.0, 12.0);
    Picture::drawn(width, height, |u, v| {
        let r = ((u - x) / a).hypot((v - y) / b);
        let vault = ellipse(u, v, [x, y, a, b], 0.06);
        let shell = band(r - 1.0 + thick, thick);
        let sockets: f32 = [-1.0, 1.0]
            .map(|side| ellipse(u, v, [x + side * a * 0.42, y + b * 0.4, a * 0.27, b * 0.2], 0.3))
            .iter()
            .sum();
        let jaw = ellipse(u, v, [x, y + b * 1.0, a * 0.62, b * 0.55], 0.1);
        let teeth = band(v - y - b * 1.05, 0.03) * (0.6 + 0.4 * (u * 130.0).sin()) * jaw;
        (vault.max(0.8 * jaw)) * brain + bone * (shell + teeth) - 45.0 * sockets
            + texture * noise.plane(u * 40.0, v * 40.0)
    })
}

fn spine(rng: &mut FilmRng, width: usize, height: usize, noise: Noise) -> Picture {
    let mut draw = |low: f32, high: f32| uniform(rng, low, high);
    let (x, bend, pitch) = (draw(0.4, 0.6), draw(-0.12, 0.12), draw(0.08, 0.15));
    let (tissue, bone, half) = (draw(50.0, 120.0), draw(50.0, 120.0), draw(0.07, 0.12));
    let texture = draw(4.0, 14.0);
    Picture::drawn(width, height, |u, v| {
        let across = (u - x - bend * (v * 3.0).sin()) / half;
        let along = (v / pitch).fract();
        let body = f32::from(u8::from(across.abs() < 1.0 && along > 0.18));
        let edge = body * (band(along - 0.2, 0.08) + band(along - 0.97, 0.08) + band(across.abs() - 0.95, 0.12));
        let process = band(along - 0.55, 0.14) * f32::from(u8::from(across.abs() < 1.9));
        let sides = ellipse(u, v, [x, 0.5, 0.5, 1.2], 0.5);
        sides * tissue + bone * (0.45 * body + 0.5 * edge + 0.35 * process) + texture * noise.plane(u * 50.0, v * 50.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_follow_from_seed_and_number() {
        for kind in Drawn::ALL {
            assert_eq!(kind.picture(1, 3), kind.picture(1, 3), "{kind:?}");
            assert_ne!(kind.picture(1, 3), kind.picture(1, 4), "{kind:?}");
            assert!(kind.picture(1, 3).film().is_ok(), "{kind:?}");
        }
    }
}

//! Metal in a hip from an earlier operation, placed by the hip's landmarks.
//!
//! Sizes follow the makers' surgical techniques: stems 110–160 mm, heads 28–36 mm, cups 46–60 mm, short nails 170–200 mm, lag
//! screws 10.5 mm, side plates 19 mm wide with two to six holes, cannulated screws 6.5–7.3 mm.

use super::landmarks::HipLandmarks;
use crate::film::scene::{Material, Scene};
use crate::film::truth::Hardware;
use crate::geometry::mesh::Mesh;
use crate::geometry::{Vec3, v};
use crate::random::{FilmRng, chance, normal, uniform};

use super::metal::{Plate, Screw, half_ball};

/// Adds the hardware to the scene.
pub fn draw(rng: &mut FilmRng, scene: &mut Scene, hip: &HipLandmarks, kind: Hardware) {
    for (mesh, material, weight) in build(rng, hip, kind) {
        scene.add(&mesh, material, weight);
    }
}

/// The pieces of the hardware: mesh, material and weight.
#[must_use]
pub fn build(rng: &mut FilmRng, hip: &HipLandmarks, kind: Hardware) -> Vec<(Mesh, Material, f32)> {
    match kind {
        Hardware::TotalHip => total_hip(rng, hip),
        Hardware::Hemiarthroplasty => hemiarthroplasty(rng, hip),
        Hardware::Nail => nail(rng, hip),
        Hardware::SlidingScrew => sliding_screw(rng, hip),
        Hardware::CannulatedScrews => cannulated_screws(rng, hip),
    }
}

type Pieces = Vec<(Mesh, Material, f32)>;

/// The shaft axis at `below` millimeters under the neck base.
fn on_shaft(hip: &HipLandmarks, below: f32) -> Vec3 {
    hip.shaft + hip.down * (below - 60.0)
}

/// Neck and stem down the canal, cemented or not.
fn stem(rng: &mut FilmRng, hip: &HipLandmarks, ball: Vec3, pieces: &mut Pieces) {
    let material = if chance(rng, 0.6) { Material::Titanium } else { Material::CobaltChrome };
    let cemented = chance(rng, 0.4);
    let length = uniform(rng, 105.0, 160.0);
    let fill = if cemented { 0.72 } else { 0.98 };
    let wide = (hip.canal_radius * 1.55 * fill).max(6.0);
    let narrow = (hip.canal_radius * 0.85 * fill).max(3.2);
    let shoulder = on_shaft(hip, 2.0) - hip.lateral * 3.0;
    let path = [
        (ball, 6.0),
        (ball.lerp(shoulder, 0.5), 6.2),
        (ball.lerp(shoulder, 0.82), wide * 0.85),
        (on_shaft(hip, 12.0), wide),
        (on_shaft(hip, 35.0), wide * 0.86),
        (on_shaft(hip, 70.0), narrow * 1.15),
        (on_shaft(hip, length - 8.0), narrow),
        (on_shaft(hip, length), narrow * 0.5),
    ];
    pieces.push((Mesh::tube(&path, 18), material, 1.0));
    if cemented {
        let coat = |i: usize| (path[i].0, path[i].1 + 2.4);
        let tip = (on_shaft(hip, length + uniform(rng, 6.0, 20.0)), narrow);
        let mantle = Mesh::tube(&[coat(3), coat(4), coat(5), coat(6), tip], 18);
        pieces.push((mantle, Material::Cement, 0.8));
        pieces.push((Mesh::tube(&path[3..], 18), Material::Cement, -0.8));
    }
}

fn total_hip(rng: &mut FilmRng, hip: &HipLandmarks) -> Pieces {
    let mut pieces = Pieces::new();
    let outer = (hip.head_radius + uniform(rng, 1.5, 5.0)).clamp(22.0, 31.0);
    let shell = uniform(rng, 3.0, 4.5);
    let head = uniform(rng, 13.5, 18.0).min(outer - shell - 3.0);
    let (sin, cos) = normal(rng, 43.0, 6.0).to_radians().sin_cos();
    let opening = (hip.lateral * sin + hip.down * cos + v(0.0, 0.0, 1.0) * uniform(rng, 0.05, 0.4)).unit();
    let all_plastic = chance(rng, 0.2);
    if all_plastic {
        // A cemented polyethylene cup shows by its mantle and its wire.
        pieces.push((half_ball(hip.cup, opening, outer + 2.0), Material::Cement, 0.8));
        pieces.push((half_ball(hip.cup, opening, outer - 1.0), Material::Cement, -0.8));
        pieces.push((super::metal::ring(hip.cup, opening, [outer - 3.0; 2], 0.5), Material::Steel, 1.0));
        pieces.push((half_ball(hip.cup, opening, outer - 1.0), Material::Plastic, 1.0));
    } else {
        pieces.push((half_ball(hip.cup, opening, outer), Material::Titanium, 1.0));
        pieces.push((half_ball(hip.cup, opening, outer - shell), Material::Titanium, -1.0));
        pieces.push((half_ball(hip.cup, opening, outer - shell), Material::Plastic, 1.0));
        for i in 0..uniform(rng, 0.0, 3.9) as usize {
            let spread = hip.lateral * (-0.1 - 0.25 * i as f32) + v(0.0, 0.0, normal(rng, -0.1, 0.2));
            let up = (-hip.down + spread).unit();
            let from = hip.cup + up * (outer - 3.0);
            pieces.push((Screw::cortical(from, from + up * uniform(rng, 18.0, 38.0)).mesh(), Material::Titanium, 1.0));
        }
    }
    let center = hip.cup + opening * uniform(rng, -0.5, 1.5);
    pieces.push((Mesh::ellipsoid(center, v(head, head, head), 36), Material::CobaltChrome, 1.0));
    stem(rng, hip, center, &mut pieces);
    pieces
}

fn hemiarthroplasty(rng: &mut FilmRng, hip: &HipLandmarks) -> Pieces {
    let mut pieces = Pieces::new();
    let radius = hip.head_radius + uniform(rng, -0.5, 1.0);
    pieces.push((Mesh::ellipsoid(hip.cup, v(radius, radius, radius), 44), Material::CobaltChrome, 1.0));
    if chance(rng, 0.6) {
        // Bipolar: a shell around a liner with a small inner head.
        let inner = radius - uniform(rng, 2.5, 4.0);
        pieces.push((Mesh::ellipsoid(hip.cup, v(inner, inner, inner), 44), Material::CobaltChrome, -1.0));
        pieces.push((Mesh::ellipsoid(hip.cup, v(11.0, 11.0, 11.0), 30), Material::CobaltChrome, 1.0));
    }
    stem(rng, hip, hip.cup, &mut pieces);
    pieces
}

/// The line of a lag screw: from the lateral cortex along the neck to short of the head's surface.
fn lag_line(rng: &mut FilmRng, hip: &HipLandmarks, low: f32) -> (Vec3, Vec3) {
    let neck = (hip.head - hip.neck_base).unit();
    let shift = hip.down * low;
    let tip = hip.head + shift * 0.6 + neck * (hip.head_radius - uniform(rng, 8.0, 16.0));
    let entry = hip.neck_base + shift - neck * uniform(rng, 14.0, 20.0);
    (entry, tip)
}

fn nail(rng: &mut FilmRng, hip: &HipLandmarks) -> Pieces {
    let material = if chance(rng, 0.8) { Material::Titanium } else { Material::Steel };
    let long = chance(rng, 0.3);
    let length = if long { uniform(rng, 300.0, 400.0) } else { uniform(rng, 165.0, 205.0) };
    let (entry, tip) = lag_line(rng, hip, 3.0);
    let thin = (hip.canal_radius * 0.9).clamp(4.5, 6.0);
    let top = hip.greater_trochanter.lerp(on_shaft(hip, -28.0), 0.6) - hip.down * uniform(rng, 0.0, 9.0);
    let start = (hip.neck_base - top).length();
    let body = [
        (top, 8.0),
        (on_shaft(hip, 5.0), 8.0),
        (on_shaft(hip, 32.0), 7.6),
        (on_shaft(hip, 55.0), thin),
        (on_shaft(hip, length - start - 6.0), thin),
        (on_shaft(hip, length - start), thin * 0.6),
    ];
    let mut pieces = vec![(Mesh::tube(&body, 16), material, 1.0)];
    let lag = Screw { head: entry, tip, core: 4.1, crest: 5.25, thread: 0.72, pitch: 3.2, head_radius: 5.2 };
    pieces.push((lag.mesh(), material, 1.0));
    if chance(rng, 0.3) {
        let up = -hip.down * uniform(rng, 10.0, 13.0);
        let pin = Screw {
            head: entry + up,
            tip: tip.lerp(entry, 0.2) + up,
            core: 2.4,
            crest: 3.2,
            thread: 0.8,
            pitch: 2.0,
            head_radius: 3.2,
        };
        pieces.push((pin.mesh(), material, 1.0));
    }
    let bolts = if long { [length - start - 18.0, length - start - 36.0] } else { [length - start - 28.0, -1.0] };
    for below in bolts {
        if below < 60.0 || chance(rng, 0.1) {
            continue;
        }
        let middle = on_shaft(hip, below);
        let half = hip.lateral * (hip.shaft_radius + uniform(rng, 1.0, 4.0));
        let bolt = Screw { core: 2.1, crest: 2.5, ..Screw::cortical(middle + half, middle - half) };
        pieces.push((bolt.mesh(), material, 1.0));
    }
    pieces
}

fn sliding_screw(rng: &mut FilmRng, hip: &HipLandmarks) -> Pieces {
    let (entry, tip) = lag_line(rng, hip, 6.0);
    let axis = (tip - entry).unit();
    let lag =
        Screw { head: entry + axis * 10.0, tip, core: 4.0, crest: 6.3, thread: 0.68, pitch: 3.0, head_radius: 4.2 };
    let barrel = Mesh::tube(&[(entry, 6.4), (entry + axis * uniform(rng, 30.0, 40.0), 6.4)], 16);
    let holes = 2 + uniform(rng, 0.0, 4.9) as usize;
    let outward = (hip.lateral - hip.down * hip.lateral.dot(hip.down)).unit();
    let surface = |below: f32| on_shaft(hip, below) + outward * (hip.shaft_radius + 0.8);
    let from = surface((entry - hip.neck_base).dot(hip.down));
    let length = 16.0 * holes as f32 + 14.0;
    let plate = Plate {
        from,
        to: from + hip.down * length,
        outward,
        width: 18.5,
        thickness: uniform(rng, 4.5, 6.0),
        holes: holes + 1,
    };
    let mut pieces =
        vec![(lag.mesh(), Material::Steel, 1.0), (barrel, Material::Steel, 1.0), (plate.mesh(), Material::Steel, 1.0)];
    let depth = 2.0 * hip.shaft_radius + uniform(rng, 1.0, 4.0);
    pieces.extend(plate.screws(|i| i > 0, depth, false).into_iter().map(|m| (m, Material::Steel, 1.0)));
    if chance(rng, 0.3) {
        let up = -hip.down * 11.0;
        pieces.push((Screw::cannulated(entry + up, tip + up * 0.9).mesh(), Material::Steel, 1.0));
    }
    pieces
}

fn cannulated_screws(rng: &mut FilmRng, hip: &HipLandmarks) -> Pieces {
    let material = if chance(rng, 0.5) { Material::Steel } else { Material::Titanium };
    let (entry, tip) = lag_line(rng, hip, 2.0);
    let up = {
        let axis = (tip - entry).unit();
        (-hip.down - axis * (-hip.down).dot(axis)).unit()
    };
    let spread = uniform(rng, 6.0, 9.0);
    let offsets = [-up * spread, up * spread * 0.7 + v(0.0, 0.0, 6.5), up * spread * 0.7 - v(0.0, 0.0, 6.5)];
    let n = if chance(rng, 0.25) { 2 } else { 3 };
    offsets
        .iter()
        .take(n)
        .map(|o| {
            let jitter = v(normal(rng, 0.0, 1.2), normal(rng, 0.0, 1.2), 0.0);
            let out = (entry - tip).unit() * (8.0 + uniform(rng, 0.0, 4.0));
            (Screw::cannulated(entry + *o + out, tip + *o + jitter).mesh(), material, 1.0)
        })
        .collect()
}

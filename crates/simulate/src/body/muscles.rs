//! The muscles around pelvis and thigh as round bellies between their ends, left and right.
//!
//! Drawn as lean tissue among fat, their borders are the fat stripes of a film: along gluteus minimus and medius above the neck,
//! along iliopsoas on the head's medial side and down to the lesser trochanter, along obturator internus inside the pelvic brim,
//! and the planes between the groups of the thigh.

use crate::accessories::curve::curve;
use crate::geometry::mesh::Mesh;
use crate::geometry::{Vec3, v};
use crate::random::{FilmRng, normal};

/// A point of a belly's axis and its radius there. With `hip`, `x` counts from the hip's center and goes laterally, and what lies
/// below the hip moves with the leg; else it counts from the midline.
struct Belly {
    hip: bool,
    /// Depth over width of its cross-section.
    flat: f32,
    path: &'static [[f32; 4]],
}

const fn pelvic(flat: f32, path: &'static [[f32; 4]]) -> Belly {
    Belly { hip: false, flat, path }
}

const fn femoral(flat: f32, path: &'static [[f32; 4]]) -> Belly {
    Belly { hip: true, flat, path }
}

/// Left side of a mean adult with hip centers 84 mm from the midline.
const BELLIES: [Belly; 21] = [
    // Gluteus medius, gluteus minimus, tensor fasciae latae.
    femoral(
        0.8,
        &[[20.0, 112.0, -18.0, 12.0], [38.0, 68.0, -10.0, 24.0], [50.0, 28.0, -8.0, 19.0], [56.0, -2.0, -8.0, 7.0]],
    ),
    femoral(1.0, &[[14.0, 76.0, 4.0, 8.0], [28.0, 42.0, 8.0, 13.0], [44.0, 6.0, 10.0, 5.0]]),
    femoral(
        1.2,
        &[[40.0, 82.0, 34.0, 8.0], [58.0, 34.0, 30.0, 13.0], [66.0, -35.0, 16.0, 11.0], [64.0, -110.0, 4.0, 3.0]],
    ),
    // Gluteus maximus: its upper, middle and lower bundles.
    femoral(
        0.7,
        &[[-20.0, 108.0, -82.0, 14.0], [18.0, 58.0, -80.0, 22.0], [50.0, 2.0, -58.0, 17.0], [60.0, -52.0, -26.0, 6.0]],
    ),
    femoral(
        0.8,
        &[
            [-56.0, 70.0, -88.0, 16.0],
            [-18.0, 18.0, -90.0, 26.0],
            [28.0, -36.0, -66.0, 21.0],
            [48.0, -84.0, -34.0, 8.0],
        ],
    ),
    femoral(
        0.8,
        &[
            [-68.0, 14.0, -94.0, 12.0],
            [-38.0, -24.0, -94.0, 24.0],
            [6.0, -64.0, -78.0, 21.0],
            [42.0, -108.0, -34.0, 8.0],
        ],
    ),
    // Psoas, iliacus.
    pelvic(
        1.0,
        &[
            [34.0, 250.0, -42.0, 15.0],
            [44.0, 175.0, -28.0, 21.0],
            [56.0, 98.0, 0.0, 20.0],
            [70.0, 36.0, 30.0, 16.0],
            [76.0, -2.0, 33.0, 15.0],
            [94.0, -38.0, 10.0, 11.0],
            [104.0, -60.0, -6.0, 5.0],
        ],
    ),
    femoral(
        0.7,
        &[[2.0, 112.0, -2.0, 14.0], [-2.0, 68.0, 14.0, 17.0], [-6.0, 22.0, 28.0, 13.0], [6.0, -24.0, 24.0, 9.0]],
    ),
    // Rectus femoris, sartorius.
    femoral(
        0.8,
        &[[4.0, 24.0, 42.0, 6.0], [10.0, -40.0, 52.0, 14.0], [16.0, -125.0, 56.0, 20.0], [16.0, -240.0, 50.0, 19.0]],
    ),
    femoral(
        0.8,
        &[[34.0, 74.0, 46.0, 5.0], [8.0, -4.0, 62.0, 9.0], [-22.0, -104.0, 56.0, 10.0], [-38.0, -230.0, 34.0, 11.0]],
    ),
    // Vastus lateralis, vastus intermedius and medialis.
    femoral(
        1.3,
        &[[52.0, -30.0, 6.0, 8.0], [57.0, -95.0, 10.0, 20.0], [50.0, -200.0, 8.0, 26.0], [40.0, -320.0, 8.0, 24.0]],
    ),
    femoral(
        1.0,
        &[[34.0, -56.0, 24.0, 8.0], [32.0, -140.0, 30.0, 22.0], [18.0, -270.0, 30.0, 29.0], [8.0, -360.0, 30.0, 26.0]],
    ),
    // Pectineus, adductor longus, adductor magnus, gracilis.
    pelvic(1.0, &[[26.0, -16.0, 42.0, 7.0], [58.0, -40.0, 34.0, 12.0], [98.0, -78.0, 6.0, 6.0]]),
    femoral(
        0.9,
        &[[-66.0, -42.0, 40.0, 6.0], [-40.0, -88.0, 32.0, 17.0], [-10.0, -155.0, 20.0, 17.0], [10.0, -235.0, 4.0, 7.0]],
    ),
    femoral(
        1.2,
        &[
            [-50.0, -66.0, -14.0, 10.0],
            [-36.0, -112.0, -16.0, 25.0],
            [-16.0, -195.0, -20.0, 26.0],
            [-14.0, -320.0, -18.0, 19.0],
        ],
    ),
    femoral(1.6, &[[-74.0, -52.0, 22.0, 4.0], [-66.0, -130.0, 10.0, 9.0], [-58.0, -240.0, 0.0, 9.0]]),
    // Hamstrings.
    femoral(
        0.9,
        &[
            [-24.0, -78.0, -44.0, 10.0],
            [-8.0, -140.0, -52.0, 23.0],
            [4.0, -235.0, -52.0, 27.0],
            [6.0, -340.0, -46.0, 24.0],
        ],
    ),
    // Obturator internus and externus.
    femoral(1.8, &[[-34.0, 26.0, -26.0, 6.0], [-35.0, -8.0, -12.0, 10.0], [-42.0, -40.0, 2.0, 7.0]]),
    femoral(0.9, &[[-58.0, -42.0, 18.0, 7.0], [-30.0, -44.0, 0.0, 11.0], [14.0, -22.0, -20.0, 5.0]]),
    // Quadratus lumborum with erector spinae, obliques.
    pelvic(1.1, &[[34.0, 330.0, -70.0, 26.0], [38.0, 220.0, -72.0, 27.0], [40.0, 120.0, -78.0, 18.0]]),
    pelvic(0.6, &[[62.0, 330.0, -46.0, 16.0], [66.0, 220.0, -46.0, 18.0], [64.0, 150.0, -48.0, 12.0]]),
];

/// The muscles' surfaces in the patient's frame. `legs`: hip center and unit vector down the shaft, right then left; `scale` the
/// pelvis' size over the mean adult's, `bulk` the muscle's.
pub(crate) fn bellies(rng: &mut FilmRng, legs: [(Vec3, Vec3); 2], scale: f32, bulk: f32) -> Mesh {
    let mut all = Mesh::default();
    for belly in &BELLIES {
        let own = 1.0 + normal(rng, 0.0, 0.07);
        for (side, (hip, down)) in [-1.0_f32, 1.0].into_iter().zip(legs) {
            let shift = v(normal(rng, 0.0, 1.5), normal(rng, 0.0, 2.0), normal(rng, 0.0, 1.5));
            let nodes: Vec<(Vec3, f32)> = belly
                .path
                .iter()
                .map(|[x, y, z, r]| {
                    let hip_x = if belly.hip { *x } else { *x - 84.0 } * scale;
                    let leg = if *y < 0.0 { down * (-y * scale) } else { v(0.0, y * scale, 0.0) };
                    (hip + leg + v(side * hip_x, 0.0, *z * scale) + shift, r * scale * bulk * own)
                })
                .collect();
            all.append(&tube(&nodes, belly.flat));
        }
    }
    all
}

/// A round tube along a smooth curve through nodes, its depth `flat` times its width, closed to a point at both ends.
fn tube(nodes: &[(Vec3, f32)], flat: f32) -> Mesh {
    const BETWEEN: usize = 5;
    let squeezed = |p: Vec3| v(p.x, p.y, p.z / flat);
    let centers: Vec<Vec3> = nodes.iter().map(|n| squeezed(n.0)).collect();
    let path = curve(&centers, BETWEEN);
    let last = (path.len() - 1) as f32;
    let along = path.iter().enumerate().map(|(i, p)| {
        let t = i as f32 / last;
        let at = t * (nodes.len() - 1) as f32;
        let k = (at as usize).min(nodes.len() - 2);
        let u = at - k as f32;
        let u = u * u * (3.0 - 2.0 * u);
        let end = (1.0 - (2.0 * t - 1.0).abs().powi(12)).max(0.0).sqrt();
        (*p, (nodes[k].1 * (1.0 - u) + nodes[k + 1].1 * u) * end.max(0.02))
    });
    Mesh::tube(&along.collect::<Vec<_>>(), 18).mapped(|p| v(p.x, p.y, p.z * flat))
}

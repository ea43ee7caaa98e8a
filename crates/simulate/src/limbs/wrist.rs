//! The bones and the skin of a left wrist and hand, in its own frame: origin in the middle of the radiocarpal joint, `x`
//! lateral (radial), `y` proximal, `z` anterior (volar), millimeters.
//!
//! Positions and lengths of the carpals, metacarpals and phalanges were measured on OpenSim's model Arm26 (after Holzbaur et al.,
//! Ann Biomed Eng 2005); radial inclination 22° and volar tilt 11° after Mekhail et al., J Hand Surg 1996.

use super::skeleton::{Bone, Part, Shell};
use super::solid::{Body, ball, block, egg, half, loft, rod, slab};
use crate::geometry::v;

/// The forearm.
pub(super) const FOREARM: usize = 0;
/// Carpals and metacarpals.
pub(super) const HAND: usize = 1;
/// The four fingers.
pub(super) const FINGERS: usize = 2;
/// The thumb beyond its metacarpal.
pub(super) const THUMB: usize = 3;

/// Nodes `[x, y, z, radius]` of a tubular bone from base to head.
type Nodes = &'static [[f32; 4]];

/// The metacarpals: nodes and the plane `y` at which the base ends.
const METACARPALS: [(Nodes, f32); 5] = [
    (&[[25.0, -28.0, 13.0, 7.0], [29.5, -36.0, 19.0, 5.2], [36.5, -45.5, 26.0, 4.9], [41.0, -51.0, 30.0, 6.6]], -20.0),
    (&[[12.5, -33.5, 0.0, 7.3], [15.5, -44.0, -1.0, 4.8], [21.0, -66.0, -0.5, 4.3], [25.0, -81.5, 1.0, 6.6]], -28.8),
    (&[[3.0, -35.0, 0.0, 6.8], [4.5, -46.0, -1.5, 4.6], [7.5, -66.0, -1.5, 4.2], [10.0, -82.5, 0.0, 6.6]], -30.8),
    (&[[-6.0, -35.0, 0.0, 5.6], [-6.0, -46.0, 0.0, 4.0], [-6.0, -66.0, 1.0, 3.7], [-6.5, -83.0, 2.0, 5.8]], -30.8),
    (&[[-13.0, -35.0, 2.0, 5.8], [-14.5, -45.0, 4.0, 4.1], [-16.5, -61.0, 6.0, 3.7], [-17.5, -74.5, 7.0, 5.6]], -30.5),
];

/// The fingers' phalanges from base to head, proximal, middle and distal of each; the thumb's two come first.
const PHALANGES: [Nodes; 14] = [
    &[[47.0, -59.0, 34.5, 6.0], [53.0, -66.0, 39.0, 4.4], [58.0, -73.5, 43.0, 4.8]],
    &[[63.0, -80.0, 48.0, 4.8], [66.5, -84.0, 51.0, 3.2], [70.0, -89.0, 54.0, 3.6]],
    &[[29.5, -93.5, 0.5, 6.1], [33.0, -104.0, 0.0, 4.3], [37.5, -121.0, 0.5, 4.9]],
    &[[39.5, -130.0, 0.5, 4.9], [42.0, -137.0, 1.0, 3.5], [44.0, -145.5, 1.0, 3.9]],
    &[[45.5, -152.0, 1.5, 3.8], [46.8, -158.0, 2.0, 2.4], [48.0, -163.5, 2.5, 2.9]],
    &[[11.5, -95.5, 0.0, 6.1], [13.0, -107.0, -0.5, 4.3], [15.0, -125.0, 0.5, 4.9]],
    &[[16.3, -134.5, 0.5, 4.9], [18.0, -143.0, 1.0, 3.5], [19.5, -153.0, 1.5, 3.9]],
    &[[20.8, -160.0, 2.0, 3.8], [22.0, -166.0, 3.0, 2.4], [23.0, -172.0, 3.5, 2.9]],
    &[[-5.5, -94.5, 5.0, 5.7], [-4.5, -105.0, 7.0, 4.0], [-3.5, -121.0, 10.0, 4.6]],
    &[[-4.0, -130.0, 10.5, 4.6], [-4.4, -137.0, 11.5, 3.3], [-4.4, -145.5, 13.0, 3.7]],
    &[[-4.2, -152.0, 13.0, 3.6], [-4.0, -158.0, 13.5, 2.3], [-4.0, -163.5, 14.0, 2.8]],
    &[[-17.3, -85.0, 12.5, 5.2], [-17.0, -95.0, 16.5, 3.6], [-16.5, -108.0, 21.0, 4.2]],
    &[[-17.0, -116.0, 23.0, 4.1], [-17.4, -122.0, 25.0, 2.9], [-17.6, -129.5, 27.0, 3.3]],
    &[[-18.0, -135.5, 28.0, 3.2], [-18.0, -141.0, 29.5, 2.0], [-18.0, -145.5, 31.0, 2.5]],
];

/// Which metacarpal each proximal phalanx (by its index in [`PHALANGES`]) sits on.
const PROXIMAL: [(usize, usize); 5] = [(0, 0), (2, 1), (5, 2), (8, 3), (11, 4)];

/// The wrist with the whole hand.
pub(super) fn part() -> Part {
    let mut bones = vec![radius(), ulna()];
    bones.extend(carpals());
    for (i, (nodes, base)) in METACARPALS.iter().enumerate() {
        let body = Body::default().chain(nodes, 4.0);
        // The thumb's base is a saddle on the trapezium, the others end flat on the distal row.
        let body = if i == 0 {
            body.cut(block([17.5, -20.0, 10.0], [8.6, 9.0, 8.0], 4.0, [0.0, 0.0, 1.0], 30.0), 1.0)
        } else {
            body.cut(half([0.0, *base, 0.0], [0.0, -1.0, 0.0]), 1.5)
        };
        bones.push(tubular(format!("metacarpal {}", i + 1), HAND, body, nodes, 1.9));
    }
    for (i, nodes) in PHALANGES.iter().enumerate() {
        let mut body = Body::default().chain(nodes, 3.0);
        if let Some((_, ray)) = PROXIMAL.iter().find(|(phalanx, _)| *phalanx == i) {
            let head = METACARPALS[*ray].0[3];
            body = body.cut(ball([head[0], head[1], head[2]], head[3] + 1.7), 1.0);
        }
        let segment = if i < 2 { THUMB } else { FINGERS };
        bones.push(tubular(format!("phalanx of the hand {}", i + 1), segment, body, nodes, 1.4));
    }
    Part { bones, skin: skin(), skin_blend: 10.0, segments: 4 }
}

fn tubular(name: String, segment: usize, body: Body, nodes: &[[f32; 4]], cortex: f32) -> Bone {
    let (a, b) = (nodes[0], nodes[nodes.len() - 1]);
    let shell = Shell::shaft(0.5, cortex, v(a[0], a[1], a[2]), v(b[0], b[1], b[2]));
    Bone::new(name, segment, body, shell, 0.85)
}

fn radius() -> Bone {
    let body = Body::of(loft(
        &[
            [-5.0, 6.0, 0.0, 13.0, 8.5],
            [1.0, 5.0, 0.0, 15.0, 9.5],
            [8.0, 5.0, 0.0, 15.5, 10.0],
            [18.0, 5.5, 0.5, 13.0, 9.0],
            [32.0, 6.0, 1.0, 9.5, 8.0],
            [55.0, 6.0, 1.5, 7.5, 7.0],
            [110.0, 8.0, 2.0, 7.5, 7.0],
            [250.0, 8.0, 2.0, 7.5, 7.0],
        ],
        2.4,
    ))
    .add(rod([15.0, 6.0, 0.0, 6.5], [19.0, -5.5, 0.0, 3.3]), 4.0)
    .cut(ball([-1.0, -23.0, 4.0], 26.8), 1.0);
    Bone::new("radius", FOREARM, body, Shell::ramp(0.6, 2.7, v(0.0, 10.0, 0.0), v(0.0, 65.0, 0.0)), 1.0)
}

fn ulna() -> Bone {
    let body = Body::of(loft(
        &[
            [4.0, -18.5, -1.0, 7.0, 7.0],
            [10.0, -18.5, -1.0, 7.8, 8.0],
            [20.0, -18.5, -1.0, 6.3, 6.5],
            [40.0, -18.5, -1.0, 5.4, 6.0],
            [110.0, -20.0, -2.0, 6.0, 6.5],
            [250.0, -20.0, -2.0, 6.5, 7.0],
        ],
        2.2,
    ))
    .add(rod([-22.5, 7.0, -3.0, 3.2], [-24.0, -2.0, -4.0, 1.8]), 3.0);
    Bone::new("ulna", FOREARM, body, Shell::ramp(0.5, 2.4, v(0.0, 12.0, 0.0), v(0.0, 60.0, 0.0)), 1.0)
}

fn carpals() -> Vec<Bone> {
    let z = [0.0, 0.0, 1.0];
    let bodies = [
        (
            "scaphoid",
            Body::default().chain(&[[4.5, -4.8, -3.0, 6.4], [9.0, -8.5, 1.5, 5.2], [12.5, -12.0, 6.0, 5.8]], 4.0),
        ),
        ("lunate", Body::of(egg([-5.0, -4.5, 0.0], [7.6, 7.0, 8.5])).cut(ball([0.0, -14.0, 0.0], 8.2), 1.0)),
        ("triquetrum", Body::of(egg([-14.5, -11.0, 1.0], [5.8, 7.2, 6.5]))),
        ("pisiform", Body::of(egg([-14.0, -14.0, 12.5], [5.0, 6.2, 4.7]))),
        ("trapezium", Body::of(block([17.5, -20.0, 10.0], [6.8, 7.2, 6.4], 3.5, z, 30.0))),
        ("trapezoid", Body::of(block([10.2, -22.5, 3.0], [4.2, 5.0, 6.5], 2.5, z, 15.0))),
        (
            "capitate",
            Body::of(ball([0.0, -14.0, 0.0], 6.4)).add(block([0.8, -22.5, 0.0], [5.0, 7.0, 7.0], 2.5, z, 0.0), 4.0),
        ),
        (
            "hamate",
            Body::of(block([-9.8, -24.0, 0.0], [4.8, 5.6, 6.5], 3.0, z, -8.0))
                .add(rod([-8.5, -20.0, 0.0, 4.2], [-7.6, -15.5, 0.0, 2.4]), 3.0)
                .add(rod([-10.0, -24.5, 5.0, 3.0], [-9.5, -25.5, 12.5, 2.8]), 3.0),
        ),
    ];
    bodies.map(|(name, body)| Bone::new(name, HAND, body, Shell::even(0.5), 0.9)).into()
}

fn skin() -> Vec<(usize, Body)> {
    let forearm = Body::of(loft(
        &[
            [-2.0, -3.0, 1.0, 27.0, 17.0],
            [20.0, -5.0, 0.0, 28.0, 19.0],
            [60.0, -5.0, 0.0, 30.0, 23.0],
            [120.0, -5.0, 1.0, 34.0, 29.0],
            [250.0, -4.0, 2.0, 41.0, 37.0],
        ],
        2.2,
    ));
    let hand = Body::of(slab([-12.0, -10.0, 3.0, 14.0], [13.0, -12.0, 4.0, 15.0], [25.0, -80.0, 1.0, 13.0]))
        .add(slab([-12.0, -10.0, 3.0, 14.0], [-17.0, -74.0, 6.0, 12.5], [25.0, -80.0, 1.0, 13.0]), 8.0)
        .add(rod([17.0, -22.0, 12.0, 14.0], [38.0, -48.0, 27.0, 13.0]), 10.0);
    let digit = |from: usize, to: usize, thick: f32, thin: f32| {
        let (a, b) = (PHALANGES[from][0], PHALANGES[to][2]);
        rod([a[0], a[1], a[2], thick], [b[0], b[1], b[2], thin])
    };
    let fingers = Body::of(digit(2, 4, 10.5, 7.2))
        .add(digit(5, 7, 10.5, 7.2), 3.0)
        .add(digit(8, 10, 10.0, 7.0), 3.0)
        .add(digit(11, 13, 9.0, 6.4), 3.0);
    let thumb = Body::of(digit(0, 1, 11.5, 8.2));
    vec![(FOREARM, forearm), (HAND, hand), (FINGERS, fingers), (THUMB, thumb)]
}

//! The midfoot, forefoot and toes of a left foot, in the ankle's frame (see [`super::ankle`]).
//!
//! Positions and lengths were measured on the foot of OpenSim's model Gait2392 (Delp et al., IEEE Trans Biomed Eng 1990).

use super::skeleton::{Bone, Shell};
use super::solid::{Body, ball, block, egg, half, rod, slab};
use crate::geometry::v;

/// The foot without the toes.
pub(super) const FOOT: usize = 1;
/// The toes.
pub(super) const TOES: usize = 2;

/// Nodes `[x, y, z, radius]` of a tubular bone from base to head.
type Nodes = &'static [[f32; 4]];

/// The metatarsals: nodes and the plane `z` at which the base ends.
const METATARSALS: [(&str, Nodes, f32); 5] = [
    (
        "metatarsal 1",
        &[
            [-17.0, -22.0, 76.0, 11.0],
            [-18.5, -27.0, 89.0, 7.6],
            [-20.5, -36.0, 112.0, 7.2],
            [-21.5, -40.0, 127.0, 10.2],
        ],
        69.5,
    ),
    (
        "metatarsal 2",
        &[[-3.5, -14.0, 68.0, 8.3], [-0.5, -21.0, 83.0, 5.2], [5.5, -33.0, 115.0, 4.6], [8.5, -39.0, 133.5, 6.3]],
        62.5,
    ),
    (
        "metatarsal 3",
        &[[9.0, -17.5, 66.0, 7.6], [12.5, -23.5, 80.0, 4.8], [19.0, -34.0, 108.0, 4.3], [22.0, -39.5, 124.0, 6.0]],
        61.5,
    ),
    (
        "metatarsal 4",
        &[[21.0, -20.5, 51.0, 7.6], [25.0, -26.0, 66.0, 4.8], [33.5, -35.5, 94.0, 4.3], [37.5, -40.0, 110.0, 5.8]],
        45.5,
    ),
    (
        "metatarsal 5",
        &[[33.0, -27.0, 49.0, 8.0], [38.0, -30.0, 62.0, 5.2], [45.5, -37.5, 83.0, 4.4], [49.5, -41.0, 97.0, 5.8]],
        44.5,
    ),
];

/// The phalanges, from base to head.
const PHALANGES: [Nodes; 14] = [
    &[[-20.0, -43.0, 145.5, 8.6], [-17.0, -44.0, 158.0, 6.0], [-14.0, -44.5, 172.0, 7.2]],
    &[[-12.0, -46.0, 186.0, 7.0], [-10.0, -47.0, 193.0, 4.6], [-8.5, -48.0, 200.0, 5.2]],
    &[[10.0, -42.5, 145.0, 5.8], [12.0, -44.0, 154.0, 3.9], [16.0, -45.0, 168.0, 4.4]],
    &[[17.5, -46.5, 177.0, 4.3], [18.7, -47.0, 182.0, 3.4], [20.0, -47.0, 187.0, 3.6]],
    &[[21.0, -47.5, 194.0, 3.6], [22.4, -48.0, 200.0, 2.7]],
    &[[24.0, -42.5, 135.0, 5.6], [26.5, -44.0, 144.0, 3.7], [30.5, -45.0, 156.0, 4.2]],
    &[[31.5, -46.5, 163.5, 4.0], [33.0, -47.0, 170.5, 3.4]],
    &[[34.0, -47.5, 177.0, 3.4], [35.0, -48.0, 182.5, 2.6]],
    &[[39.0, -43.0, 120.5, 5.4], [41.5, -44.5, 129.0, 3.6], [45.0, -45.0, 141.0, 4.1]],
    &[[46.0, -46.5, 148.0, 3.9], [47.0, -47.0, 153.5, 3.3]],
    &[[48.0, -47.5, 159.5, 3.3], [49.0, -48.0, 165.0, 2.5]],
    &[[51.5, -43.5, 107.5, 5.3], [53.5, -44.5, 116.0, 3.5], [56.5, -45.0, 127.0, 4.0]],
    &[[58.0, -46.5, 133.5, 3.7], [58.7, -47.0, 137.5, 3.2]],
    &[[59.2, -47.5, 143.5, 3.2], [60.0, -48.0, 148.5, 2.4]],
];

/// Which metatarsal head each proximal phalanx (by its index in [`PHALANGES`]) sits on.
const PROXIMAL: [(usize, usize); 5] = [(0, 0), (2, 1), (5, 2), (8, 3), (11, 4)];

/// The bones from navicular to toe tips.
pub(super) fn bones() -> Vec<Bone> {
    let mut bones = vec![navicular(), cuboid()];
    let y = [0.0, 1.0, 0.0];
    let cuneiforms = [
        ("medial cuneiform", block([-18.0, -22.0, 58.0], [7.5, 13.5, 10.5], 5.0, y, -4.0)),
        ("intermediate cuneiform", block([-4.5, -13.5, 54.0], [5.3, 9.5, 7.2], 3.0, y, 4.0)),
        ("lateral cuneiform", block([8.0, -17.5, 52.0], [6.2, 10.0, 8.3], 3.0, y, 8.0)),
    ];
    bones.extend(cuneiforms.map(|(name, solid)| Bone::new(name, FOOT, Body::of(solid), Shell::even(0.5), 1.1)));
    for (name, nodes, base) in METATARSALS {
        let first = Body::default().chain(nodes, 4.0);
        let with_styloid = if name.ends_with('5') {
            first.add(rod([34.0, -28.0, 51.0, 7.0], [41.0, -34.0, 38.0, 4.2]), 4.0).cut(
                // The cuboid stays clear of the base but for the styloid beside it.
                block([26.0, -27.0, 36.0], [11.5, 14.0, 8.5], 3.0, y, 0.0),
                1.5,
            )
        } else {
            first.cut(half([0.0, 0.0, base], [0.0, 0.0, 1.0]), 1.5)
        };
        bones.push(tubular(name.to_owned(), FOOT, with_styloid, nodes, 2.0));
    }
    for (i, nodes) in PHALANGES.iter().enumerate() {
        let mut body = Body::default().chain(nodes, 3.0);
        if let Some((_, ray)) = PROXIMAL.iter().find(|(phalanx, _)| *phalanx == i) {
            let head = METATARSALS[*ray].1[3];
            body = body.cut(ball([head[0], head[1], head[2]], head[3] + 1.8), 1.0);
        }
        bones.push(tubular(format!("phalanx of the foot {}", i + 1), TOES, body, nodes, 1.3));
    }
    for x in [-27.0, -15.5] {
        let body = Body::of(egg([x, -50.5, 126.0], [4.2, 4.0, 5.5]));
        bones.push(Bone::new("sesamoid", FOOT, body, Shell::even(0.7), 0.9));
    }
    bones
}

/// A tubular bone whose cortex is thickest in the middle of its shaft.
fn tubular(name: String, segment: usize, body: Body, nodes: &[[f32; 4]], cortex: f32) -> Bone {
    let (a, b) = (nodes[0], nodes[nodes.len() - 1]);
    let shell = Shell::shaft(0.5, cortex, v(a[0], a[1], a[2]), v(b[0], b[1], b[2]));
    Bone::new(name, segment, body, shell, if cortex > 1.5 { 1.0 } else { 0.85 })
}

fn navicular() -> Bone {
    let body = Body::of(egg([-14.0, -14.0, 36.5], [17.5, 13.5, 9.5]))
        .add(rod([-20.0, -16.0, 37.0, 8.0], [-30.0, -20.0, 34.0, 6.0]), 5.0)
        .cut(ball([-9.5, -12.0, 20.0], 13.8), 1.0)
        .cut(half([0.0, 0.0, 46.0], [0.0, 0.0, -1.0]), 2.0);
    Bone::new("navicular", FOOT, body, Shell::even(0.5), 1.1)
}

fn cuboid() -> Bone {
    let body = Body::of(block([25.0, -27.0, 29.5], [11.5, 11.5, 13.5], 5.0, [0.0, 1.0, 0.0], 8.0));
    Bone::new("cuboid", FOOT, body, Shell::even(0.5), 1.1)
}

/// The skin of the foot and of the toes.
pub(super) fn skin() -> Vec<(usize, Body)> {
    let foot = Body::of(rod([2.0, -14.0, -2.0, 30.0], [-4.0, -24.0, 48.0, 24.0]))
        .add(egg([4.0, -35.0, -40.0], [29.0, 25.0, 31.0]), 18.0)
        .add(slab([-16.0, -30.0, 62.0, 20.0], [24.0, -36.0, 40.0, 18.0], [48.0, -43.0, 94.0, 12.0]), 14.0)
        .add(slab([-16.0, -30.0, 62.0, 20.0], [-19.0, -42.0, 126.0, 14.0], [48.0, -43.0, 94.0, 12.0]), 14.0)
        .add(slab([20.0, -42.0, 124.0, 12.0], [-19.0, -42.0, 126.0, 14.0], [48.0, -43.0, 94.0, 12.0]), 14.0)
        .add(rod([4.0, -36.0, -30.0, 24.0], [22.0, -38.0, 50.0, 16.0]), 14.0);
    let toe = |from: usize, to: usize, thick: f32, thin: f32| {
        let (a, b) = (PHALANGES[from][0], PHALANGES[to][PHALANGES[to].len() - 1]);
        rod([a[0], a[1], a[2], thick], [b[0], b[1] + 1.0, b[2], thin])
    };
    let toes = Body::of(toe(0, 1, 14.5, 11.0))
        .add(toe(2, 4, 10.0, 7.0), 3.0)
        .add(toe(5, 7, 10.0, 6.6), 3.0)
        .add(toe(8, 10, 9.5, 6.4), 3.0)
        .add(toe(11, 13, 9.5, 6.2), 3.0);
    vec![(FOOT, foot), (TOES, toes)]
}

//! The bones and the skin of a left elbow, in its own frame: origin in the middle of the joint, `x` lateral (radial), `y`
//! proximal, `z` anterior, millimeters; the forearm supinated.
//!
//! Sizes: epicondylar width of the humerus 60, trochlea and capitellum 44 wide (Desai et al., J Shoulder Elbow Surg 2014),
//! radial head 22–23 across (King et al., J Shoulder Elbow Surg 2001).

use super::skeleton::{Bone, Part, Shell};
use super::solid::{Body, ball, cylinder, egg, loft, rod};
use crate::geometry::v;

/// The upper arm; the other segment is the forearm.
pub(super) const ARM: usize = 0;
/// The forearm.
pub(super) const FOREARM: usize = 1;

/// The elbow.
pub(super) fn part() -> Part {
    let arm = Body::of(loft(
        &[
            [-12.0, 0.0, 0.0, 34.0, 30.0],
            [15.0, 0.0, -2.0, 38.0, 31.0],
            [50.0, 0.0, 0.0, 36.0, 36.0],
            [120.0, 0.0, 0.0, 41.0, 45.0],
            [300.0, 2.0, 0.0, 47.0, 53.0],
        ],
        2.1,
    ));
    let forearm = Body::of(loft(
        &[
            [-300.0, 4.0, 0.0, 31.0, 27.0],
            [-150.0, 8.0, 2.0, 40.0, 37.0],
            [-80.0, 6.0, 2.0, 44.0, 41.0],
            [-30.0, 4.0, 2.0, 42.0, 37.0],
            [12.0, 3.0, 0.0, 36.0, 30.0],
        ],
        2.1,
    ));
    Part {
        bones: vec![humerus(), ulna(), radius()],
        skin: vec![(ARM, arm), (FOREARM, forearm)],
        skin_blend: 25.0,
        segments: 2,
    }
}

fn humerus() -> Bone {
    let body = Body::of(loft(
        &[
            [3.0, -1.0, 0.0, 22.0, 5.0],
            [14.0, -1.0, -0.5, 26.0, 5.5],
            [24.0, -1.0, -1.0, 23.0, 6.0],
            [38.0, -1.0, -1.5, 16.5, 8.0],
            [55.0, 0.0, -2.0, 12.5, 9.5],
            [85.0, 0.0, -2.0, 11.0, 10.5],
            [150.0, 1.0, -2.0, 10.5, 10.5],
            [300.0, 2.0, -2.0, 11.0, 11.0],
        ],
        2.3,
    ))
    .add(ball([14.0, 0.5, 6.0], 10.5), 3.0)
    .add(rod([-18.0, -1.5, 4.0, 11.0], [-8.0, 0.0, 4.0, 8.5]), 2.0)
    .add(rod([-8.0, 0.0, 4.0, 8.5], [4.0, 0.0, 4.0, 10.0]), 2.0)
    .add(rod([-22.0, 10.0, -3.0, 8.0], [-32.0, 9.0, -5.0, 4.5]), 5.0)
    .add(rod([20.0, 9.0, -1.0, 7.0], [26.0, 8.0, -1.0, 4.0]), 5.0)
    .cut(egg([-4.0, 17.0, -8.0], [10.0, 9.5, 7.2]), 2.0)
    .cut(egg([-5.0, 16.0, 8.5], [8.0, 7.5, 7.0]), 2.0)
    .cut(egg([13.0, 17.0, 10.0], [5.5, 5.0, 5.0]), 2.0);
    Bone::new("humerus", ARM, body, Shell::ramp(0.7, 4.0, v(0.0, 25.0, 0.0), v(0.0, 75.0, 0.0)), 1.2)
}

fn ulna() -> Bone {
    let body = Body::of(rod([-7.0, 17.0, -18.0, 7.0], [-7.0, -4.0, -19.0, 9.0]))
        .add(rod([-7.0, -4.0, -19.0, 9.0], [-6.0, -23.0, -9.0, 9.5]), 6.0)
        .add(rod([-7.0, 19.0, -17.0, 6.0], [-7.0, 17.0, -7.0, 4.0]), 4.0)
        .add(rod([-6.0, -20.0, -6.0, 9.0], [-5.0, -13.0, 12.0, 4.0]), 5.0)
        .chain(
            &[
                [-6.0, -23.0, -9.0, 9.5],
                [-4.0, -45.0, -9.0, 8.0],
                [-1.0, -90.0, -10.0, 7.0],
                [-2.0, -170.0, -8.0, 6.5],
                [-6.0, -300.0, -5.0, 6.0],
            ],
            6.0,
        )
        .cut(cylinder([-30.0, 0.0, 4.0], [9.0, 0.0, 4.0], 12.6), 1.5);
    Bone::new("ulna", FOREARM, body, Shell::ramp(0.7, 3.0, v(0.0, -20.0, 0.0), v(0.0, -70.0, 0.0)), 1.2)
}

fn radius() -> Bone {
    let body = Body::of(cylinder([14.0, -22.5, 6.0], [14.0, -13.0, 6.0], 11.3))
        .add(rod([14.0, -22.0, 6.0, 8.0], [13.0, -34.0, 5.0, 6.8]), 4.0)
        .chain(
            &[
                [13.0, -34.0, 5.0, 6.8],
                [12.0, -48.0, 4.0, 7.2],
                [16.0, -90.0, 4.0, 7.0],
                [20.0, -150.0, 5.0, 7.3],
                [19.0, -300.0, 4.0, 7.3],
            ],
            5.0,
        )
        .add(ball([8.0, -44.0, 4.0], 6.5), 4.0)
        .cut(ball([14.0, -1.0, 6.0], 14.0), 1.0);
    Bone::new("radius", FOREARM, body, Shell::ramp(0.7, 2.9, v(0.0, -28.0, 0.0), v(0.0, -75.0, 0.0)), 1.2)
}

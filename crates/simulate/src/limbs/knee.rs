//! The bones and the skin of a left knee, in its own frame: origin in the middle of the joint line, `x` lateral, `y`
//! proximal, `z` anterior, millimeters.
//!
//! Sizes: epicondylar width of the femur 77 (Mahfouz et al., Clin Orthop Relat Res 2012: 84 in men, 76 in women), tibial plateau
//! 75 × 50 (Kwak et al., Knee 2007), patella 44 × 44 × 21 (Baldwin and House, J Arthroplasty 2005), femoral axis 6° valgus.

use super::skeleton::{Bone, Part, Shell};
use super::solid::{Body, ball, egg, loft, rod};
use crate::geometry::v;

/// Thigh, lower leg and kneecap move separately.
pub(super) const THIGH: usize = 0;
/// See [`THIGH`].
pub(super) const SHANK: usize = 1;
/// See [`THIGH`].
pub(super) const KNEECAP: usize = 2;

/// The knee.
pub(super) fn part() -> Part {
    let bones = vec![femur(), tibia(), fibula(), patella()];
    let thigh = Body::of(loft(
        &[
            [0.0, 0.0, -2.0, 48.0, 50.0],
            [40.0, 1.0, -2.0, 52.0, 53.0],
            [100.0, 5.0, -6.0, 61.0, 64.0],
            [180.0, 10.0, -8.0, 72.0, 76.0],
            [300.0, 15.0, -8.0, 82.0, 86.0],
        ],
        2.1,
    ))
    .add(egg([3.0, 26.0, 40.0], [33.0, 38.0, 22.0]), 20.0);
    let shank = Body::of(loft(
        &[
            [-300.0, 0.0, -10.0, 40.0, 44.0],
            [-190.0, 4.0, -16.0, 51.0, 55.0],
            [-120.0, 4.0, -16.0, 53.0, 58.0],
            [-60.0, 2.0, -8.0, 50.0, 53.0],
            [-20.0, 0.0, -4.0, 50.0, 52.0],
            [6.0, 0.0, -3.0, 46.0, 48.0],
        ],
        2.1,
    ));
    Part { bones, skin: vec![(THIGH, thigh), (SHANK, shank)], skin_blend: 25.0, segments: 3 }
}

fn femur() -> Bone {
    let body = Body::of(loft(
        &[
            [20.0, 0.0, 0.0, 33.0, 17.0],
            [32.0, 0.5, 3.0, 35.5, 20.0],
            [44.0, 2.0, 5.0, 30.0, 19.5],
            [60.0, 4.0, 7.0, 23.5, 18.0],
            [85.0, 7.0, 9.0, 18.5, 16.5],
            [120.0, 11.0, 10.0, 16.0, 15.5],
            [180.0, 17.0, 12.0, 14.5, 14.5],
            [300.0, 28.0, 13.0, 14.0, 14.5],
        ],
        2.2,
    ))
    .add(egg([-22.0, 19.0, -15.0], [12.5, 19.5, 20.0]), 6.0)
    .add(egg([-22.0, 19.0, 4.0], [13.0, 19.5, 24.0]), 6.0)
    .add(egg([21.0, 20.5, -14.0], [12.5, 19.0, 19.0]), 6.0)
    .add(egg([20.5, 19.5, 5.0], [13.5, 18.0, 24.0]), 6.0)
    .add(egg([14.0, 29.0, 23.0], [13.0, 18.0, 13.0]), 8.0)
    .add(egg([-14.0, 27.0, 20.0], [12.0, 16.0, 12.0]), 8.0)
    .add(egg([-37.0, 30.0, -2.0], [6.5, 13.0, 11.0]), 8.0)
    .add(egg([36.0, 29.0, -3.0], [5.5, 12.0, 10.0]), 8.0)
    .cut(egg([-0.5, 5.0, -17.0], [8.0, 20.0, 22.0]), 4.0);
    Bone::new("femur", THIGH, body, Shell::ramp(0.6, 4.8, v(0.0, 35.0, 0.0), v(0.0, 140.0, 0.0)), 1.5)
}

fn tibia() -> Bone {
    let body = Body::of(loft(
        &[
            [-300.0, -2.0, 0.0, 11.5, 13.0],
            [-190.0, -1.0, 1.0, 12.5, 14.5],
            [-120.0, 0.0, 3.0, 14.0, 17.0],
            [-80.0, 0.0, 3.0, 16.5, 19.0],
            [-55.0, 0.0, 2.0, 20.0, 21.0],
            [-38.0, 0.0, 0.0, 26.0, 23.0],
            [-25.0, 0.0, -3.0, 33.0, 24.0],
            [-14.0, 0.0, -4.0, 37.0, 25.0],
            [-4.0, 0.0, -4.0, 37.5, 25.0],
        ],
        2.3,
    ))
    .add(rod([0.0, -60.0, 18.0, 6.0], [-3.0, -300.0, 10.0, 5.0]), 6.0)
    .add(egg([3.0, -42.0, 22.0], [10.0, 16.0, 8.0]), 6.0)
    .cut(ball([-20.0, 42.0, -4.0], 48.0), 2.0)
    .cut(ball([20.0, 60.0, -4.0], 65.2), 2.0)
    .add(rod([-4.5, -9.0, -4.0, 4.0], [-4.0, 2.0, -3.0, 1.3]), 4.0)
    .add(rod([5.0, -9.0, -5.0, 4.0], [4.5, 0.5, -5.0, 1.3]), 4.0);
    Bone::new("tibia", SHANK, body, Shell::ramp(0.7, 4.6, v(0.0, -25.0, 0.0), v(0.0, -130.0, 0.0)), 1.5)
}

fn fibula() -> Bone {
    let body = Body::of(loft(
        &[
            [-300.0, 33.0, -12.0, 6.5, 7.0],
            [-120.0, 37.0, -15.0, 6.3, 7.0],
            [-60.0, 40.0, -18.0, 6.0, 7.0],
            [-42.0, 40.0, -18.0, 7.5, 9.0],
            [-26.0, 40.0, -18.0, 10.0, 11.0],
        ],
        2.2,
    ))
    .add(egg([40.0, -24.0, -18.0], [10.5, 12.0, 12.0]), 5.0)
    .add(rod([42.0, -20.0, -20.0, 6.0], [42.0, -10.0, -22.0, 3.0]), 4.0);
    Bone::new("fibula", SHANK, body, Shell::ramp(0.6, 2.8, v(0.0, -30.0, 0.0), v(0.0, -90.0, 0.0)), 1.2)
}

fn patella() -> Bone {
    let body = Body::of(egg([3.0, 32.0, 50.0], [22.0, 20.0, 10.5])).add(egg([2.0, 15.0, 49.0], [9.0, 9.0, 6.5]), 8.0);
    Bone::new("patella", KNEECAP, body, Shell::even(0.8), 1.2)
}

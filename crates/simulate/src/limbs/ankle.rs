//! The bones of a left lower leg and hindfoot, in the ankle's frame: origin in the middle of the talus' trochlea, `x`
//! lateral, `y` proximal, `z` anterior (towards the toes), millimeters. The ankle and the foot are the same skeleton seen
//! from other sides and framed differently: [`super::foot`] has the rest of it.
//!
//! Sizes: talar dome 30 wide with a radius of 20 (Stagni et al., Clin Biomech 2005), tibial plafond 42 × 36 (Kuo et al.,
//! Clin Anat 2014), calcaneus 76 long (measured on the foot of OpenSim's Gait2392, whose joint positions the frame has).

use super::foot::{self, FOOT};
use super::skeleton::{Bone, Part, Shell};
use super::solid::{Body, cylinder, egg, half, loft, rod};
use crate::geometry::v;

/// The lower leg.
pub(super) const SHANK: usize = 0;
/// The ankle, with the whole foot below it.
pub(super) fn part() -> Part {
    let mut bones = vec![tibia(), fibula(), talus(), calcaneus()];
    bones.extend(foot::bones());
    let mut skin = foot::skin();
    skin.push((
        SHANK,
        Body::of(loft(
            &[
                [-8.0, 1.0, -5.0, 33.0, 34.0],
                [15.0, 1.0, -3.0, 35.0, 35.0],
                [50.0, 1.0, -5.0, 31.0, 36.0],
                [100.0, 2.0, -10.0, 34.0, 42.0],
                [160.0, 4.0, -14.0, 45.0, 51.0],
                [300.0, 6.0, -14.0, 53.0, 57.0],
            ],
            2.1,
        )),
    ));
    Part { bones, skin, skin_blend: 18.0, segments: 3 }
}

fn tibia() -> Bone {
    let body = Body::of(loft(
        &[
            [8.0, -2.0, -2.0, 19.0, 17.0],
            [20.0, -2.0, -1.5, 21.0, 18.0],
            [32.0, -1.5, 0.0, 20.0, 17.5],
            [48.0, -1.0, 1.0, 16.5, 15.5],
            [70.0, 0.0, 2.0, 13.3, 13.5],
            [110.0, 0.0, 2.0, 11.5, 12.5],
            [190.0, 0.0, 2.0, 11.7, 13.2],
            [300.0, 0.0, 2.0, 13.5, 15.0],
        ],
        2.4,
    ))
    .cut(cylinder([-40.0, -7.0, 0.0], [40.0, -7.0, 0.0], 22.7), 1.0)
    .add(rod([-20.0, 20.0, 3.0, 8.0], [-22.5, 2.0, 5.0, 5.5]), 5.0);
    Bone::new("tibia", SHANK, body, Shell::ramp(0.7, 4.4, v(0.0, 30.0, 0.0), v(0.0, 110.0, 0.0)), 1.3)
}

fn fibula() -> Bone {
    let body = Body::of(loft(
        &[
            [-11.0, 24.0, -7.0, 4.0, 5.5],
            [-4.0, 24.8, -7.0, 6.3, 8.5],
            [6.0, 25.3, -7.0, 7.0, 9.5],
            [16.0, 25.0, -8.0, 7.0, 9.0],
            [28.0, 24.8, -9.0, 6.6, 8.0],
            [50.0, 24.3, -10.0, 5.8, 6.8],
            [120.0, 26.0, -11.0, 5.8, 6.5],
            [300.0, 29.0, -12.0, 6.5, 7.0],
        ],
        2.2,
    ));
    Bone::new("fibula", SHANK, body, Shell::ramp(0.7, 2.7, v(0.0, 15.0, 0.0), v(0.0, 70.0, 0.0)), 1.2)
}

fn talus() -> Bone {
    let body = Body::of(cylinder([-14.5, -7.0, 0.0], [15.5, -7.0, 0.0], 19.6))
        .cut(half([0.0, -14.5, 0.0], [0.0, 1.0, 0.0]), 3.0)
        .cut(half([0.0, 0.0, -18.5], [0.0, 0.0, 1.0]), 3.0)
        .add(rod([0.0, -8.0, 6.0, 11.0], [-9.0, -12.0, 20.0, 12.0]), 6.0)
        .add(rod([0.0, -11.0, -11.0, 7.0], [-2.0, -13.0, -20.0, 5.0]), 4.0)
        .add(rod([9.0, -9.0, 0.0, 8.0], [17.0, -15.0, -1.0, 4.5]), 4.0);
    Bone::new("talus", FOOT, body, Shell::even(0.6), 1.3)
}

fn calcaneus() -> Bone {
    let body = Body::of(rod([4.0, -35.0, -38.0, 16.5], [9.0, -33.5, -2.0, 14.0]))
        .add(egg([5.0, -37.0, -45.0], [15.0, 19.5, 13.0]), 10.0)
        .add(egg([8.0, -25.5, -6.0], [13.0, 7.5, 13.0]), 6.0)
        .add(rod([9.0, -31.0, -2.0, 12.0], [13.0, -29.0, 4.0, 10.5]), 6.0)
        .add(rod([-2.0, -25.0, -2.0, 6.0], [-13.0, -24.0, 1.0, 5.0]), 5.0);
    Bone::new("calcaneus", FOOT, body, Shell::even(0.6), 1.3)
}

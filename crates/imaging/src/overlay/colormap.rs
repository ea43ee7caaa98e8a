//! The color of heat: from deep violet over red and orange to pale yellow.
//!
//! Perceptually even by construction: the path is drawn in OKLab (Ottosson 2020), in which lightness rises in equal steps while
//! the hue turns, so equal differences of the map look equal, and the order survives a gray print and color blindness.

/// Lightness, chroma and hue (degrees) at both ends of the path; the hue turns through red.
const DARK: [f32; 3] = [0.36, 0.155, 305.0];
const BRIGHT: [f32; 3] = [0.94, 0.125, 465.0];

/// The color of a share of full heat, 0 to 1 (clipped), as sRGB.
pub fn color(share: f32) -> [u8; 3] {
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    let [lightness, chroma, hue] = std::array::from_fn(|i| DARK[i] + (BRIGHT[i] - DARK[i]) * share);
    let (sin, cos) = hue.to_radians().sin_cos();
    linear_rgb([lightness, chroma * cos, chroma * sin]).map(|v| (255.0 * gamma(v.clamp(0.0, 1.0))).round() as u8)
}

/// OKLab to linear sRGB (Ottosson, "A perceptual color space for image processing", 2020).
fn linear_rgb([l, a, b]: [f32; 3]) -> [f32; 3] {
    let long = (l + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let medium = (l - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let short = (l - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    [
        4.076_741_7 * long - 3.307_711_6 * medium + 0.230_969_94 * short,
        -1.268_438 * long + 2.609_757_4 * medium - 0.341_319_38 * short,
        -0.004_196_086 * long - 0.703_418_6 * medium + 1.707_614_7 * short,
    ]
}

/// The transfer function of sRGB (IEC 61966-2-1).
fn gamma(linear: f32) -> f32 {
    if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CIE lightness of an sRGB color, by another road than OKLab.
    fn cie_lightness(color: [u8; 3]) -> f32 {
        let linear = color.map(|v| {
            let v = f32::from(v) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        });
        116.0 * (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]).cbrt() - 16.0
    }

    #[test]
    fn lightness_rises_evenly() {
        let lightness: Vec<f32> = (0..=16).map(|i| cie_lightness(color(i as f32 / 16.0))).collect();
        let mean = (lightness[16] - lightness[0]) / 16.0;
        for pair in lightness.windows(2) {
            assert!((0.5 * mean..1.6 * mean).contains(&(pair[1] - pair[0])), "{lightness:?}");
        }
    }

    #[test]
    fn the_path_stays_inside_srgb() {
        for i in 0..=64 {
            let share = i as f32 / 64.0;
            let [l, c, h]: [f32; 3] = std::array::from_fn(|i| DARK[i] + (BRIGHT[i] - DARK[i]) * share);
            let (sin, cos) = h.to_radians().sin_cos();
            let rgb = linear_rgb([l, c * cos, c * sin]);
            assert!(rgb.iter().all(|v| (-0.02..=1.02).contains(v)), "{share} {rgb:?}");
        }
    }

    #[test]
    fn white_and_black_are_where_they_should_be() {
        assert!(linear_rgb([1.0, 0.0, 0.0]).iter().all(|v| (v - 1.0).abs() < 1e-3));
        assert_eq!(gamma(0.0), 0.0);
        assert_eq!(color(f32::NAN), color(-1.0));
    }
}

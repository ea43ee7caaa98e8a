//! Where a point of the film lies in the network's input, and back.

/// How a film is brought to the network's square input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fit {
    /// The aspect ratio is kept; the rest of the square is padded with 0, in equal halves on both sides.
    #[default]
    Letterbox,
    /// Width and height are scaled each by its own factor, as in the paper (Cheng et al. 2019).
    Stretch,
}

/// The map between a film's pixels and the network's input.
///
/// Coordinates are continuous: pixel `i` spans `[i, i + 1)`, so its center is `i + 0.5`. Points in the padding map outside the
/// film.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// Columns of the film.
    pub film_width: usize,
    /// Rows of the film.
    pub film_height: usize,
    /// Side of the square input.
    pub size: usize,
    /// How the film was brought to it.
    pub fit: Fit,
    columns: usize,
    rows: usize,
    left: usize,
    top: usize,
}

impl Geometry {
    /// The geometry of a film of `width`×`height` pixels brought to an input of `size`×`size`. Sides of 0 count as 1.
    pub fn new(width: usize, height: usize, size: usize, fit: Fit) -> Self {
        Self::of_pixels(width, height, 1.0, size, fit)
    }

    /// As [`Geometry::new`], for a film whose pixels are `aspect` times as high as wide. [`Fit::Letterbox`] keeps the aspect ratio of
    /// what the film shows, so its scales across and down differ by that factor.
    pub fn of_pixels(width: usize, height: usize, aspect: f64, size: usize, fit: Fit) -> Self {
        let (film_width, film_height, size) = (width.max(1), height.max(1), size.max(1));
        let (columns, rows) = match fit {
            Fit::Stretch => (size, size),
            Fit::Letterbox if aspect != 1.0 && aspect.is_finite() && aspect > 0.0 => {
                let (wide, high) = (film_width as f64, film_height as f64 * aspect);
                let scaled = |side: f64| ((side * size as f64 / wide.max(high)).round() as usize).clamp(1, size);
                (scaled(wide), scaled(high))
            }
            Fit::Letterbox => {
                let longest = film_width.max(film_height);
                // Nearest whole number of pixels, in integers so that it is the same everywhere.
                let scaled = |side: usize| ((2 * side * size + longest) / (2 * longest)).clamp(1, size);
                (scaled(film_width), scaled(film_height))
            }
        };
        Self { film_width, film_height, size, fit, columns, rows, left: (size - columns) / 2, top: (size - rows) / 2 }
    }

    /// The part of the input that the film covers: left, top, columns, rows.
    pub fn covered(&self) -> (usize, usize, usize, usize) {
        (self.left, self.top, self.columns, self.rows)
    }

    /// Input pixels per film pixel, across and down.
    pub fn scale(&self) -> (f32, f32) {
        let (x, y) = self.scale_f64();
        (x as f32, y as f32)
    }

    /// A point of the film, in film pixels, to the input's pixels.
    pub fn to_input(&self, x: f32, y: f32) -> (f32, f32) {
        let (scale_x, scale_y) = self.scale_f64();
        ((f64::from(x) * scale_x + self.left as f64) as f32, (f64::from(y) * scale_y + self.top as f64) as f32)
    }

    /// A point of the input, in input pixels, to the film's pixels.
    pub fn to_film(&self, x: f32, y: f32) -> (f32, f32) {
        let (scale_x, scale_y) = self.scale_f64();
        (((f64::from(x) - self.left as f64) / scale_x) as f32, ((f64::from(y) - self.top as f64) / scale_y) as f32)
    }

    fn scale_f64(&self) -> (f64, f64) {
        (self.columns as f64 / self.film_width as f64, self.rows as f64 / self.film_height as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn letterbox_centers_a_portrait_film() {
        let geometry = Geometry::new(1000, 2000, 512, Fit::Letterbox);
        assert_eq!(geometry.covered(), (128, 0, 256, 512));
        assert_eq!(geometry.to_input(0.0, 0.0), (128.0, 0.0));
        assert_eq!(geometry.to_input(1000.0, 2000.0), (384.0, 512.0));
        assert_eq!(geometry.to_film(256.0, 256.0), (500.0, 1000.0));
    }

    #[test]
    fn pixels_that_are_not_square_keep_their_shape() {
        // 1000 columns of 0.1 mm and 1000 rows of 0.2 mm are twice as high as wide.
        let geometry = Geometry::of_pixels(1000, 1000, 2.0, 512, Fit::Letterbox);
        assert_eq!(geometry.covered(), (128, 0, 256, 512));
        assert_eq!(geometry.to_film(256.0, 256.0), (500.0, 500.0));
        assert_eq!(Geometry::of_pixels(1000, 1000, 0.5, 512, Fit::Letterbox).covered(), (0, 128, 512, 256));
        assert_eq!(Geometry::of_pixels(1000, 1000, 2.0, 512, Fit::Stretch).covered(), (0, 0, 512, 512));
        assert_eq!(
            Geometry::of_pixels(700, 900, 1.0, 512, Fit::Letterbox),
            Geometry::new(700, 900, 512, Fit::Letterbox)
        );
    }

    #[test]
    fn stretch_fills_the_square() {
        let geometry = Geometry::new(1000, 2000, 512, Fit::Stretch);
        assert_eq!(geometry.covered(), (0, 0, 512, 512));
        assert_eq!(geometry.to_input(500.0, 500.0), (256.0, 128.0));
    }

    proptest! {
        #[test]
        fn there_and_back(
            width in 1usize..6000, height in 1usize..6000, size in 8usize..1025,
            u in 0f32..1.0, v in 0f32..1.0, stretch: bool,
        ) {
            let fit = if stretch { Fit::Stretch } else { Fit::Letterbox };
            let geometry = Geometry::new(width, height, size, fit);
            let (x, y) = (u * width as f32, v * height as f32);
            let (input_x, input_y) = geometry.to_input(x, y);
            let margin = 1e-3;
            prop_assert!((-margin..=size as f32 + margin).contains(&input_x));
            prop_assert!((-margin..=size as f32 + margin).contains(&input_y));
            let (back_x, back_y) = geometry.to_film(input_x, input_y);
            // f32 resolution of the input coordinate, seen through the scale.
            let (scale_x, scale_y) = geometry.scale();
            let resolution = size as f32 * f32::EPSILON;
            prop_assert!((back_x - x).abs() <= resolution / scale_x + 1e-3, "{back_x} {x}");
            prop_assert!((back_y - y).abs() <= resolution / scale_y + 1e-3, "{back_y} {y}");
        }

        #[test]
        fn letterbox_keeps_the_aspect_ratio(width in 16usize..6000, height in 16usize..6000, size in 64usize..1025) {
            let geometry = Geometry::new(width, height, size, Fit::Letterbox);
            let (left, top, columns, rows) = geometry.covered();
            prop_assert!(columns == size || rows == size);
            prop_assert!(left + columns <= size && top + rows <= size);
            let expected = size as f64 / width.max(height) as f64;
            prop_assert!((columns as f64 - width as f64 * expected).abs() <= 1.0);
            prop_assert!((rows as f64 - height as f64 * expected).abs() <= 1.0);
        }
    }
}

//! The film with the finding drawn on it: heatmap, outlines of regions, probability bar.
//!
//! The film's pixels are never mirrored or rotated, so its side markers stay where they were. The heatmap is scaled against an
//! absolute reference: a normal film shows none.

mod bar;
mod canvas;
mod colormap;
mod font;

use coxa_schema::{HeatMap, Region, Side};

use crate::geometry::Geometry;
use crate::preprocess::resample;
use crate::radiograph::{Radiograph, round_to_u8};
use bar::BarLayout;
use canvas::Canvas;

pub use colormap::color;

/// A picture of 8-bit color.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green, blue; `3 * width * height` samples, row by row.
    pub pixels: Vec<u8>,
}

impl RgbImage {
    /// This picture with another at its right, their upper edges level; what neither covers is black.
    #[must_use]
    pub fn beside(&self, right: &Self) -> Self {
        let (width, height) = (self.width + right.width, self.height.max(right.height));
        let mut pixels = vec![0; 3 * width * height];
        for (picture, left) in [(self, 0), (right, self.width)] {
            for (y, row) in picture.pixels.chunks_exact(3 * picture.width.max(1)).enumerate() {
                let start = 3 * (y * width + left);
                pixels[start..start + row.len()].copy_from_slice(row);
            }
        }
        Self { width, height, pixels }
    }
}

/// Longest side of the drawn film, in pixels.
const LONGEST_SIDE: usize = 1024;

/// Share of the color in a pixel under the strongest heat.
const MOST_OPAQUE: f32 = 0.5;

/// Heat below this share of the reference is not drawn.
const LEAST_HEAT: f32 = 0.05;

/// The color of outlines.
const OUTLINE: [u8; 3] = [110, 220, 255];

/// A region scored at least this is outlined solid (definite), below it dashed (suspicious).
const DEFINITE: f32 = 0.5;

/// Why a film is called positive. Only a film that is called positive has any: without, neither heat map nor regions can be drawn.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What the film covers of the network's input, over which the map is spread.
    pub geometry: &'a Geometry,
    /// The raw class activation map.
    pub map: Option<&'a HeatMap>,
    /// The value of the map, above 0, that is drawn at full intensity.
    pub reference: f32,
    /// Where the finding is, in the film's pixels.
    pub regions: &'a [Region],
}

/// Shares of full heat, 0 to 255, over a film of the evidence's geometry brought to `width`×`height`, row by row; 0 is not drawn. `None`
/// where the evidence has no map.
///
/// A viewer draws a share in its [`color`], from a share of 0.05 on, ever more opaque.
pub fn heat_shares(evidence: &Evidence<'_>, width: usize, height: usize) -> Option<Vec<u8>> {
    let map = evidence.map.filter(has_shape)?;
    let geometry = evidence.geometry;
    let scale = (geometry.film_width as f32 / width.max(1) as f32, geometry.film_height as f32 / height.max(1) as f32);
    let share = |x: usize, y: usize| {
        let point = geometry.to_input((x as f32 + 0.5) * scale.0, (y as f32 + 0.5) * scale.1);
        let share = value_at(map, point, geometry.size) / evidence.reference;
        if share.is_finite() && share >= LEAST_HEAT { round_to_u8(255.0 * share.min(1.0)) } else { 0 }
    };
    Some((0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| share(x, y)).collect())
}

fn has_shape(map: &&HeatMap) -> bool {
    map.rows * map.columns > 0 && map.values.len() == map.rows * map.columns
}

/// Draws the film, its longest side brought to at most 1,024 pixels, with what speaks for a finding.
///
/// The map is spread bilinearly over what its geometry says the film covers of the network's input; a value of the reference or more is
/// drawn at full intensity, 0 or less not at all. Regions are outlined, dashed where their score is below 0.5. The bar under the film
/// shows `probability` with a tick at `threshold` (both 0 to 1).
pub fn render(film: &Radiograph, evidence: Option<&Evidence<'_>>, probability: f32, threshold: f32) -> RgbImage {
    let longest = film.width().max(film.height());
    let scale = (LONGEST_SIDE as f32 / longest as f32).min(1.0);
    let side = |length: usize| ((length as f32 * scale).round() as usize).max(1);
    let (width, height) = (side(film.width()), side(film.height()));
    let bar = BarLayout::new(width);
    let mut canvas = Canvas::new(width.max(bar.least_width()), height + bar.height());
    let left = (canvas.width() - width) / 2;
    let mut y = 0;
    resample(film, width, height, |row| {
        for (x, &value) in row.iter().enumerate() {
            canvas.set(left + x, y, [round_to_u8(value); 3]);
        }
        y += 1;
    });
    let (scale_x, scale_y) = (width as f32 / film.width() as f32, height as f32 / film.height() as f32);
    if let Some(Evidence { geometry, map: Some(map), reference, .. }) = evidence
        && has_shape(map)
    {
        for y in 0..height {
            for x in 0..width {
                let point = geometry.to_input((x as f32 + 0.5) / scale_x, (y as f32 + 0.5) / scale_y);
                heat(&mut canvas, left + x, y, value_at(map, point, geometry.size) / reference);
            }
        }
    }
    for region in evidence.map_or(&[][..], |evidence| evidence.regions) {
        outline(&mut canvas, region, left as f32, scale_x, scale_y, (left, width, height));
    }
    bar.draw(&mut canvas, height, probability, threshold);
    if evidence.is_some_and(|evidence| evidence.map.is_some()) {
        bar.legend(&mut canvas, height);
    }
    canvas.into_image()
}

fn heat(canvas: &mut Canvas, x: usize, y: usize, share: f32) {
    // A reference of 0 or less gives no finite positive share, and draws nothing.
    if share.is_finite() && share >= LEAST_HEAT {
        let share = share.min(1.0);
        canvas.blend(x, y, color(share), MOST_OPAQUE * (share - LEAST_HEAT) / (1.0 - LEAST_HEAT));
    }
}

/// The map's value at a point of the network's input, bilinear between the centers of cells, constant beyond the outermost.
fn value_at(map: &HeatMap, (x, y): (f32, f32), size: usize) -> f32 {
    let place = |position: f32, cells: usize| {
        let cell = (position / size as f32 * cells as f32 - 0.5).clamp(0.0, (cells - 1) as f32);
        let first = cell as usize;
        (first, (first + 1).min(cells - 1), cell - first as f32)
    };
    let ((x0, x1, u), (y0, y1, v)) = (place(x, map.columns), place(y, map.rows));
    let value = |x: usize, y: usize| map.values[y * map.columns + x];
    let (upper, lower) = (value(x0, y0) * (1.0 - u) + value(x1, y0) * u, value(x0, y1) * (1.0 - u) + value(x1, y1) * u);
    upper * (1.0 - v) + lower * v
}

/// Color over black, so that it shows on bone and on background. Cyan is not among the colors of heat. Above the outline stand the
/// patient's side and the score.
fn outline(canvas: &mut Canvas, region: &Region, left: f32, scale_x: f32, scale_y: f32, clip: (usize, usize, usize)) {
    let (x, y) = (left + region.x * scale_x, region.y * scale_y);
    let (width, height) = (region.width * scale_x, region.height * scale_y);
    let line = (clip.1.max(clip.2) as f32 / 400.0).max(1.5);
    let dash = if region.score < DEFINITE { Some(line * 5.0) } else { None };
    canvas.rounded_rectangle([x, y, width, height], line * 4.0, line * 2.0, dash, [0; 3], clip);
    canvas.rounded_rectangle([x, y, width, height], line * 4.0, line, dash, OUTLINE, clip);
    if !(x.is_finite() && y.is_finite() && region.score.is_finite()) {
        return;
    }
    let side = match region.side {
        Some(Side::Left) => "L ",
        Some(Side::Right) => "R ",
        None => "",
    };
    let (text, zoom) = (format!("{side}{:.2}", region.score.clamp(0.0, 1.0)), if line > 2.0 { 2 } else { 1 });
    let (text_width, text_height) = (font::width(&text) * zoom, 9 * zoom);
    // Above the box, or inside it at the film's upper edge; never beyond the film.
    let most_x = (clip.0 + clip.1).saturating_sub(text_width);
    let text_x = (x.max(0.0) as usize).clamp(clip.0.min(most_x), most_x);
    let text_y = ((y - line).max(0.0) as usize).saturating_sub(text_height).min(clip.2.saturating_sub(text_height));
    canvas.rectangle(text_x, text_y, text_width, text_height, [0; 3]);
    canvas.text(text_x + zoom, text_y + zoom, zoom, &text, OUTLINE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Fit;

    fn film(width: usize, height: usize) -> Radiograph {
        Radiograph::from_display(width, height, (0..width * height).map(|i| (i % width) as f32 % 256.0).collect())
            .unwrap()
    }

    fn gray_rows(image: &RgbImage, rows: usize) -> bool {
        image.pixels[..3 * image.width * rows].chunks(3).all(|p| p[0] == p[1] && p[1] == p[2])
    }

    #[test]
    fn a_normal_film_shows_no_heat() {
        let film = film(300, 400);
        let geometry = Geometry::new(300, 400, 64, Fit::Letterbox);
        let cam = HeatMap { rows: 2, columns: 2, values: vec![0.0, -3.0, 0.02, 0.04] };
        let evidence = Evidence { geometry: &geometry, map: Some(&cam), reference: 1.0, regions: &[] };
        let image = render(&film, Some(&evidence), 0.1, 0.5);
        assert!(gray_rows(&image, 400));
        let plain = render(&film, None, 0.1, 0.5);
        assert_eq!(image.pixels[..3 * 300 * 400], plain.pixels[..3 * 300 * 400]);
    }

    #[test]
    fn heat_lies_where_the_map_says_and_left_stays_left() {
        let film = film(400, 200);
        let geometry = Geometry::new(400, 200, 64, Fit::Letterbox);
        // Warm in the left half of the input only.
        let values = (0..16).map(|i| if i % 4 == 0 { 1.0 } else { 0.0 }).collect();
        let cam = HeatMap { rows: 4, columns: 4, values };
        let evidence = Evidence { geometry: &geometry, map: Some(&cam), reference: 1.0, regions: &[] };
        let image = render(&film, Some(&evidence), 0.9, 0.5);
        let saturation = |x: usize, y: usize| {
            let p = &image.pixels[3 * (y * image.width + x)..][..3];
            p.iter().max().unwrap() - p.iter().min().unwrap()
        };
        assert!(saturation(20, 100) > 40);
        assert_eq!(saturation(380, 100), 0);
    }

    #[test]
    fn large_films_are_brought_down_and_small_ones_kept() {
        let large = film(3000, 1500);
        let image = render(&large, None, 0.5, 0.5);
        assert_eq!((image.width, image.height), (1024, 512 + 96));
        let small = film(300, 100);
        let image = render(&small, None, 0.5, 0.5);
        assert_eq!((image.width, image.height), (300, 148));
    }

    #[test]
    fn odd_input_is_drawn_without_panic() {
        let film = film(20, 20);
        let geometry = Geometry::new(20, 20, 512, Fit::Stretch);
        let far = Region { x: -50.0, y: 1e9, width: 1e9, height: f32::NAN, side: None, score: f32::NAN };
        let cam = HeatMap { rows: 1, columns: 1, values: vec![f32::INFINITY] };
        for reference in [0.0, -1.0, f32::NAN, 1.0] {
            let evidence = Evidence { geometry: &geometry, map: Some(&cam), reference, regions: &[far] };
            render(&film, Some(&evidence), f32::NAN, 2.0);
        }
        let misshapen = HeatMap { rows: 2, columns: 2, values: vec![1.0] };
        let evidence = Evidence { geometry: &geometry, map: Some(&misshapen), reference: 1.0, regions: &[] };
        render(&film, Some(&evidence), 0.0, 0.0);
    }
}

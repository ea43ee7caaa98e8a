//! A film read by its most telling window: the mean of the class activation map over the square of cells where it is greatest.

use super::predictor::{FEATURES_PER_IMAGE, Output};

/// A square of a map's cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    row: usize,
    column: usize,
    side: usize,
    /// The mean of its cells.
    pub mean: f64,
}

impl Window {
    /// The square of `window` × `window` cells with the greatest mean, of equal ones the first; the whole map, where that is smaller. `map`
    /// has `side` × `side` cells. A cell that is not a number makes the mean not a number.
    pub(crate) fn greatest(map: &[f32], side: usize, window: usize) -> Window {
        let width = window.min(side);
        let mut greatest: Option<Window> = None;
        for (row, column) in (0..=side - width).flat_map(|row| (0..=side - width).map(move |column| (row, column))) {
            let mut found = Window { row, column, side: width, mean: 0.0 };
            let sum: f64 = found.cells(side).map(|cell| f64::from(map[cell])).sum();
            found.mean = sum / found.area() as f64;
            if found.mean.is_nan() {
                return found;
            }
            if greatest.is_none_or(|greatest| found.mean > greatest.mean) {
                greatest = Some(found);
            }
        }
        greatest.unwrap_or(Window { row: 0, column: 0, side: width, mean: f64::NAN })
    }

    /// Its cells in a map of `side` × `side`.
    pub(crate) fn cells(self, side: usize) -> impl Iterator<Item = usize> {
        let columns = self.column..self.column + self.side;
        (self.row..self.row + self.side).flat_map(move |row| columns.clone().map(move |column| row * side + column))
    }

    /// The number of its cells.
    pub(crate) fn area(self) -> usize {
        self.side * self.side
    }
}

impl Output {
    /// Reads each image by its most telling window, as a network that was trained so ([`TrainerOptions::window`]) is to be read: the logit
    /// becomes the bias plus the mean of Σₖ wₖ Aₖ over the square of `window` × `window` cells where that is greatest (all of them, where the
    /// map is smaller), in place of the mean over the whole image. A finding that fills a corner of a film then counts as much as one that
    /// fills it. For one output only: outputs of several classes stay as they are. The maps stay too.
    ///
    /// This is multiple-instance learning with maximum pooling (Ilse, Tomczak and Welling 2018), whose instances are the windows.
    ///
    /// [`TrainerOptions::window`]: crate::TrainerOptions::window
    pub fn read_by_window(&mut self, window: usize) {
        let cells = self.map_side * self.map_side;
        if self.maps.len() != self.logits.len() * cells || self.logits.len() * FEATURES_PER_IMAGE != self.features.len()
        {
            return;
        }
        for (logit, map) in self.logits.iter_mut().zip(self.maps.chunks_exact(cells)) {
            let whole: f64 = map.iter().map(|value| f64::from(*value)).sum();
            let mean = Window::greatest(map, self.map_side, window).mean;
            *logit = (f64::from(*logit) + mean * cells as f64 - whole) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_window_is_found_and_the_first_of_equal_ones() {
        let mut map = [0.0; 16];
        for cell in [6, 7, 10, 11] {
            map[cell] = 1.0;
        }
        let found = Window::greatest(&map, 4, 2);
        assert_eq!((found.row, found.column, found.mean, found.area()), (1, 2, 1.0, 4));
        assert_eq!(found.cells(4).collect::<Vec<_>>(), [6, 7, 10, 11]);
        assert_eq!(Window::greatest(&[2.0; 16], 4, 3).cells(4).next(), Some(0));
        let whole = Window::greatest(&map, 4, 9);
        assert_eq!((whole.area(), whole.mean), (16, 0.25));
        assert!(Window::greatest(&[f32::NAN, 9.0, 0.0, 0.0], 2, 1).mean.is_nan());
    }

    #[test]
    fn a_logit_becomes_that_of_the_window() {
        // Two images of 2 × 2 cells; the maps are divided by their cells, the bias is -1.
        let maps = vec![0.5, 0.0, 0.0, 0.0, -0.25, -0.25, -0.25, 0.0];
        let features = vec![0.0; 2 * FEATURES_PER_IMAGE];
        let output = Output { logits: vec![-0.5, -1.75], map_side: 2, maps, features };
        let read = |window| {
            let mut output = output.clone();
            output.read_by_window(window);
            output.logits
        };
        assert_eq!(read(1), [1.0, -1.0]);
        assert_eq!(read(2), output.logits);
        assert_eq!(read(5), output.logits);
        // Several classes: nothing is known of one finding.
        let mut classes = Output { features: vec![0.0; FEATURES_PER_IMAGE], ..output.clone() };
        classes.read_by_window(1);
        assert_eq!(classes.logits, output.logits);
    }
}

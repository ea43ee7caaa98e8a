//! A film's values in parts: an overview that is windowed at once, and tiles of the full resolution.

use bytes::Bytes;
use coxa_imaging::Grades;

/// Side of a tile, pixels.
pub(super) const TILE: usize = 512;
/// The overview's longest side at most: halved until it fits.
const OVERVIEW: usize = 1024;

/// The values of a film that was decoded.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Millimeters between rows and between columns; 0 where they are not known.
    pub(super) spacing: [f32; 2],
    /// Height of a pixel over its width.
    pub(super) aspect: f64,
    pub(super) grades: Grades,
}

impl Values {
    /// Numbers of 64 bits: columns, rows, modality values of grade 1 and of grade 65,535, millimeters between rows and between columns or 0,
    /// height of a pixel over its width, how many times the overview is halved, how many windows can be chosen, and the place of each in the
    /// file. Then the display value of each of 65,536 grades, a byte each, once for the file's own rendition and once for each window. Then the
    /// overview's grades of 16 bits, row by row. All little endian. Each halving drops a last odd row and column.
    pub(super) fn overview(&self) -> Bytes {
        let (mut columns, mut rows, mut halvings) = (self.columns, self.rows, 0);
        let mut halved: Option<Vec<u16>> = None;
        while columns.max(rows) > OVERVIEW && columns.min(rows) > 1 {
            halved = Some(half(halved.as_deref().unwrap_or(&self.grades.pixels), columns, rows));
            (columns, rows, halvings) = (columns / 2, rows / 2, halvings + 1);
        }
        let grades = halved.as_deref().unwrap_or(&self.grades.pixels);
        let [row_mm, column_mm] = self.spacing.map(f64::from);
        let Grades { dark, bright, display, windows, .. } = &self.grades;
        let size = [self.columns as f64, self.rows as f64];
        let count = windows.len() as f64;
        let head = [size[0], size[1], *dark, *bright, row_mm, column_mm, self.aspect, f64::from(halvings), count];
        let places = windows.iter().map(|(place, _)| *place as f64);
        let displays = 1 + windows.len();
        let mut bytes =
            Vec::with_capacity(8 * (head.len() + windows.len()) + displays * display.len() + 2 * grades.len());
        bytes.extend(head.into_iter().chain(places).flat_map(f64::to_le_bytes));
        bytes.extend_from_slice(display);
        windows.iter().for_each(|(_, display)| bytes.extend_from_slice(display));
        extend(&mut bytes, grades);
        bytes.into()
    }

    /// The grades of the tile at a column and a row of tiles, 16 bits each, row by row, little endian; a last tile is smaller. `None` where
    /// there is no such tile.
    pub(super) fn tile(&self, column: usize, row: usize) -> Option<Bytes> {
        let part = |number: usize, length: usize| {
            let from = number.checked_mul(TILE).filter(|from| *from < length)?;
            Some(from..length.min(from + TILE))
        };
        let (across, down) = (part(column, self.columns)?, part(row, self.rows)?);
        let mut bytes = Vec::with_capacity(2 * across.len() * down.len());
        for row in down {
            extend(&mut bytes, &self.grades.pixels[row * self.columns..][across.clone()]);
        }
        Some(bytes.into())
    }
}

fn extend(bytes: &mut Vec<u8>, grades: &[u16]) {
    bytes.extend(grades.iter().flat_map(|grade| grade.to_le_bytes()));
}

/// Half the size, each grade the mean of four: what is drawn small is not drawn from every second pixel.
fn half(grades: &[u16], columns: usize, rows: usize) -> Vec<u16> {
    let mut halved = Vec::with_capacity((columns / 2) * (rows / 2));
    for pair in grades.chunks_exact(2 * columns).take(rows / 2) {
        let (above, below) = pair.split_at(columns);
        let fours = above.chunks_exact(2).zip(below.chunks_exact(2));
        halved.extend(fours.map(|(above, below)| {
            let sum: u32 = above.iter().chain(below).map(|grade| u32::from(*grade)).sum();
            ((sum + 2) / 4) as u16
        }));
    }
    halved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(columns: usize, rows: usize) -> Values {
        let pixels = (0..columns * rows).map(|at| (at % 65_521) as u16).collect();
        let grades = Grades { pixels, display: vec![0; 65_536], dark: 0.0, bright: 1.0, windows: Vec::new() };
        Values { columns, rows, spacing: [0.0; 2], aspect: 1.0, grades }
    }

    fn numbers(bytes: &[u8]) -> Vec<u16> {
        bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn tiles_make_the_whole_film() {
        let film = values(1100, 600);
        let mut whole = vec![0u16; 1100 * 600];
        for (row, column) in (0..2).flat_map(|row| (0..3).map(move |column| (row, column))) {
            let tile = numbers(&film.tile(column, row).unwrap());
            let wide = TILE.min(1100 - column * TILE);
            assert_eq!(tile.len(), wide * TILE.min(600 - row * TILE));
            for (down, line) in tile.chunks_exact(wide).enumerate() {
                let at = (row * TILE + down) * 1100 + column * TILE;
                whole[at..at + wide].copy_from_slice(line);
            }
        }
        assert_eq!(whole, film.grades.pixels);
        for (column, row) in [(3, 0), (0, 2), (usize::MAX, 0), (0, usize::MAX / TILE)] {
            assert_eq!(film.tile(column, row), None, "{column} {row}");
        }
    }

    #[test]
    fn an_overview_is_halved_until_it_fits() {
        for (columns, rows, halvings) in
            [(3, 5, 0), (1024, 1024, 0), (1025, 7, 1), (2688, 2688, 2), (5001, 3000, 3), (4000, 1, 0)]
        {
            let bytes = values(columns, rows).overview();
            assert_eq!(
                f64::from_le_bytes(bytes[56..64].try_into().unwrap()),
                f64::from(halvings),
                "{columns} × {rows}"
            );
            assert_eq!(bytes.len(), 72 + 65_536 + 2 * (columns >> halvings) * (rows >> halvings));
        }
    }

    #[test]
    fn each_window_has_its_place_and_its_display() {
        let mut film = values(2, 1);
        film.grades.windows = vec![(0, vec![7; 65_536]), (2, vec![9; 65_536])];
        let bytes = film.overview();
        let number = |at: usize| f64::from_le_bytes(bytes[8 * at..8 * at + 8].try_into().unwrap());
        assert_eq!([8, 9, 10].map(number), [2.0, 0.0, 2.0]);
        let displays: Vec<u8> = (0..3).map(|at| bytes[88 + at * 65_536]).collect();
        assert_eq!((displays, bytes.len()), (vec![0, 7, 9], 88 + 3 * 65_536 + 4));
    }

    #[test]
    fn a_half_is_of_means() {
        assert_eq!(half(&[1, 3, 9, 5, 7, 9, 0, 0, 0], 3, 3), [4]);
        assert_eq!(half(&[65_535; 8], 4, 2), [65_535, 65_535]);
    }
}

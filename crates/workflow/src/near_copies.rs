//! Films that are copies of one another, or nearly: saved again, in another size, under another number.

use coxa_imaging::{Fit, Radiograph, preprocess};

/// Pixels on each side of what films are compared by.
const SIDE: usize = 17;
/// Words of a print's bits.
const WORDS: usize = 4;
/// Prints that differ in no more bits are of copies: of 256, films of two patients differ in 60 and more.
const MOST_DIFFERENT: u32 = 12;

/// Whether each of 16 × 16 pixels of a film's reduced copy is darker than its right neighbor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print([u64; WORDS]);

impl Print {
    /// The print of a film.
    pub fn of(film: &Radiograph) -> Self {
        let pixels = preprocess(film, SIDE, Fit::Stretch).pixels;
        let mut words = [0; WORDS];
        for i in 0..(SIDE - 1) * (SIDE - 1) {
            let (row, column) = (i / (SIDE - 1), i % (SIDE - 1));
            let place = row * SIDE + column;
            words[i / 64] |= u64::from(pixels[place] < pixels[place + 1]) << (i % 64);
        }
        Print(words)
    }

    /// Whether the films are copies of one another, or nearly.
    pub fn is_near(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>() <= MOST_DIFFERENT
    }
}

/// The group of each of `count` films, the place of its first one: films that are linked, be it by others, are in one. `linked` is asked of
/// each film and an earlier one.
pub fn groups(count: usize, linked: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut group: Vec<usize> = (0..count).collect();
    for i in 0..count {
        for j in 0..i {
            if group[i] != group[j] && linked(i, j) {
                let (from, to) = (group[i].max(group[j]), group[i].min(group[j]));
                group.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
            }
        }
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patients_and_copies_make_groups() {
        let print = |value: u64| Print([value, 0, 0, 0]);
        // The third is a copy of the first, the fourth of the third's patient.
        let prints = [print(0), print(u64::MAX), print(1), print(0xF0F0_F0F0_F0F0_F0F0), print(0xFFFF_FFFF)];
        let patients = ["a", "b", "c", "c", "e"];
        let linked = |i: usize, j: usize| patients[i] == patients[j] || prints[i].is_near(&prints[j]);
        assert_eq!(groups(patients.len(), linked), [0, 1, 0, 0, 4]);
    }

    #[test]
    fn another_size_changes_no_print() {
        let film = |n: usize| {
            // A picture without edges, which mean something else in every size.
            let value = |i: usize| {
                let (x, y) = ((i % n) as f32 / n as f32, (i / n) as f32 / n as f32);
                120.0 + 60.0 * (19.0 * x + 7.0 * y).sin() + 50.0 * (13.0 * y - 11.0 * x * x).cos()
            };
            Radiograph::from_display(n, n, (0..n * n).map(value).collect()).unwrap()
        };
        assert!(Print::of(&film(400)).is_near(&Print::of(&film(640))));
    }
}

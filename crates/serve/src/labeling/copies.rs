//! Near-copies: films that look alike, as the same exposure sent twice does, and are labeled differently.

use coxa_imaging::{Fit, Radiograph, preprocess};
use coxa_schema::Label;

/// The side of the small picture that is compared.
const SIDE: usize = 16;
const BITS: usize = SIDE * (SIDE - 1);
/// Films of which at most so many of 240 bits differ look alike. Films of different patients, all of them pelves, differ in 40 or more.
const ALIKE: u32 = 8;

/// A film's fingerprint: of a picture of 16 × 16, whether each pixel is darker than the one at its right. A change of brightness, contrast
/// or size leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u64; BITS.div_ceil(64)]);

impl Fingerprint {
    /// The fingerprint of a film.
    pub fn of(film: &Radiograph) -> Self {
        let small = preprocess(film, SIDE, Fit::Letterbox);
        let mut bits = [0; BITS.div_ceil(64)];
        let pairs = small.pixels.chunks(SIDE).flat_map(|row| row.windows(2));
        for (at, _) in pairs.enumerate().filter(|(_, pair)| pair[0] < pair[1]) {
            bits[at / 64] |= 1 << (at % 64);
        }
        Self(bits)
    }

    /// Whether two films look alike.
    pub fn is_like(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>() <= ALIKE
    }
}

/// Which films have a near-copy with another known label. Every pair is compared: some seconds for 10,000 films.
pub fn contradicting(films: &[(Fingerprint, Label)]) -> Vec<bool> {
    let mut found = vec![false; films.len()];
    for (at, (print, label)) in films.iter().enumerate().filter(|(_, (_, label))| *label != Label::Unknown) {
        for (other, (its_print, its_label)) in films.iter().enumerate().skip(at + 1) {
            if *its_label != Label::Unknown && its_label != label && print.is_like(its_print) {
                found[at] = true;
                found[other] = true;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use coxa_imaging::{encode, read_bytes};

    use super::*;

    fn film(seed: usize, change: impl Fn(u8) -> u8) -> Fingerprint {
        let side = 160;
        let value = |x: usize, y: usize| {
            let wave = |k: usize| (((x * (k % 7 + 1) + y * (k % 5 + 2)) as f32 / 23.0 + k as f32).sin() * 60.0) as i32;
            (128 + (wave(seed) + wave(seed * 3 + 1)) / 2) as u8
        };
        let pixels: Vec<u8> = (0..side * side).map(|at| change(value(at % side, at / side))).collect();
        Fingerprint::of(&read_bytes(&encode::png_gray8_to_vec(side, side, &pixels).unwrap(), "the film").unwrap())
    }

    #[test]
    fn brighter_copies_are_alike_and_other_films_are_not() {
        let (first, brighter, other) = (film(1, |v| v), film(1, |v| v / 2 + 90), film(2, |v| v));
        assert!(first.is_like(&brighter) && !first.is_like(&other));
        let labeled = [(first, Label::Present), (other, Label::Absent), (brighter, Label::Absent)];
        assert_eq!(contradicting(&labeled), [true, false, true]);
        assert_eq!(contradicting(&[(first, Label::Present), (brighter, Label::Unknown)]), [false, false]);
    }
}

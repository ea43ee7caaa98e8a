//! The right-hand matrix of a product as the register tile reads it. Inference packs each of its matrices so once; training packs its
//! weights after every step, all tasks at a time, into panels of the same form (`planes/pack.rs`).

use super::buffer::Buffer;
use super::product::{Bf16, F32, Format, Int8, Product, RoundedF32};
use crate::cpu::Isa;

/// The right-hand matrix (k × n), packed for one instruction set and in one format: panels of two vectors' width, each k words ×
/// width, the last one filled up with zeros.
#[derive(Debug, Clone)]
pub struct PackedB {
    isa: Isa,
    format: Format,
    k: usize,
    n: usize,
    width: usize,
    /// The depth in words.
    words: usize,
    data: Buffer,
}

impl PackedB {
    /// Packs the matrix whose value (i, j) is `values[i * k_stride + j * n_stride]`.
    ///
    /// # Panics
    /// When `values` is too short.
    pub fn pack(isa: Isa, k: usize, n: usize, values: &[f32], k_stride: usize, n_stride: usize) -> Self {
        Self::pack_as(Format::F32, isa, k, n, values, k_stride, n_stride)
    }

    /// [`PackedB::pack`] in any format. [`Format::Int8`] takes whole numbers within ±127 that follow
    /// [`Isa::adds_int8_in_pairs`].
    ///
    /// # Panics
    /// When `values` is too short, or k is not a multiple of the values in a word.
    pub fn pack_as(
        format: Format,
        isa: Isa,
        k: usize,
        n: usize,
        values: &[f32],
        k_stride: usize,
        n_stride: usize,
    ) -> Self {
        match format {
            Format::F32 => Self::pack_words::<F32>(isa, k, n, values, k_stride, n_stride),
            Format::RoundedF32 => Self::pack_words::<RoundedF32>(isa, k, n, values, k_stride, n_stride),
            Format::Bf16 => Self::pack_words::<Bf16>(isa, k, n, values, k_stride, n_stride),
            Format::Int8 => Self::pack_words::<Int8>(isa, k, n, values, k_stride, n_stride),
        }
    }

    fn pack_words<P: Product>(isa: Isa, k: usize, n: usize, values: &[f32], k_stride: usize, n_stride: usize) -> Self {
        let mut packed = Self::room(isa, P::FORMAT, k, n, P::PER_WORD);
        let (words, width) = (packed.words, packed.width);
        let mut word = [0.0; 4];
        for j in 0..n {
            let panel = &mut packed.data[j / width * words * width..];
            for i in 0..words {
                for (part, value) in word[..P::PER_WORD].iter_mut().enumerate() {
                    *value = values[(i * P::PER_WORD + part) * k_stride + j * n_stride];
                }
                panel[i * width + j % width] = P::word(&word);
            }
        }
        packed
    }

    fn room(isa: Isa, format: Format, k: usize, n: usize, per_word: usize) -> Self {
        assert!(k.is_multiple_of(per_word), "a depth of {k} in words of {per_word}");
        let (width, words) = (2 * isa.lanes(), k / per_word);
        PackedB { isa, format, k, n, width, words, data: Buffer::zeroed(n.div_ceil(width) * words * width) }
    }

    /// The depth k.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The number of columns n.
    pub fn n(&self) -> usize {
        self.n
    }

    /// The depth in words.
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// Columns of a panel.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The first word of a panel.
    pub(super) fn panel(&self, panel: usize) -> *const f32 {
        self.data[panel * self.words * self.width..].as_ptr()
    }

    /// The number of panels.
    pub fn panels(&self) -> usize {
        self.n.div_ceil(self.width)
    }

    /// The instruction set that it is packed for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The number format.
    pub fn format(&self) -> Format {
        self.format
    }
}

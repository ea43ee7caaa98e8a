//! Decoders of compressed pixels that the DICOM and image libraries lack, and the header checks that go before every decoder.

pub(crate) mod bits;
mod huffman;
pub(crate) mod j2k_header;
pub(crate) mod jpeg_check;
pub(crate) mod jpeg_extended;
pub(crate) mod jpeg_header;
pub(crate) mod jpeg_lossless;
pub(crate) mod jpeg_ls;
pub(crate) mod rle;

/// What a decoder found wrong: a fixed phrase, never bytes of the file.
pub(crate) type CodecError = &'static str;

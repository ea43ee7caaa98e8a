//! The stem's padding: images are padded once, so that a row of the 7×7 convolution's taps is contiguous.

/// The side of the stem's convolution.
pub const STEM_TAPS: usize = 7;
/// Zeros on each side of an image.
const PADDING: usize = 3;

/// The side of a padded image.
pub fn padded_side(size: usize) -> usize {
    size + 2 * PADDING
}

/// Copies images of `size` × `size` pixels into a zeroed buffer of as many padded images, or more.
pub fn pad_images(images: &[f32], size: usize, to: &mut [f32]) {
    let side = padded_side(size);
    for (image, to) in images.chunks_exact(size * size).zip(to.chunks_exact_mut(side * side)) {
        for (row, to) in image.chunks_exact(size).zip(to.chunks_exact_mut(side).skip(PADDING)) {
            to[PADDING..PADDING + size].copy_from_slice(row);
        }
    }
}

//! How large a film and a file may be. Checked on the header, before anything is allocated for the pixels: the largest film
//! takes under 2 GiB to read whatever its encoding.

use crate::error::ReadError;

/// Most pixels on a side of a film.
pub const MAX_SIDE: usize = 16_384;

/// Most pixels of a film (the largest flat-panel detectors have 20 million).
pub const MAX_PIXELS: usize = 100_000_000;

/// Fewest pixels on a side of a film that is read. Below it lie icons and damaged headers; how many pixels a network needs is for
/// its caller to decide by [`crate::Radiograph::width`] and [`crate::Radiograph::height`].
pub const MIN_SIDE: usize = 16;

/// Largest file that is read, in bytes; also the most that a deflated file may unpack to.
pub const MAX_FILE_BYTES: u64 = 512 << 20;

/// Refuses a film that is too large or too small by its header.
pub(crate) fn check_size(file: &str, width: usize, height: usize) -> Result<(), ReadError> {
    let too_large = |what: String, limit: String| Err(ReadError::TooLarge { file: file.to_owned(), what, limit });
    if width > MAX_SIDE || height > MAX_SIDE {
        return too_large(format!("a film of {width}×{height} pixels"), format!("{MAX_SIDE} pixels a side"));
    }
    if width * height > MAX_PIXELS {
        return too_large(
            format!("a film of {width}×{height} pixels"),
            format!("{} million pixels", MAX_PIXELS / 1_000_000),
        );
    }
    if width < MIN_SIDE || height < MIN_SIDE {
        return Err(ReadError::TooSmall { file: file.to_owned(), width, height });
    }
    Ok(())
}

/// Refuses a file that is too large to hold in memory.
pub(crate) fn check_file(file: &str, bytes: u64) -> Result<(), ReadError> {
    if bytes > MAX_FILE_BYTES {
        return Err(ReadError::TooLarge {
            file: file.to_owned(),
            what: format!("a file of {} MiB", bytes >> 20),
            limit: format!("{} MiB", MAX_FILE_BYTES >> 20),
        });
    }
    Ok(())
}

//! Any bytes: a film whose values are in range, or an error of one line. libFuzzer takes every panic, a caught one too, for a
//! failure.

#![no_main]

use coxa_imaging::read_bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match read_bytes(bytes, "film") {
        Ok(film) => {
            assert_eq!(film.pixels().len(), film.width() * film.height());
            assert!(film.pixels().iter().all(|v| (0.0..=255.0).contains(v)));
        }
        Err(error) => assert_eq!(error.to_string().lines().count(), 1),
    }
});

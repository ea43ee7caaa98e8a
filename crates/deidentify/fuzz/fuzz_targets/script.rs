//! Arbitrary text as a script of rectangles: no panic, and errors name a place within it.
#![no_main]

use coxa_deidentify::{DeidentifyError, PixelScript};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(DeidentifyError::Script { line, .. }) = PixelScript::parse(text, "script") {
        assert!(line <= text.matches('\n').count() + 1);
    }
});

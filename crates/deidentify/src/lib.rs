//! Takes every identity off a DICOM film: PS3.15 Annex E, pseudonyms, shifted dates, a receipt for each film.
//!
//! [`Deidentifier::deidentify`] goes from bytes to bytes and keeps nothing. Its rules fail closed: an element stays only if the standard's
//! table or a short list with reasons keeps it, its value only if it is what its attribute demands, a word of a text only if it is on a
//! list. What cannot be de-identified for certain is [`Withheld`] whole.
//!
//! Where to start reading: [`Deidentifier`] (`deidentifier.rs`), then the walk (`walk.rs`), then what decides (`rules.rs`, and the tables in
//! `data/`).
//!
//! The same key and settings make the same bytes of the same film, in whatever order and on whatever thread; a film that was de-identified
//! before stays as it is.

mod admit;
mod blanking;
mod charset;
mod codestream;
mod dataset;
mod dates;
mod decisions;
mod deidentifier;
mod error;
mod folder;
mod identified;
mod identifiers;
mod key;
mod layout;
mod link;
mod origins;
mod parse;
mod pixels;
mod receipt;
mod registry;
mod review;
mod rle;
mod rules;
mod script;
#[cfg(feature = "age")]
mod seal;
#[cfg(not(feature = "age"))]
#[path = "no_seal.rs"]
mod seal;
mod text;
mod values;
mod verify;
mod walk;
mod withheld;
mod words;
mod write;

pub use blanking::{Decision, PixelCleaning, Rectangle, RegionVerdict, StoredPixels, TextDetector, TextFound, Witness};
pub use charset::Charset;
pub use decisions::Decisions;
pub use deidentifier::{Deidentified, Deidentifier, Link, Settings};
pub use error::DeidentifyError;
pub use folder::{FilmOutcome, Line, Outputs, deidentify_files, inputs, open_folder};
pub use identified::IdentifiedFolder;
pub use key::{Key, is_derived_uid, is_pseudonym};
pub use link::{LinkTable, identifiers_in};
pub use receipt::{Done, Elements, IdentifiedBy, Receipt};
pub use registry::{RegistryReport, deidentify_registry, patients_in};
pub use review::{REGIONS_TABLE, Review, WITHHELD_LIST, WithheldFilm, WithheldList};
pub use rules::ProfileOption;
pub use script::PixelScript;
pub use seal::{Opener, Seal};
pub use text::TextFinder;
pub use verify::{Verdict, Verifier};
pub use withheld::Withheld;
pub use words::Words;

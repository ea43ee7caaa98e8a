//! Files that appear whole or not at all, hashes, CSV tables and the search for films in folders.
//!
//! - [`whole`][]: a file or folder is made under a hidden name and then renamed; a kill leaves what was there before, or the whole
//!   new one.
//! - [`hash`][]: SHA-256.
//! - [`table`][]: CSV tables, read strictly with line numbers, and written; [`TableWriter`] writes row by row.
//! - [`find`][]: the films below a folder.

mod append;
pub mod find;
pub mod hash;
pub mod table;
pub mod whole;

pub use append::TableWriter;
pub use hash::{sha256, sha256_of_file};
pub use table::{Row, Table, TableError};
pub use whole::{Partial, write_whole};

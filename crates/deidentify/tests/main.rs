//! The integration tests: planted identifiers in every kind of place, films that must be withheld, folders, foreign programs and real
//! files.

mod film;
mod folders;
mod foreign;
mod planted;
mod properties;
mod text;
mod withheld;

//! A hospital for tests: a registry, the films of its PACS with identities planted everywhere, and the PACS itself. The tests of `coxa`
//! include it by its path.
#![allow(dead_code, reason = "each of the two test programs uses a part")]

pub mod films;
pub mod foreign;
pub mod pacs;

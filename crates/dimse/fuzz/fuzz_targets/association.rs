//! Any bytes after a good association request: the states of an association that is established.

#![no_main]

#[path = "../node.rs"]
mod node;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| node::serve(&[&node::request(), bytes].concat()));

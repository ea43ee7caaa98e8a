//! Any bytes as the whole of a connection: the PDU reader and the judgment of association requests.

#![no_main]

#[path = "../node.rs"]
mod node;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| node::serve(bytes));

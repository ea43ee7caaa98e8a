//! stub
#[derive(Debug)]
pub(super) struct Opened;

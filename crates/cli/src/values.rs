//! Values on the command line that more than one command takes.

/// A number of threads that a machine can have.
pub fn threads_in_range(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (1..=1024).contains(n)).ok_or_else(|| "a number of threads is 1 to 1024".to_owned())
}

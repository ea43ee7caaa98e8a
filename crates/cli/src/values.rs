//! Values on the command line that are checked as they are read.

/// A number of threads that a machine can have.
pub fn threads_in_range(text: &str) -> Result<usize, String> {
    up_to_1024(text, "a number of threads is 1 to 1024")
}

/// A batch that memory can hold.
pub fn batch_in_range(text: &str) -> Result<usize, String> {
    up_to_1024(text, "a batch is of 1 to 1024 films")
}

fn up_to_1024(text: &str, otherwise: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (1..=1024).contains(n)).ok_or_else(|| otherwise.to_owned())
}

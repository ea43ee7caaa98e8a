//! Secrets that nobody guesses, and files that nobody else reads.

use std::io;
use std::path::Path;

/// 256 random bits of the system, as 64 hexadecimal digits.
pub fn secret() -> String {
    use rustls::crypto::ring::default_provider;
    let mut bytes = [0u8; 32];
    // The system's random numbers do not fail once it is up; without them there must be no secret.
    assert!(default_provider().secure_random.fill(&mut bytes).is_ok(), "the system gives no random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a new file that its owner alone may read; that it is there already is no error.
pub(crate) fn write_secret(file: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(mut made) => {
            made.write_all(bytes)?;
            made.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

//! What is written to the log: structured, and without identities.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A value that identifies someone (a UID, a name, a number): a log shows eight digits of its hash, by which lines about the same thing
/// are found together, and never the value.
#[derive(Clone, Copy)]
pub struct Redacted<'a>(pub &'a str);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = Sha256::new().chain_update(salt()).chain_update(self.0).finalize();
        write!(f, "~")?;
        hash[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Random in each process, so that nobody can try identifiers against a log.
fn salt() -> [u8; 8] {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    use std::sync::OnceLock;
    static SALT: OnceLock<[u8; 8]> = OnceLock::new();
    *SALT.get_or_init(|| RandomState::new().build_hasher().finish().to_ne_bytes())
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// A line of text.
    Text,
    /// A JSON object a line.
    Json,
}

/// Begins the log on standard error; `RUST_LOG` says what it tells, `coxa=info,warn` unless set. A second call does nothing.
pub fn begin(format: LogFormat) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("coxa_serve=info,warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_recognized_and_not_shown() {
        let uid = "1.2.826.0.1.3680043.2.1143.7";
        let shown = Redacted(uid).to_string();
        assert_eq!(shown, format!("{:?}", Redacted(uid)));
        assert_eq!(shown.len(), 9);
        assert!(!shown.contains("2.826"));
        assert_ne!(shown, Redacted("1.2.826.0.1.3680043.2.1143.8").to_string());
    }
}

//! Secrets that nobody guesses.

/// 256 random bits of the system, as 64 hexadecimal digits.
pub fn secret() -> String {
    use rustls::crypto::ring::default_provider;
    let mut bytes = [0u8; 32];
    // The system's random numbers do not fail once it is up; without them there must be no secret.
    assert!(default_provider().secure_random.fill(&mut bytes).is_ok(), "the system gives no random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! The second factor: codes of six digits that change every 30 seconds (RFC 6238 over HMAC-SHA-1, which is what every app does).

use ring::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};

/// Seconds of a step.
const STEP: i64 = 30;
/// Clocks may differ by so many steps.
const DRIFT: i64 = 1;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Recovery codes of an account.
const RECOVERY: usize = 10;

/// A new secret: 160 bits in Base32 (RFC 4648), as apps take it.
pub fn secret() -> String {
    base32(&random::<20>())
}

/// Codes for whoever has lost the second factor: 80 bits each, in groups of four.
pub fn recovery_codes() -> Vec<String> {
    let code = || {
        let text = base32(&random::<10>()).to_lowercase();
        [&text[..4], &text[4..8], &text[8..12], &text[12..]].join("-")
    };
    (0..RECOVERY).map(|_| code()).collect()
}

/// What of a typed recovery code counts: letters and digits, in lower case.
pub fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// What an app scans or takes as text (the key URI format of authenticator apps).
pub fn address(account: &str, secret: &str) -> String {
    format!("otpauth://totp/Coxa:{account}?secret={secret}&issuer=Coxa")
}

/// The step of a code that is right at a moment (seconds since 1970), and later than the last one used.
pub fn step_of(secret: &str, code: &str, at: i64, last: i64) -> Option<i64> {
    let key = from_base32(secret)?;
    let code = code.split_whitespace().collect::<String>();
    let now = at / STEP;
    (now - DRIFT..=now + DRIFT)
        .filter(|step| *step > last)
        .find(|step| super::password::same(code_at(&key, *step, 6).as_bytes(), code.as_bytes()))
}

/// The code that an app shows at a moment (seconds since 1970); `None` where the secret is no Base32.
pub fn code(secret: &str, at: i64) -> Option<String> {
    Some(code_at(&from_base32(secret)?, at / STEP, 6))
}

/// HOTP (RFC 4226) of a step.
fn code_at(key: &[u8], step: i64, digits: u32) -> String {
    let tag = sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[tag.len() - 1] & 15);
    let number = tag[offset..offset + 4].iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte)) & 0x7FFF_FFFF;
    format!("{:0width$}", number % 10u32.pow(digits), width = digits as usize)
}

fn random<const N: usize>() -> [u8; N] {
    use ring::rand::{SecureRandom as _, SystemRandom};
    let mut bytes = [0; N];
    // As in `secret`: no random numbers, no secret.
    assert!(SystemRandom::new().fill(&mut bytes).is_ok(), "the system gives no random numbers");
    bytes
}

fn base32(bytes: &[u8]) -> String {
    let bit = |i: usize| bytes.get(i / 8).map_or(0, |byte| byte >> (7 - i % 8) & 1);
    (0..bytes.len() * 8)
        .step_by(5)
        .map(|at| char::from(ALPHABET[(at..at + 5).fold(0, |value, i| value << 1 | usize::from(bit(i)))]))
        .collect()
}

/// `None` for what is no Base32, and for an empty text: everybody knows the codes of a key of no bytes.
fn from_base32(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() {
        return None;
    }
    let (mut bytes, mut word, mut bits) = (Vec::new(), 0u32, 0);
    for c in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == c.to_ascii_uppercase())?;
        word = word << 5 | value as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits) as u8);
            word &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B (SHA-1).
    #[test]
    fn the_codes_of_the_standard() {
        for (at, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(code_at(b"12345678901234567890", at / STEP, 8), code, "{at}");
        }
    }

    #[test]
    fn a_code_is_good_once_and_near_its_time() {
        let secret = base32(b"12345678901234567890");
        assert_eq!(secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        // Of 94287082, the last six digits.
        assert_eq!(step_of(&secret, " 287 082 ", 59, 0), Some(1));
        assert_eq!(step_of(&secret, "287082", 59, 1), None, "used");
        assert_eq!(step_of(&secret, "287082", 89, 0), Some(1), "a step late");
        assert_eq!(step_of(&secret, "287082", 120, 0), None);
        assert_eq!(step_of(&secret, "", 59, 0), None);
        assert_eq!(step_of("", &code_at(&[], 1, 6), 59, 0), None, "no secret has no code");
    }

    #[test]
    fn secrets_and_recovery_codes() {
        assert_eq!(from_base32(&secret()).unwrap().len(), 20);
        assert_ne!(secret(), secret());
        let codes = recovery_codes();
        assert_eq!((codes.len(), codes[0].len(), plain(&codes[0].to_uppercase()).len()), (RECOVERY, 19, 16));
    }
}

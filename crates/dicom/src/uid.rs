//! UIDs (PS3.5 section 9 and annex B): derived from a text, so that the same object always has the same UID.

use sha2::{Digest, Sha256};

/// Names this program in the file meta information and in associations; the integer is of the SHA-256 of "coxa-imaging dx".
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.159729421615327075205019827008572763559";

/// This program's version in the file meta information and in associations, at most 16 characters.
pub const IMPLEMENTATION_VERSION_NAME: &str = "COXA_0_1";

/// The UID `2.25.` and an integer (PS3.5 B.2) made of the SHA-256 of a role (`study`, `series`, `instance`) and a text.
pub fn derived(role: &str, text: &str) -> String {
    let digest = Sha256::new().chain_update(role).chain_update([0]).chain_update(text).finalize();
    let mut integer = [0u8; 16];
    integer.copy_from_slice(&digest[..16]);
    format!("2.25.{}", u128::from_be_bytes(integer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_and_a_text_make_one_uid() {
        let uid = derived("study", "film 1");
        assert_eq!(uid, derived("study", "film 1"));
        assert_ne!(uid, derived("series", "film 1"));
        assert_ne!(uid, derived("study", "film 2"));
        assert!(uid.len() <= 64 && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    }
}

//! The hash of a bundle, by which predictions name it.

use coxa_files::hash::Sha256;
use serde_json::Value;

/// SHA-256 over the weights' SHA-256 and the card's JSON, compact and with sorted keys.
pub(super) fn hash_of(weights_sha256: &str, card: &str) -> Result<String, String> {
    let card: Value = serde_json::from_str(card).map_err(|error| error.to_string())?;
    let mut text = String::new();
    write_canonical(&card, &mut text);
    let mut hash = Sha256::new();
    hash.update(weights_sha256);
    hash.update([0]);
    hash.update(text);
    Ok(hash.finish())
}

/// The hash of a bundle with a further part: SHA-256 over the hash without it and the part's text.
pub(super) fn with_part(hash: &str, part: &str) -> String {
    let mut sum = Sha256::new();
    sum.update(hash);
    sum.update([0]);
    sum.update(part);
    sum.finish()
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_ignores_white_space_and_order_and_nothing_else() {
        let a = hash_of("00", r#"{"b": [1, 2.5], "a": {"d": null, "c": "x"}}"#).unwrap();
        let b = hash_of("00", r#"{"a":{"c":"x","d":null},"b":[1,2.5]}"#).unwrap();
        assert_eq!(a, b);
        assert_ne!(a, hash_of("00", r#"{"a":{"c":"x","d":null},"b":[2.5,1]}"#).unwrap());
        assert_ne!(a, hash_of("01", r#"{"a":{"c":"x","d":null},"b":[1,2.5]}"#).unwrap());
    }
}

//! Character sets (PS3.3 C.12.1.1.2, PS3.5 6.1): how texts and names are decoded, and how an identifier may be written as bytes.

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_2022_JP, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5,
    ISO_8859_6, ISO_8859_7, ISO_8859_8, ISO_8859_15, SHIFT_JIS, UTF_8, WINDOWS_874, WINDOWS_1252, WINDOWS_1254,
};

const ESCAPE: u8 = 0x1B;

/// How a data set's texts are written.
#[derive(Debug, Clone, Copy)]
pub struct Charset {
    /// The encoding until an escape sequence says otherwise; none where the file states none.
    base: Option<&'static Encoding>,
}

impl Charset {
    /// No character set is stated: ASCII by the rule, anything in practice.
    pub const UNSTATED: Self = Self { base: None };

    /// By the values of Specific Character Set; the first that is no code extension decides, escape sequences do the rest.
    pub fn of(value: &str) -> Self {
        let mut terms = value.split('\\').map(str::trim);
        let base = terms.find_map(encoding_of);
        Self { base }
    }

    /// Decodes a value. Never fails: what is not understood becomes U+FFFD.
    pub fn decode(self, bytes: &[u8]) -> String {
        if bytes.contains(&ESCAPE) {
            return self.decode_escaped(bytes);
        }
        match self.base {
            Some(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
            None => match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
            },
        }
    }

    /// ISO 2022: G0 is ASCII or a set of two bytes, G1 what the last escape sequence for it says.
    fn decode_escaped(self, bytes: &[u8]) -> String {
        let base = self.base.unwrap_or(WINDOWS_1252);
        let (mut g1, mut is_kanji) = (base, false);
        let mut text = String::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            if rest[0] == ESCAPE {
                let (length, set) = escape(rest);
                match set {
                    Set::Ascii => is_kanji = false,
                    Set::Kanji => is_kanji = true,
                    Set::G1(encoding) => g1 = encoding,
                    Set::Unknown => {}
                }
                rest = &rest[length..];
                continue;
            }
            let end = rest.iter().position(|&b| b == ESCAPE).unwrap_or(rest.len());
            let (segment, after) = rest.split_at(end);
            if is_kanji {
                let high: Vec<u8> = segment.iter().map(|&b| if b > 0x20 { b | 0x80 } else { b }).collect();
                text.push_str(&EUC_JP.decode_without_bom_handling(&high).0);
            } else {
                text.push_str(&g1.decode_without_bom_handling(segment).0);
            }
            rest = after;
        }
        text
    }
}

enum Set {
    Ascii,
    Kanji,
    G1(&'static Encoding),
    Unknown,
}

/// The escape sequence at the start of bytes: its length and what it selects (PS3.3 table C.12-3 and C.12-4).
fn escape(bytes: &[u8]) -> (usize, Set) {
    match bytes {
        [_, b'$', b')', b'C', ..] => (4, Set::G1(EUC_KR)),
        [_, b'$', b')', b'A', ..] => (4, Set::G1(GBK)),
        [_, b'$', b'(', b'D', ..] => (4, Set::Kanji),
        [_, b'$', b'B' | b'@', ..] => (3, Set::Kanji),
        [_, b'(', b'B' | b'J', ..] => (3, Set::Ascii),
        [_, b')', b'I', ..] => (3, Set::G1(SHIFT_JIS)),
        [_, b'-', set, ..] => (3, latin(*set).map_or(Set::Unknown, Set::G1)),
        [_, b'(' | b')', _, ..] => (3, Set::Unknown),
        _ => (1, Set::Unknown),
    }
}

fn latin(set: u8) -> Option<&'static Encoding> {
    Some(match set {
        b'A' => WINDOWS_1252,
        b'B' => ISO_8859_2,
        b'C' => ISO_8859_3,
        b'D' => ISO_8859_4,
        b'L' => ISO_8859_5,
        b'G' => ISO_8859_6,
        b'F' => ISO_8859_7,
        b'H' => ISO_8859_8,
        b'M' => WINDOWS_1254,
        b'T' => WINDOWS_874,
        b'b' => ISO_8859_15,
        _ => return None,
    })
}

fn encoding_of(term: &str) -> Option<&'static Encoding> {
    Some(match term.replace('_', " ").as_str() {
        "ISO IR 192" => UTF_8,
        "GB18030" => GB18030,
        "GBK" => GBK,
        "ISO IR 100" | "ISO 2022 IR 100" => WINDOWS_1252,
        "ISO IR 101" | "ISO 2022 IR 101" => ISO_8859_2,
        "ISO IR 109" | "ISO 2022 IR 109" => ISO_8859_3,
        "ISO IR 110" | "ISO 2022 IR 110" => ISO_8859_4,
        "ISO IR 144" | "ISO 2022 IR 144" => ISO_8859_5,
        "ISO IR 127" | "ISO 2022 IR 127" => ISO_8859_6,
        "ISO IR 126" | "ISO 2022 IR 126" => ISO_8859_7,
        "ISO IR 138" | "ISO 2022 IR 138" => ISO_8859_8,
        "ISO IR 148" | "ISO 2022 IR 148" => WINDOWS_1254,
        "ISO IR 203" | "ISO 2022 IR 203" => ISO_8859_15,
        "ISO IR 166" | "ISO 2022 IR 166" => WINDOWS_874,
        "ISO IR 13" | "ISO 2022 IR 13" => SHIFT_JIS,
        "ISO 2022 IR 149" => EUC_KR,
        "ISO 2022 IR 58" => GBK,
        _ => return None,
    })
}

/// What bytes of an unstated character set may say, in the encodings that hospitals write without stating them.
pub(crate) fn guesses(bytes: &[u8]) -> Vec<String> {
    let decoded = |encoding: &'static Encoding| {
        let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
        (!had_errors).then(|| text.into_owned())
    };
    [UTF_8, GB18030, BIG5, EUC_KR, SHIFT_JIS, WINDOWS_1252].into_iter().filter_map(decoded).collect()
}

/// The bytes that a text is in UTF-8, Latin-1, UTF-16 (both orders), GB18030, Big5, EUC-KR and ISO 2022 (Japanese, Korean, Chinese), as far
/// as each can write it, without repetition.
pub(crate) fn written_forms(text: &str) -> Vec<Form> {
    let plain = text.as_bytes().to_ascii_lowercase();
    let mut forms = vec![text.as_bytes().to_vec()];
    forms.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    for encoding in [WINDOWS_1252, GB18030, BIG5, EUC_KR, EUC_JP, SHIFT_JIS, ISO_2022_JP] {
        let (bytes, _, had_unmappable) = encoding.encode(text);
        if had_unmappable {
            continue;
        }
        if encoding == ISO_2022_JP {
            // Escape sequences at its ends depend on what surrounds it.
            let bare = bytes.strip_prefix(b"\x1b$B").unwrap_or(&bytes);
            forms.push(bare.strip_suffix(b"\x1b(B").unwrap_or(bare).to_vec());
        } else {
            forms.push(bytes.into_owned());
        }
    }
    forms.iter_mut().for_each(|form| form.make_ascii_lowercase());
    forms.sort();
    forms.dedup();
    let is_word = |bytes: &Vec<u8>| text.is_ascii() && *bytes == plain;
    forms.into_iter().map(|bytes| Form { is_word: is_word(&bytes), bytes }).collect()
}

/// Bytes that a text may be written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    /// The bytes, ASCII letters among them in lower case.
    pub(crate) bytes: Vec<u8>,
    /// They are ASCII letters and digits, which must not be found inside a longer word; other bytes have no such edges.
    is_word: bool,
}

impl Form {
    /// Whether it stands at a place of bytes in lower case.
    pub(crate) fn is_at(&self, at: usize, haystack: &[u8]) -> bool {
        let is_alphanumeric =
            |at: Option<usize>| at.and_then(|at| haystack.get(at)).is_some_and(u8::is_ascii_alphanumeric);
        let runs_over =
            |inside: usize, outside: Option<usize>| is_alphanumeric(Some(inside)) && is_alphanumeric(outside);
        let end = at + self.bytes.len();
        haystack[at..].starts_with(&self.bytes)
            && !(self.is_word && (runs_over(at, at.checked_sub(1)) || runs_over(end - 1, Some(end))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_s_examples_are_decoded() {
        // PS3.5 annex H, I and J.
        let japanese = b"\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B";
        assert_eq!(Charset::of("\\ISO 2022 IR 87").decode(japanese), "山田^太郎");
        let korean = b"\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7";
        assert_eq!(Charset::of("\\ISO 2022 IR 149").decode(korean), "洪^吉洞");
        let chinese = b"\xcd\xf5^\xd0\xa1\xb6\xab";
        assert_eq!(Charset::of("GB18030").decode(chinese), "王^小东");
        assert_eq!(Charset::of("ISO_IR 192").decode("王^小東".as_bytes()), "王^小東");
        assert_eq!(Charset::of("ISO_IR 100").decode(b"M\xfcller"), "Müller");
        assert_eq!(Charset::UNSTATED.decode(b"M\xfcller"), "Müller");
        assert_eq!(Charset::of("ISO_IR 100").decode(b"\x1b"), "");
    }

    #[test]
    fn a_name_is_written_in_many_ways() {
        let forms = written_forms("王小東");
        for (bytes, name) in
            [("王小東".as_bytes(), "UTF-8"), (b"\xcd\xf5\xd0\xa1\x96|", "GB18030"), (b"2&>.el", "ISO 2022")]
        {
            assert!(forms.iter().any(|form| form.bytes == bytes && !form.is_word), "{name}");
        }
        assert_eq!(written_forms("Doe").iter().map(|form| form.is_word).collect::<Vec<_>>(), [false, false, true]);
        let form = written_forms("Doe").swap_remove(2);
        assert!(form.is_at(2, b"x doe,") && !form.is_at(1, b"xdoe") && !form.is_at(0, b"does"));
        assert!(guesses(b"\xa4\xfd\xa4p\xaaF").contains(&"王小東".to_owned()), "Big5");
    }
}

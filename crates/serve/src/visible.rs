//! Texts of films, peers and people as a page or a table may show them.

/// A text of a film or a peer with every control, bidirectional and invisible character written as its code point.
pub(crate) fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if is_hidden(c) {
            shown += &format!("[U+{:04X}]", u32::from(c))
        } else {
            shown.push(c)
        }
        shown
    })
}

/// A text without such characters, as a person looks for it.
pub(crate) fn without_hidden(text: &str) -> String {
    text.chars().filter(|c| !is_hidden(*c)).collect()
}

/// Controls, and what Unicode's bidirectional algorithm (UAX #9) and default-ignorable characters would do unseen.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
        || matches!(c, '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_shown() {
        assert_eq!(visible("A\u{202E}B\nC"), "A[U+202E]B[U+000A]C");
        assert_eq!(visible("Müller 王"), "Müller 王");
        assert_eq!(without_hidden("A\u{202E}B\nC 王"), "ABC 王");
    }
}

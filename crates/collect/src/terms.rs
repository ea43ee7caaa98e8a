//! Words in descriptions: whole words without regard to case, and pieces of scripts that are written without spaces.

/// The words of a text in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Text {
    words: Vec<String>,
    whole: String,
}

impl Text {
    /// Of several descriptions.
    pub(crate) fn of<'a>(descriptions: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut text = Self::default();
        for description in descriptions.into_iter().flatten() {
            let lower =
                description.to_lowercase().replace("a.p.", "ap").replace("p.a.", "pa").replace("antero-", "antero");
            let lower = lower.replace("postero-", "postero").replace("cross-table", "cross table");
            let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            text.words.extend(words.map(str::to_owned));
            // A phrase does not run from one description into the next.
            text.words.push(String::new());
            text.whole.push_str(&lower);
            text.whole.push('\n');
        }
        text
    }

    /// Whether it has one of some phrases.
    pub(crate) fn has_any(&self, phrases: &[String]) -> bool {
        phrases.iter().any(|phrase| self.has(phrase))
    }

    fn has(&self, phrase: &str) -> bool {
        let phrase = phrase.to_lowercase();
        if !phrase.is_ascii() {
            return !phrase.is_empty() && self.whole.contains(&phrase);
        }
        let wanted: Vec<&str> = phrase.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let is_here = |window: &[String]| window.iter().zip(&wanted).all(|(word, wanted)| word == wanted);
        !wanted.is_empty() && self.words.windows(wanted.len()).any(is_here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_and_other_scripts_are_pieces() {
        let text = Text::of([Some("Pelvis A.P. supine"), None, Some("骨盆正面"), Some("cross"), Some("table")]);
        let has = |phrase: &str| text.has_any(&[phrase.to_owned()]);
        assert!(has("pelvis") && has("AP") && has("pelvis ap") && has("骨盆"));
        assert!(!has("pelv") && !has("supine cross") && !has("cross table") && !has("") && !has("側面"));
        assert!(Text::of([Some("Cross-table lat")]).has_any(&["cross table".into()]));
    }
}

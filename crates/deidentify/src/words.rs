//! Texts that are cleaned: the words of a list stay, everything else goes. A list of what may stay needs no list of all names there are.

use std::collections::HashSet;
use std::sync::LazyLock;

/// A list of words that may stay, in lower case.
#[derive(Debug, Clone)]
pub struct Words {
    words: HashSet<String>,
    /// The most characters of a word of a script that is written without spaces.
    longest: usize,
}

static SHIPPED: LazyLock<Words> = LazyLock::new(|| {
    let mut words = Words { words: HashSet::new(), longest: 1 };
    words.add(include_str!("../data/words.txt"));
    words
});

impl Default for Words {
    /// The list that comes with the program, `data/words.txt`.
    fn default() -> Self {
        SHIPPED.clone()
    }
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Letters and digits of a script with spaces.
    Word,
    /// Digits alone.
    Number,
    /// Characters of a script without spaces.
    Ideographs,
    /// What stands between them.
    Between,
}

/// What may stand between two words that stay.
const BETWEEN: &str = " -/,+&().:;_^=*'";

impl Words {
    /// Adds the words of a text, separated by white space; a line that begins with `#` is a comment.
    pub fn add(&mut self, text: &str) {
        for word in text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace) {
            self.longest = self.longest.max(word.chars().count());
            self.words.insert(word.to_lowercase());
        }
    }

    /// Whether a word is in the list.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.words.contains(&word.to_lowercase())
    }

    /// Whether a text holds nothing but words of the list and numbers of up to two digits.
    pub(crate) fn cover(&self, text: &str) -> bool {
        pieces(text).iter().all(|piece| match piece.kind {
            Kind::Word => self.has(&piece.text),
            Kind::Number => piece.text.len() <= 2 || self.has(&piece.text),
            Kind::Ideographs => self.segments(&piece.text, &|_| false) == piece.text,
            Kind::Between => true,
        })
    }

    /// Cleans a text: words of the list and lone numbers of up to two digits stay, unless they are part of a name.
    pub(crate) fn clean(&self, text: &str, is_name: impl Fn(&str) -> bool) -> String {
        let mut text = text.to_owned();
        // Two numbers that become neighbors may be a date: until nothing changes.
        loop {
            let cleaned = self.clean_once(&text, &is_name);
            if cleaned == text {
                return cleaned;
            }
            text = cleaned;
        }
    }

    fn clean_once(&self, text: &str, is_name: &dyn Fn(&str) -> bool) -> String {
        let pieces = pieces(text);
        let is_number = |at: Option<usize>| {
            let next = at.and_then(|at| pieces.get(at));
            next.is_some_and(|piece| piece.text.bytes().any(|b| b.is_ascii_digit()))
        };
        let mut cleaned = String::new();
        let mut between = String::new();
        let mut is_gap = false;
        for (at, piece) in pieces.iter().enumerate() {
            let kept = match piece.kind {
                Kind::Between => {
                    between.clone_from(&piece.text);
                    continue;
                }
                Kind::Word if self.has(&piece.text) && !is_name(&piece.text) => piece.text.clone(),
                Kind::Number if piece.text.len() <= 2 && !is_number(at.checked_sub(2)) && !is_number(Some(at + 2)) => {
                    piece.text.clone()
                }
                Kind::Ideographs => self.segments(&piece.text, is_name),
                Kind::Word | Kind::Number => String::new(),
            };
            if kept.is_empty() {
                is_gap = true;
                continue;
            }
            if !cleaned.is_empty() {
                let is_plain = !is_gap && between.chars().all(|c| BETWEEN.contains(c));
                cleaned.push_str(if is_plain { &between } else { " " });
            }
            cleaned.push_str(&kept);
            (is_gap, between) = (kept != piece.text, String::new());
        }
        cleaned
    }

    /// The words of the list in a text without spaces, the longest first at each place; what lies between them goes.
    fn segments(&self, text: &str, is_name: &dyn Fn(&str) -> bool) -> String {
        let chars: Vec<char> = text.chars().collect();
        let mut kept = String::new();
        let mut at = 0;
        while at < chars.len() {
            let longest = self.longest.min(chars.len() - at);
            let word =
                (1..=longest).rev().map(|n| chars[at..at + n].iter().collect::<String>()).find(|word| self.has(word));
            match word {
                Some(word) => {
                    at += word.chars().count();
                    if !is_name(&word) {
                        kept.push_str(&word);
                    }
                }
                None => at += 1,
            }
        }
        kept
    }
}

/// The words of a text in lower case; each character of a script without spaces stands with its neighbors.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = String> {
    pieces(text).into_iter().filter(|piece| piece.kind != Kind::Between).map(|piece| piece.text.to_lowercase())
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for c in text.chars() {
        let kind = match c {
            _ if is_ideograph(c) => Kind::Ideographs,
            '0'..='9' => Kind::Number,
            _ if c.is_alphanumeric() => Kind::Word,
            _ => Kind::Between,
        };
        match pieces.last_mut() {
            Some(last) if last.kind == kind => last.text.push(c),
            // Letters and digits without anything between them are one word.
            Some(last) if matches!((last.kind, kind), (Kind::Word, Kind::Number) | (Kind::Number, Kind::Word)) => {
                last.text.push(c);
                last.kind = Kind::Word;
            }
            _ => {
                // Pieces and what is between them alternate.
                let is_between = |kind| kind == Kind::Between;
                if pieces.last().is_some_and(|last| !is_between(last.kind) && !is_between(kind)) {
                    pieces.push(Piece { text: String::new(), kind: Kind::Between });
                }
                pieces.push(Piece { text: c.to_string(), kind });
            }
        }
    }
    pieces
}

/// Scripts that are written without spaces, or whose words are counted by syllable: Han, Kana, Hangul, Thai.
pub(crate) fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{0E00}'..='\u{0E7F}' | '\u{1100}'..='\u{11FF}' | '\u{2E80}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{FF66}'..='\u{FF9F}' | '\u{20000}'..='\u{3134F}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clean(text: &str) -> String {
        let is_name = |word: &str| ["foot", "susan", "王", "小東"].contains(&word.to_lowercase().as_str());
        Words::default().clean(text, is_name)
    }

    #[test]
    fn words_of_the_list_stay_and_all_else_goes() {
        for (text, expected) in [
            ("Pelvis AP", "Pelvis AP"),
            ("HIP LEFT, 2 views", "HIP LEFT, 2 views"),
            ("Pelvis AP for Jane Doe, 12 Elm Street", "Pelvis AP for 12"),
            ("Hip, DOB 12/03/1945", "Hip"),
            ("Hip 12.3 45", "Hip"),
            ("Hip 2 Smith 3", "Hip"),
            ("hip phone 02-555-1234", "hip"),
            ("MRN12345678", ""),
            ("left foot", "left"),
            ("王小東骨盆正位", "骨盆正位"),
            ("骨盆AP", "骨盆AP"),
            ("Becken-Übersicht", "Becken-Übersicht"),
            ("hip@hospital.org", "hip"),
            ("", ""),
        ] {
            assert_eq!(clean(text), expected, "{text}");
        }
    }

    #[test]
    fn a_list_can_be_extended() {
        let mut words = Words::default();
        assert_eq!(words.clean("Zwickau hip", |_| false), "hip");
        words.add("# our rooms\nZwickau");
        assert_eq!(words.clean("Zwickau hip", |_| false), "Zwickau hip");
        assert!(words.cover("ZWICKAU 12") && !words.cover("rooms") && !words.cover("hip 123"));
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(text in "(hip|left|[0-9]{1,3}|Doe|骨盆|王|[ /,.@-]|\\PC){0,12}") {
            let cleaned = clean(&text);
            prop_assert_eq!(clean(&cleaned), cleaned.clone());
            prop_assert!(!cleaned.contains("Doe"));
            prop_assert!(Words::default().cover(&cleaned), "{}", cleaned);
        }
    }
}

//! The languages of the pages: which there are, which one a reader gets, and the messages by their ids.
//!
//! Messages are in `languages/*.ftl` (Project Fluent). To add a language, add its file there and a line to [`KNOWN`].
//!
//! A message is plain text: templates escape it like any value. Where a sentence holds markup, the template puts it around a part of
//! the message ([`Message::pieces`]); a translation never holds any.

use std::fmt;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, header};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use crate::people::session::{Transport, cookie};

/// A language that the pages have.
struct Known {
    /// The language tag (BCP 47), as pages, cookies and accounts state it.
    tag: &'static str,
    /// The language's own name for itself.
    name: &'static str,
    /// The tags of `Accept-Language` that it answers; each includes the tags that it begins.
    answers: &'static [&'static str],
    messages: &'static str,
}

/// The languages. The first one is for readers who ask for none of them, and has every message.
const KNOWN: &[Known] = &[
    Known { tag: "en", name: "English", answers: &["en"], messages: include_str!("../languages/en.ftl") },
    // Simplified Chinese (zh-CN, zh-SG) is another way of writing: it is not answered with this one.
    Known {
        tag: "zh-Hant-TW",
        name: "繁體中文",
        answers: &["zh-Hant", "zh-TW", "zh-HK", "zh-MO"],
        messages: include_str!("../languages/zh-Hant.ftl"),
    },
];

/// Ranges of an `Accept-Language` that are considered.
const RANGES: usize = 32;
/// Seconds that a browser keeps the choice of a reader who is signed out.
const KEPT: u32 = 365 * 86_400;

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<Vec<Bundle>> = LazyLock::new(|| KNOWN.iter().map(bundle).collect());

fn bundle(known: &Known) -> Bundle {
    let tag: LanguageIdentifier = known.tag.parse().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![tag]);
    // Isolation marks (U+2068, U+2069) are off: the pages make such characters visible where a peer sends them, so none of ours may be
    // among them. Templates put `<bdi>` around what films and people write.
    bundle.set_use_isolating(false);
    // A test parses the files; of one that has a fault, the rest is used.
    let resource = FluentResource::try_new(known.messages.to_owned()).unwrap_or_else(|(resource, _)| resource);
    let _ = bundle.add_resource(resource);
    bundle
}

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Language(usize);

impl Language {
    /// All.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..KNOWN.len()).map(Self)
    }

    /// The language of a tag that the pages state.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        KNOWN.iter().position(|known| known.tag == tag).map(Self)
    }

    /// The language tag.
    pub(crate) fn tag(self) -> &'static str {
        KNOWN[self.0].tag
    }

    /// The language's own name for itself.
    pub(crate) fn name(self) -> &'static str {
        KNOWN[self.0].name
    }

    /// The language of a request: the one that its person has set, else the one that the browser keeps, else the first of the browser's
    /// own that there is.
    pub(crate) fn of_request(headers: &HeaderMap, transport: Transport, set: &str) -> Self {
        let kept = || Self::of_tag(cookie(headers, cookie_name(transport))?);
        let asked = || headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok().and_then(accepted);
        Self::of_tag(set).or_else(kept).or_else(asked).unwrap_or_default()
    }

    /// A message by its id.
    pub(crate) fn say<'a>(self, id: &'a str) -> Message<'a> {
        Message { language: self, id, values: Vec::new() }
    }

    /// The messages of the scripts, as a script: an object from id to text, in which `{$name}` stands for a value.
    pub(crate) fn script(self) -> String {
        let messages: serde_json::Map<_, _> =
            ids("script-").map(|id| (id.to_owned(), self.say(id).to_string().into())).collect();
        format!("\"use strict\";\nconst COXA_MESSAGES = {};\n", serde_json::Value::from(messages))
    }
}

/// The ids of all messages that begin so.
pub(crate) fn ids(start: &'static str) -> impl Iterator<Item = &'static str> {
    let lines = KNOWN[0].messages.lines().filter(move |line| line.starts_with(start));
    lines.filter_map(|line| line.split_once(" =").map(|(id, _)| id))
}

/// A message with the values that it names.
#[derive(Debug, Clone)]
pub(crate) struct Message<'a> {
    language: Language,
    id: &'a str,
    values: Vec<(&'static str, Value)>,
}

/// A value in a message.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A number, by which a message may choose its form.
    Number(i64),
    /// A text, which stays as it is.
    Text(String),
}

impl Message<'_> {
    /// The same message with a value.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Fill) -> Self {
        self.values.push((name, value.value()));
        self
    }

    /// The text in pieces, as a template writes it with markup of its own: what stands between backticks is a key or code.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        let text = self.to_string();
        let pieces = text.split('`').enumerate();
        pieces.map(|(i, text)| Piece { text: text.to_owned(), is_code: i % 2 == 1 }).collect()
    }
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) is_code: bool,
}

impl fmt::Display for Message<'_> {
    /// The text; a message that the language lacks is in the first language, and one that there is not is its id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values = FluentArgs::new();
        for (name, value) in &self.values {
            match value {
                Value::Number(number) => values.set(*name, *number),
                Value::Text(text) => values.set(*name, FluentValue::from(text.as_str())),
            }
        }
        for bundle in [self.language.0, 0].map(|at| &BUNDLES[at]) {
            if let Some(pattern) = bundle.get_message(self.id).and_then(|message| message.value()) {
                // A value that is missing stands as `{$name}`, which scripts fill in.
                let mut missing = Vec::new();
                return f.write_str(&bundle.format_pattern(pattern, Some(&values), &mut missing));
            }
        }
        f.write_str(self.id)
    }
}

/// What can be a value in a message; templates pass references.
pub(crate) trait Fill {
    fn value(&self) -> Value;
}

impl<T: Fill + ?Sized> Fill for &T {
    fn value(&self) -> Value {
        (**self).value()
    }
}

impl Fill for str {
    fn value(&self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl Fill for String {
    fn value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl Fill for Message<'_> {
    fn value(&self) -> Value {
        Value::Text(self.to_string())
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Fill for $number {
            fn value(&self) -> Value {
                Value::Number(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
    )*};
}

numbers!(i64 u32 u64 u128 usize);

/// The first of a browser's languages, by its preference, that there is (RFC 9110, 12.5.4). What cannot be parsed counts for nothing.
fn accepted(header: &str) -> Option<Language> {
    let mut best: Option<(f64, Language)> = None;
    for range in header.split(',').take(RANGES) {
        let (tag, quality) = range.split_once(';').unwrap_or((range, "q=1"));
        let quality = quality.trim().strip_prefix("q=").and_then(|quality| quality.parse::<f64>().ok());
        let Some(quality) = quality.filter(|quality| *quality > 0.0 && *quality <= 1.0) else { continue };
        let Some(language) = answering(tag.trim()) else { continue };
        // Of two that are wanted alike, the earlier one.
        if best.is_none_or(|(other, _)| quality > other) {
            best = Some((quality, language));
        }
    }
    best.map(|(_, language)| language)
}

/// The language that answers a tag.
fn answering(tag: &str) -> Option<Language> {
    let begins = |start: &str| {
        let (Some(begin), rest) = (tag.get(..start.len()), tag.as_bytes().get(start.len())) else { return false };
        begin.eq_ignore_ascii_case(start) && matches!(rest, None | Some(b'-'))
    };
    if tag == "*" {
        return Some(Language::default());
    }
    Language::all().find(|language| KNOWN[language.0].answers.iter().any(|start| begins(start)))
}

fn cookie_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Encrypted => "__Host-coxa-language",
        Transport::Loopback => "coxa-language",
    }
}

/// The header that makes a browser keep a language; without one, the header that removes it.
pub(crate) fn set_cookie(language: Option<Language>, transport: Transport) -> HeaderValue {
    let secure = if transport == Transport::Encrypted { "; Secure" } else { "" };
    let (tag, age) = language.map_or(("", 0), |language| (language.tag(), KEPT));
    let text = format!("{}={tag}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}", cookie_name(transport));
    // All of it is ASCII of ours.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(header: &str) -> Option<&'static str> {
        accepted(header).map(Language::tag)
    }

    #[test]
    fn the_browser_s_first_language_that_there_is() {
        let chinese = Some("zh-Hant-TW");
        for header in [
            "zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7",
            "ZH-hant",
            "zh-Hant-HK",
            "de, zh-TW;q=0.5, en;q=0.4",
            "en;q=0.1,zh-tw;q=0.2",
        ] {
            assert_eq!(tag(header), chinese, "{header}");
        }
        for header in ["en-GB,zh-TW", "zh-CN,zh;q=0.9,en;q=0.8", "*", "de,*;q=0.1", "zh-TW;q=0,en"] {
            assert_eq!(tag(header), Some("en"), "{header}");
        }
    }

    #[test]
    fn a_hostile_header_is_no_language() {
        let long = "zh-TWx,".repeat(100_000);
        for header in [
            "",
            ",",
            ";",
            ";;q=1",
            "zh-TW;q=",
            "zh-TW;q=NaN",
            "zh-TW;q=inf",
            "zh-TW;q=-1",
            "zh-TW;q=2",
            "zh-TWx",
            "zh_TW",
            "z",
            "德",
            "en\u{202E}",
            &long,
        ] {
            assert_eq!(tag(header), None, "{header:.20}");
        }
        // What comes behind more ranges than any browser sends is not considered.
        assert_eq!(tag(&format!("{}zh-TW", "xx,".repeat(RANGES))), None);
    }

    #[test]
    fn the_person_goes_before_the_browser() {
        let headers = |cookie: &'static str, accepted: &'static str| {
            HeaderMap::from_iter([
                (header::COOKIE, HeaderValue::from_static(cookie)),
                (header::ACCEPT_LANGUAGE, HeaderValue::from_static(accepted)),
            ])
        };
        let of =
            |cookie, accepted, set| Language::of_request(&headers(cookie, accepted), Transport::Encrypted, set).tag();
        assert_eq!(of("__Host-coxa-language=zh-Hant-TW", "zh-TW", "en"), "en");
        assert_eq!(of("a=b; __Host-coxa-language=zh-Hant-TW", "en", ""), "zh-Hant-TW");
        assert_eq!(of("__Host-coxa-language=<script>", "zh-TW", "tlh"), "zh-Hant-TW");
        assert_eq!(of("coxa-language=zh-Hant-TW", "de", ""), "en", "a cookie that could have come without TLS");
    }

    #[test]
    fn the_cookie_is_read_as_it_is_set() {
        let chinese = Language::of_tag("zh-Hant-TW");
        let set = set_cookie(chinese, Transport::Encrypted);
        assert_eq!(set, "__Host-coxa-language=zh-Hant-TW; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax; Secure");
        let sent = set.to_str().unwrap().split(';').next().unwrap();
        let headers = HeaderMap::from_iter([(header::COOKIE, sent.parse().unwrap())]);
        assert_eq!(Some(Language::of_request(&headers, Transport::Encrypted, "")), chinese);
        assert_eq!(set_cookie(None, Transport::Loopback), "coxa-language=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn messages_with_values_and_pieces() {
        let english = Language::default();
        assert_eq!(english.say("worklist-not-reviewed").with("count", 3_i64).to_string(), "3 not reviewed");
        assert_eq!(english.say("no such message").to_string(), "no such message");
        let attack = "<b>`x`</b>{$count}\u{202E}";
        let text = english.say("reviews-by").with("name", attack).with("at", "now").to_string();
        assert!(text.contains(attack) && !text.contains('\u{2068}'), "{text}");
        let pieces = english.say("key-search").pieces();
        assert_eq!((pieces[1].text.as_str(), pieces[1].is_code, pieces[0].is_code), ("Esc", true, false));
    }
}

//! What a request wants to have: the header `Accept` (RFC 9110, 12.5.1) with DICOM's parameters (PS3.18, 8.7).

use axum::http::{HeaderMap, header};

/// One of the media types that a request accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    /// In lower case: `multipart/related`, `*/*`.
    pub(super) media: String,
    /// The parameter `type`: what the parts of a multipart are.
    pub(super) part: Option<String>,
    /// The parameter `transfer-syntax`.
    pub(super) transfer_syntax: Option<String>,
}

/// The media types that a request accepts, the most wanted first; everything where it does not say.
pub(super) fn accepted(headers: &HeaderMap) -> Vec<Accepted> {
    let text =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
    let mut all: Vec<(f32, Accepted)> = split(&text, ',').into_iter().filter_map(one).collect();
    if all.is_empty() && text.trim().is_empty() {
        return vec![Accepted { media: "*/*".into(), part: None, transfer_syntax: None }];
    }
    all.retain(|(quality, _)| *quality > 0.0);
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.into_iter().map(|(_, accepted)| accepted).collect()
}

fn one(text: &str) -> Option<(f32, Accepted)> {
    let mut parts = split(text, ';').into_iter();
    let media = parts.next()?.trim().to_ascii_lowercase();
    if media.is_empty() {
        return None;
    }
    let (mut quality, mut accepted) = (1.0, Accepted { media, part: None, transfer_syntax: None });
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let value = value.trim().trim_matches('"').to_owned();
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = value.parse().unwrap_or(0.0),
            "type" => accepted.part = Some(value.to_ascii_lowercase()),
            "transfer-syntax" => accepted.transfer_syntax = Some(value),
            _ => {}
        }
    }
    Some((quality, accepted))
}

/// Splits at a character that is not inside of quotation marks.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start, mut quoted) = (Vec::new(), 0, false);
    for (position, c) in text.char_indices() {
        if c == '"' {
            quoted = !quoted;
        } else if c == at && !quoted {
            parts.push(&text[start..position]);
            start = position + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The first of `offered` that is accepted.
pub(super) fn choose<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Option<&'a str> {
    accepted(headers).iter().find_map(|wanted| {
        offered.iter().copied().find(|offer| {
            let group = offer.split('/').next().unwrap_or_default();
            wanted.media == *offer || wanted.media == "*/*" || wanted.media == format!("{group}/*")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())])
    }

    #[test]
    fn parameters_and_quality_are_read() {
        let all = accepted(&headers(
            "multipart/related; type=\"application/dicom\"; transfer-syntax=*;q=0.5, application/json",
        ));
        assert_eq!(all[0].media, "application/json");
        assert_eq!(all[1].part.as_deref(), Some("application/dicom"));
        assert_eq!(all[1].transfer_syntax.as_deref(), Some("*"));
        assert_eq!(accepted(&HeaderMap::new())[0].media, "*/*");
    }

    #[test]
    fn what_is_not_offered_is_not_chosen() {
        let offered = ["image/png", "image/jpeg"];
        assert_eq!(choose(&headers("image/jpeg"), &offered), Some("image/jpeg"));
        assert_eq!(choose(&headers("image/*"), &offered), Some("image/png"));
        assert_eq!(choose(&headers("video/mp4, text/html;q=0.9"), &offered), None);
        assert_eq!(choose(&headers("image/png;q=0"), &offered), None);
    }
}

//! Sessions: what the cookie holds, what is stored of it, and the token that every form of it carries.

use axum::http::{HeaderMap, HeaderValue, header};

/// How far a sign-in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The second factor is missing.
    Code,
    /// A new password is missing.
    Change,
    /// Nothing is missing.
    Full,
}

impl Stage {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Change => "change",
            Self::Full => "full",
        }
    }

    /// Parses a stage; what is unknown is no session.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Code, Self::Change, Self::Full].into_iter().find(|stage| stage.as_str() == text)
    }

    /// The page that a sign-in goes on with.
    pub fn page(self) -> &'static str {
        match self {
            Self::Code => "/signin/code",
            Self::Change => "/signin/password",
            Self::Full => "/",
        }
    }
}

/// How a cookie travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TLS, here or in a proxy before this node.
    Encrypted,
    /// Plain HTTP, which is served on loopback alone.
    Loopback,
}

impl Transport {
    /// The cookie's name. The prefix makes browsers refuse it without TLS, for a domain or for a path.
    fn cookie(self) -> &'static str {
        match self {
            Self::Encrypted => "__Host-coxa",
            Self::Loopback => "coxa",
        }
    }
}

/// What is stored of a session's secret.
pub fn stored(secret: &str) -> String {
    coxa_files::sha256(secret.as_bytes())
}

/// The token of a session's forms: follows from the secret, and the secret does not follow from it.
pub fn form_token(secret: &str) -> String {
    coxa_files::sha256(format!("coxa form {secret}").as_bytes())
}

/// The value of a request's cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

/// The session's secret in a request's cookies.
pub fn secret_of(headers: &HeaderMap, transport: Transport) -> Option<&str> {
    let secret = cookie(headers, transport.cookie())?;
    (secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit())).then_some(secret)
}

/// The header that sets the cookie; with an empty secret, the one that removes it.
pub fn set_cookie(secret: &str, transport: Transport) -> HeaderValue {
    let secure = if transport == Transport::Encrypted { "; Secure" } else { "" };
    let gone = if secret.is_empty() { "; Max-Age=0" } else { "" };
    let text = format!("{}={secret}; Path=/; HttpOnly; SameSite=Lax{secure}{gone}", transport.cookie());
    // All of it is ASCII of ours.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_read_as_it_is_set() {
        let secret = crate::secret();
        let set = set_cookie(&secret, Transport::Encrypted);
        assert_eq!(set, format!("__Host-coxa={secret}; Path=/; HttpOnly; SameSite=Lax; Secure").as_str());
        let headers = |text: &str| HeaderMap::from_iter([(header::COOKIE, text.parse().unwrap())]);
        let sent = headers(&format!("a=b; __Host-coxa={secret}; coxa=x"));
        assert_eq!(secret_of(&sent, Transport::Encrypted), Some(secret.as_str()));
        assert_eq!(secret_of(&sent, Transport::Loopback), None);
        assert!(set_cookie("", Transport::Loopback).to_str().unwrap().starts_with("coxa=; Path=/; HttpOnly"));
        assert_ne!(stored(&secret), form_token(&secret));
    }
}

//! Settings of sign-in through an identity provider (OpenID Connect).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;
use crate::people::{Role, Roles};

/// An identity provider.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its issuer, as it writes it: `https://login.hospital.example/realms/staff`.
    pub issuer: String,
    /// How this node is known there.
    pub client_id: String,
    /// The secret of this client; none for a public one.
    pub client_secret: Option<String>,
    /// A file that holds the secret.
    pub client_secret_file: Option<PathBuf>,
    /// The claim that holds a person's groups or roles: a list of texts, or one.
    #[serde(default = "Oidc::groups")]
    pub claim: String,
    /// Scopes that are asked for beside `openid`.
    #[serde(default = "Oidc::usual_scopes")]
    pub scopes: Vec<String>,
    /// The words of the link on the sign-in page.
    #[serde(default = "Oidc::usual_words")]
    pub button: String,
    /// Domains of verified mail addresses that may sign in; any, unless given.
    #[serde(default)]
    pub email_domains: Vec<String>,
    /// Where passwords sign in beside the provider.
    #[serde(default)]
    pub passwords: PasswordsFrom,
    /// The roles of each group.
    pub roles: BTreeMap<String, Vec<String>>,
}

/// Where passwords sign in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordsFrom {
    /// Wherever the pages are reached.
    #[default]
    Anywhere,
    /// On the node's own machine alone.
    Loopback,
}

impl std::fmt::Debug for Oidc {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oidc").field("issuer", &self.issuer).field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl Oidc {
    fn groups() -> String {
        "groups".into()
    }

    fn usual_scopes() -> Vec<String> {
        vec!["profile".into(), "email".into()]
    }

    fn usual_words() -> String {
        "Sign in with your hospital account".into()
    }

    /// The client's secret: the one that is given, or its file's first line.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn secret(&self) -> Result<Option<String>, ConfigError> {
        let Some(file) = &self.client_secret_file else { return Ok(self.client_secret.clone()) };
        let text = std::fs::read_to_string(file).map_err(|source| ConfigError::File { file: file.clone(), source })?;
        Ok(Some(text.lines().next().unwrap_or_default().trim().to_owned()))
    }

    /// The roles of somebody in these groups.
    pub fn roles_of<'a>(&self, groups: impl IntoIterator<Item = &'a str>) -> Roles {
        groups
            .into_iter()
            .filter_map(|group| self.roles.get(group))
            .flatten()
            .filter_map(|role| Role::parse(role))
            .collect()
    }

    /// Checks it. `has_address` is whether browsers reach the node by a configured address or over loopback alone.
    pub(super) fn validate(&self, has_address: bool) -> Result<(), ConfigError> {
        if !cfg!(feature = "oidc") {
            return Err(ConfigError::Unsafe {
                what: "[oidc] is configured, and this program was built without OpenID Connect".into(),
                hint: "build it with --features oidc, or remove [oidc]",
            });
        }
        let issuer = self.issuer.parse::<reqwest::Url>().ok();
        let is_plain = |url: &reqwest::Url| url.query().is_none() && url.fragment().is_none();
        if !issuer.is_some_and(|url| is_plain(&url) && may_be_called(&url)) {
            let expected = "https://HOST/PATH without query; http:// on loopback alone; no link-local address";
            return Err(ConfigError::value("oidc.issuer", &self.issuer, expected));
        }
        if self.client_id.trim().is_empty() {
            return Err(ConfigError::value("oidc.client_id", &self.client_id, "the client's id at the provider"));
        }
        if self.client_secret.is_some() && self.client_secret_file.is_some() {
            return Err(ConfigError::value(
                "oidc.client_secret_file",
                "…",
                "client_secret or client_secret_file, not both",
            ));
        }
        if self.secret()?.is_some_and(|secret| secret.is_empty()) {
            return Err(ConfigError::value("oidc.client_secret", "", "a secret, or none of the two keys"));
        }
        let unknown = self.roles.values().flatten().find(|role| Role::parse(role).is_none());
        if let Some(role) = unknown {
            let all: Vec<&str> = Role::ALL.into_iter().map(Role::as_str).collect();
            return Err(ConfigError::value("oidc.roles", role, format!("one of {}", all.join(", "))));
        }
        if self.roles.values().all(Vec::is_empty) {
            return Err(ConfigError::value(
                "oidc.roles",
                "{}",
                "a group with its roles: \"radiology\" = [\"physician\"]",
            ));
        }
        if !has_address {
            return Err(ConfigError::Unsafe {
                what: "[oidc] needs the address that the provider leads browsers back to".into(),
                hint: "set [people] address = \"https://HOST\"; the redirect URI is then https://HOST/signin/oidc/callback",
            });
        }
        Ok(())
    }
}

/// Whether a provider's address may be called: TLS, but on this machine; never an address of the link (a cloud's metadata service).
pub(crate) fn may_be_called(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<IpAddr>().ok();
    let is_loopback = host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback());
    let is_encrypted = url.scheme() == "https" || url.scheme() == "http" && is_loopback;
    let has_password = !url.username().is_empty() || url.password().is_some();
    is_encrypted && !host.is_empty() && !has_password && !address.is_some_and(crate::addresses::is_link_local)
}

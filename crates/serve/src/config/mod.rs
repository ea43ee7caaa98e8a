//! A node's settings: built-in defaults, over them a TOML file, over that environment variables and flags.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use coxa_model::Precision;
use serde::Deserialize;

use crate::db::sqlite_url;
use crate::people::session::Transport;

mod collections;
mod oidc;
mod peers;
mod people;

pub use collections::Collection;
#[cfg(feature = "oidc")]
pub(crate) use oidc::may_be_called;
pub use oidc::{Oidc, PasswordsFrom};
pub use peers::{Destination, Fhir, May, Peer};
pub use people::{Audit, SignIn};

/// All settings of a node, each with its default.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The node's own AE title.
    pub ae_title: String,
    /// The folder of the database, the films and what is being received.
    pub data: PathBuf,
    /// Where the web interfaces listen.
    pub http: SocketAddr,
    /// Where DICOM associations are accepted.
    pub dicom: SocketAddr,
    /// `postgres://…`, or `sqlite://…`; a file in the data folder unless given.
    pub database: Option<String>,
    /// `s3://BUCKET/PREFIX` or `file:///FOLDER`: films are copied there from the local disk.
    pub objects: Option<String>,
    /// What this node does.
    pub roles: Vec<Role>,
    /// The node's name among others that share the database; the host's name unless given.
    pub node: Option<String>,
    /// Peers that may open associations. With none, any peer may store, and the node listens on loopback only.
    #[serde(rename = "peer")]
    pub peers: Vec<Peer>,
    /// Where results go.
    #[serde(rename = "destination")]
    pub destinations: Vec<Destination>,
    /// A FHIR server that results are pushed to.
    pub fhir: Option<Fhir>,
    /// Folders that are watched.
    pub watch: Watch,
    /// The network and how it runs.
    pub network: Network,
    /// The gate before it.
    pub gate: Gate,
    /// How long films are kept.
    pub retention: Retention,
    /// Bounds of what peers may use up.
    pub limits: Limits,
    /// Certificates; with them both ports are encrypted.
    pub tls: Option<Tls>,
    /// The web interfaces want a token on loopback too; elsewhere they always do.
    pub require_token: bool,
    /// How people sign in to the pages.
    pub people: SignIn,
    /// An identity provider that people sign in through.
    pub oidc: Option<Oidc>,
    /// The audit log.
    pub audit: Audit,
    /// Films that are being collected or de-identified, for the pages.
    #[serde(rename = "collection")]
    pub collections: Vec<Collection>,
    /// What the form of a new trial begins with.
    pub trial: Option<crate::trial::TrialPlan>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ae_title: "COXA".into(),
            data: "coxa-data".into(),
            http: ([127, 0, 0, 1], 8080).into(),
            dicom: ([127, 0, 0, 1], 11112).into(),
            database: None,
            objects: None,
            roles: Role::ALL.to_vec(),
            node: None,
            peers: Vec::new(),
            destinations: Vec::new(),
            fhir: None,
            watch: Watch::default(),
            network: Network::default(),
            gate: Gate::default(),
            retention: Retention::default(),
            limits: Limits::default(),
            tls: None,
            require_token: false,
            people: SignIn::default(),
            oidc: None,
            audit: Audit::default(),
            collections: Vec::new(),
            trial: None,
        }
    }
}

/// A part of the work that a node may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Films arrive: DICOM, STOW-RS, watched folders.
    Receive,
    /// Films are read.
    Read,
    /// Results are sent.
    Send,
    /// Pages and interfaces.
    Pages,
}

impl Role {
    /// All.
    pub const ALL: [Self; 4] = [Self::Receive, Self::Read, Self::Send, Self::Pages];

    /// Parses `receive`, `read`, `send` or `pages`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "receive" => Some(Self::Receive),
            "read" => Some(Self::Read),
            "send" => Some(Self::Send),
            "pages" => Some(Self::Pages),
            _ => None,
        }
    }
}

/// Folders that are watched.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    /// The folders; files in them stay.
    pub folders: Vec<PathBuf>,
    /// How often they are looked through.
    pub every_seconds: u64,
}

impl Default for Watch {
    fn default() -> Self {
        Self { folders: Vec::new(), every_seconds: 5 }
    }
}

/// The network and how it runs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// A bundle's folder; the shipped one unless given.
    pub bundle: Option<PathBuf>,
    /// `f32`, `bf16` or `int8`.
    pub precision: String,
    /// Threads; all of the processor unless given.
    pub threads: Option<usize>,
    /// Another threshold than the bundle's, 0 to 1.
    pub threshold: Option<f64>,
    /// A second, higher threshold: regions of films above it are drawn solid, of those between dotted.
    pub high_specificity_threshold: Option<f64>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            bundle: None,
            precision: "bf16".into(),
            threads: None,
            threshold: None,
            high_specificity_threshold: None,
        }
    }
}

impl Network {
    /// The precision.
    ///
    /// # Errors
    /// An unknown name.
    pub fn precision(&self) -> Result<Precision, ConfigError> {
        match self.precision.as_str() {
            "f32" => Ok(Precision::F32),
            "bf16" => Ok(Precision::Bf16),
            "int8" => Ok(Precision::Int8),
            other => Err(ConfigError::value("network.precision", other, "f32, bf16 or int8")),
        }
    }
}

/// The gate before the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gate {
    /// Reads every film, whatever it shows: for trials on films whose headers are known to be wrong.
    pub any_film: bool,
}

/// How long films are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Films that are read and whose results are sent are removed after so many days; never, unless given.
    pub days: Option<u32>,
}

/// Bounds of what peers may use up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Associations at once.
    pub associations: usize,
    /// The largest object, MiB.
    pub object_mib: u64,
    /// Films are refused ("out of resources") while less than this is free on the disk, MiB.
    pub free_disk_mib: u64,
    /// Connections to the web interfaces at once.
    pub http_connections: usize,
    /// Tries to read a film before a person must look at it.
    pub read_tries: i64,
    /// Tries to send an object that a destination refuses without saying that it is busy.
    pub send_tries: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            associations: 32,
            object_mib: 512,
            free_disk_mib: 1024,
            http_connections: 256,
            read_tries: 5,
            send_tries: 20,
        }
    }
}

/// Certificates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate with its chain, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Authorities of peers' certificates, PEM; with them a DICOM peer must show one.
    pub authorities: Option<PathBuf>,
}

/// A configuration that a node cannot start with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no such TOML.
    #[error("{}: {reason}", file.display())]
    Toml {
        /// The file.
        file: PathBuf,
        /// What and where.
        reason: String,
    },
    /// A value that cannot be.
    #[error("{key} is `{value}`, where {expected} is needed")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is needed.
        expected: String,
    },
    /// Settings that are not safe together.
    #[error("{what}")]
    Unsafe {
        /// What is wrong.
        what: String,
        /// The way out.
        hint: &'static str,
    },
}

impl ConfigError {
    pub(super) fn value(key: &'static str, value: impl ToString, expected: impl Into<String>) -> Self {
        Self::Value { key, value: value.to_string(), expected: expected.into() }
    }

    /// The way out.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unsafe { hint, .. } => Some(hint),
            Self::File { .. } => None,
            Self::Toml { .. } | Self::Value { .. } => Some("docs/serve.md lists every key with its default"),
        }
    }
}

impl Config {
    /// Reads a TOML file over the defaults.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown key or a value of another type.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| ConfigError::File { file: file.to_owned(), source })?;
        // The parser's message may quote the line, and a line may hold a password.
        let plain = |error: toml::de::Error| {
            let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            format!("{}{}", line.map(|line| format!("line {line}: ")).unwrap_or_default(), error.message().trim())
        };
        toml::from_str(&text).map_err(|error| ConfigError::Toml { file: file.to_owned(), reason: plain(error) })
    }

    /// Checks what the types do not: titles, addresses, names, and that nothing is open that must not be.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        is_title("ae_title", &self.ae_title)?;
        for peer in &self.peers {
            is_title("peer.ae_title", &peer.ae_title)?;
        }
        for (index, destination) in self.destinations.iter().enumerate() {
            is_title("destination.ae_title", &destination.ae_title)?;
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if destination.name.is_empty() || !destination.name.chars().all(is_name) {
                return Err(ConfigError::value(
                    "destination.name",
                    &destination.name,
                    "letters, digits, `-`, `_` and `.`",
                ));
            }
            if self.destinations[..index].iter().any(|other| other.name == destination.name) {
                return Err(ConfigError::value(
                    "destination.name",
                    &destination.name,
                    "another name than the one before",
                ));
            }
            let host = destination.host.trim_start_matches('[').trim_end_matches(']');
            if host.parse::<std::net::IpAddr>().is_ok_and(crate::addresses::is_link_local) {
                return Err(ConfigError::value(
                    "destination.host",
                    &destination.host,
                    "a server's address, which is never link-local,",
                ));
            }
            if destination.sends.is_empty() {
                return Err(ConfigError::value(
                    "destination.sends",
                    "[]",
                    "at least one of sr, gsps, sc, parametric_map",
                ));
            }
        }
        if let Some(fhir) = &self.fhir {
            fhir.validate()?;
        }
        self.people.validate()?;
        if let Some(oidc) = &self.oidc {
            oidc.validate(self.people.address.is_some() || self.tls.is_none() && self.http.ip().is_loopback())?;
        }
        self.audit.validate()?;
        Collection::validate(&self.collections)?;
        if let Some(trial) = &self.trial {
            trial.check().map_err(|wrong| ConfigError::value("trial", &trial.name, wrong))?;
        }
        self.network.precision()?;
        for (key, value) in [
            ("network.threshold", self.network.threshold),
            ("network.high_specificity_threshold", self.network.high_specificity_threshold),
        ] {
            if let Some(value) = value.filter(|value| !(0.0..=1.0).contains(value)) {
                return Err(ConfigError::value(key, value, "a number from 0 to 1"));
            }
        }
        if self.roles.is_empty() {
            return Err(ConfigError::value("roles", "[]", "at least one of receive, read, send, pages"));
        }
        if self.limits.associations == 0 || self.limits.http_connections == 0 || self.limits.object_mib == 0 {
            return Err(ConfigError::value("limits", 0, "at least 1"));
        }
        self.is_shared_whole()?;
        self.is_closed()
    }

    /// Films lie on the disk of the node that received them: nodes that share the work reach them through a bucket alone.
    fn is_shared_whole(&self) -> Result<(), ConfigError> {
        let is_shared = self.database.as_deref().is_some_and(|url| url.starts_with("postgres"));
        if !is_shared || self.objects.is_some() {
            return Ok(());
        }
        let results_leave = !self.destinations.is_empty();
        let is_split = self.has(Role::Receive) != self.has(Role::Read)
            || results_leave && self.has(Role::Read) != self.has(Role::Send)
            || !self.has(Role::Receive) && self.has(Role::Pages);
        if !is_split {
            return Ok(());
        }
        Err(ConfigError::Unsafe {
            what: "roles are split among nodes that share a database, and there is no place for films that all of them reach".into(),
            hint: "set objects to a bucket (s3://…, or file:///FOLDER of a shared disk), or give this node the roles receive, read and send",
        })
    }

    /// Nothing listens beyond this machine without what makes that safe.
    fn is_closed(&self) -> Result<(), ConfigError> {
        if !self.http.ip().is_loopback() && self.tls.is_none() {
            return Err(ConfigError::Unsafe {
                what: format!("http listens on {} without TLS", self.http.ip()),
                hint: "set [tls] certificate and key, or listen on 127.0.0.1 behind a proxy that encrypts",
            });
        }
        if !self.dicom.ip().is_loopback() && self.peers.is_empty() {
            return Err(ConfigError::Unsafe {
                what: format!("dicom listens on {} for any peer", self.dicom.ip()),
                hint: "add a [[peer]] with ae_title and host for each that may store, or listen on 127.0.0.1",
            });
        }
        Ok(())
    }

    /// The database's URL.
    pub fn database_url(&self) -> String {
        self.database.clone().unwrap_or_else(|| sqlite_url(&self.data))
    }

    /// How sessions' cookies travel.
    pub fn transport(&self) -> Transport {
        if self.tls.is_some() || self.people.address.is_some() { Transport::Encrypted } else { Transport::Loopback }
    }

    /// Whether the interfaces for programs want a token on loopback too: behind a proxy, whoever calls comes over loopback.
    pub fn wants_tokens(&self) -> bool {
        self.require_token || self.people.address.is_some()
    }

    /// Whether the node has a role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// This node's name.
    pub fn node_name(&self) -> String {
        let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
        self.node.clone().or_else(host).filter(|name| !name.is_empty()).unwrap_or_else(|| "node".into())
    }
}

/// An AE title is 1 to 16 printable ASCII characters without a backslash, and not only spaces (PS3.5, 6.2).
fn is_title(key: &'static str, title: &str) -> Result<(), ConfigError> {
    let fits = (1..=16).contains(&title.len()) && title.trim() == title;
    if fits && title.bytes().all(|b| (0x20..0x7F).contains(&b) && b != b'\\') {
        return Ok(());
    }
    Err(ConfigError::value(key, title, "an AE title: 1 to 16 ASCII characters without backslash"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::ObjectKind;

    fn of(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("coxa.toml");
        std::fs::write(&file, text).unwrap();
        let config =
            Config::load(&file).map_err(|error| error.to_string().replace(&*file.to_string_lossy(), "coxa.toml"))?;
        config.validate().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn nothing_is_needed() {
        let config = of("").unwrap();
        assert_eq!((config.http.port(), config.dicom.port(), config.ae_title.as_str()), (8080, 11112, "COXA"));
        assert!(config.database_url().starts_with("sqlite://coxa-data/coxa.sqlite"));
        assert!(Role::ALL.iter().all(|role| config.has(*role)));
    }

    #[test]
    fn split_roles_want_a_place_for_films() {
        let shared = "database = \"postgres://coxa@db/coxa\"\n";
        for (text, is_right) in [
            ("", true),
            ("roles = [\"receive\", \"read\", \"send\"]", true),
            ("roles = [\"receive\", \"pages\"]", false),
            ("roles = [\"read\"]", false),
            ("roles = [\"pages\"]", false),
            ("roles = [\"receive\", \"pages\"]\nobjects = \"s3://films\"", true),
        ] {
            assert_eq!(of(&format!("{shared}{text}")).is_ok(), is_right, "{text}");
        }
        assert!(of("roles = [\"receive\", \"pages\"]").is_ok(), "alone it may wait for a reader");
    }

    #[test]
    fn the_settings_of_a_container_are_safe_ones() {
        let config = of(include_str!("../../../../deploy/container.toml")).unwrap();
        assert!(config.dicom.ip().is_unspecified() && config.http.ip().is_loopback());
    }

    #[test]
    fn a_destination_gets_what_viewers_show_unless_it_says() {
        let config = of(
            "[[destination]]\nname = \"pacs\"\nae_title = \"ORTHANC\"\nhost = \"127.0.0.1\"\nport = 4242\n\
             [[destination]]\nname = \"lab\"\nae_title = \"LAB\"\nhost = \"::1\"\nport = 104\nsends = [\"parametric_map\"]",
        )
        .unwrap();
        assert_eq!(config.destinations[0].sends, [ObjectKind::Sr, ObjectKind::Gsps, ObjectKind::Sc]);
        assert_eq!(config.destinations[1].sends, [ObjectKind::ParametricMap]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, wrong) in [
            ("ae_titel = \"A\"", "unknown field `ae_titel`"),
            ("ae_title = \"A TITLE THAT IS TOO LONG\"", "ae_title is `A TITLE THAT IS TOO LONG`"),
            ("http = \"0.0.0.0:8080\"", "without TLS"),
            ("dicom = \"0.0.0.0:11112\"", "for any peer"),
            ("roles = [\"dance\"]", "unknown variant `dance`"),
            ("[network]\nprecision = \"f64\"", "f32, bf16 or int8"),
            ("[network]\nthreshold = 2.0", "from 0 to 1"),
            ("[fhir]\npush = \"http://169.254.169.254/fhir\"", "link-local"),
            ("[[destination]]\nname = \"a\"\nae_title = \"A\"\nhost = \"[fe80::1]\"\nport = 104", "link-local"),
            ("[fhir]\npush = \"ftp://host/fhir\"", "http:// or https://"),
            ("[people]\naddress = \"http://coxa.example\"", "https://HOST"),
            ("[people]\naddress = \"https://coxa.example/path\"", "https://HOST"),
            ("[[collection]]\nname = \"a/b\"\nfolder = \"f\"", "collection.name is `a/b`"),
            ("[audit]\nkeys = [\"abc\"]", "64 hexadecimal digits"),
            ("[oidc]\nissuer = \"http://idp.example\"\nclient_id = \"c\"\n[oidc.roles]", "oidc.issuer"),
            ("[oidc]\nissuer = \"https://169.254.169.254\"\nclient_id = \"c\"\n[oidc.roles]", "no link-local"),
            ("[oidc]\nissuer = \"https://idp.example\"\nclient_id = \"c\"\n[oidc.roles]", "a group with its roles"),
            (
                "[oidc]\nissuer = \"https://idp.example\"\nclient_id = \"c\"\n[oidc.roles]\na = [\"root\"]",
                "oidc.roles is `root`",
            ),
            ("[trial]\nname = \"T\"\nplanned = 10\nblock_sizes = [5]", "multiples of 2"),
            ("[trial]\nname = \"T\"\nplanned = 10\nunit = \"film\"", "unknown variant `film`"),
            ("\n\n[limits]\nassociations = \"many\"", "line 4"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(wrong), "{text}: {error}");
        }
    }

    #[test]
    fn an_error_does_not_repeat_a_password() {
        let error = of("database = \"postgres://coxa:secret@host/db\" oops").unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}

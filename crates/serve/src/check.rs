//! `coxa serve --check`: a configuration is tried without starting a node.
//!
//! Nothing is changed in the data folder or the database: a node, of an earlier version too, may be working with them.

use std::path::Path;
use std::time::Duration;

use coxa_dimse::tls::{Acceptor, TlsFiles};
use tokio::net::TcpListener;

use crate::config::{Config, Fhir, Role};
use crate::db::{Database, SchemaFound};
use crate::node::is_running;
use crate::people::Vault;
use crate::push;
use crate::read::open_detector;
use crate::send::{call_of, echo};
use crate::store::{Store, free_bytes};

/// What `--check` found: a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was tried.
    pub what: String,
    /// Why it does not work; `None` where it does.
    pub wrong: Option<String>,
}

/// Tries a configuration without starting a node: folder, disk, database, bucket, key, network, certificates, addresses, watched folders,
/// the identity provider, the FHIR server, and each destination.
pub async fn check(config: &Config) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut note = |what: String, result: Result<(), String>| all.push(Finding { what, wrong: result.err() });
    note("configuration".into(), config.validate().map_err(|error| error.to_string()));
    let running = is_running(&config.data);
    let is_in_use = matches!(running, Ok(true));
    let in_use = if is_in_use { " (a node is running here)" } else { "" };
    let folder = running.map_err(|error| error.to_string()).and_then(|_| try_folder(config));
    note(format!("folder {}{in_use}", config.data.display()), folder);
    match Database::look(&config.database_url()).await {
        Ok(SchemaFound::Current) => note("database".into(), Ok(())),
        Ok(SchemaFound::Earlier) => {
            note("database, of an earlier version: the next start brings it up to date".into(), Ok(()))
        }
        Ok(SchemaFound::None) => note("database, which the next start makes".into(), Ok(())),
        Err(error) => note("database".into(), Err(error.to_string())),
    }
    if let Some(url) = &config.objects {
        note("bucket".into(), Store::try_bucket(url).await.map_err(|error| error.to_string()));
    }
    if let Some(file) = &config.people.key_file {
        note(format!("key file {}", file.display()), Vault::read(file).map(drop).map_err(|error| error.to_string()));
    }
    if config.has(Role::Read) {
        let network = tokio::task::spawn_blocking({
            let config = config.clone();
            move || open_detector(&config).map(drop).map_err(|error| error.to_string())
        });
        note("network".into(), network.await.unwrap_or_else(|_| Err("it crashed".into())));
    }
    if let Some(tls) = &config.tls {
        let files = TlsFiles {
            certificate: tls.certificate.clone(),
            key: tls.key.clone(),
            authorities: tls.authorities.clone(),
        };
        note("certificates".into(), Acceptor::new(files).map(drop).map_err(|error| error.to_string()));
    }
    for (name, address) in [("http", config.http), ("dicom", config.dicom)] {
        let bound = TcpListener::bind(address).await;
        match bound {
            Err(error) if is_in_use && error.kind() == std::io::ErrorKind::AddrInUse => {
                note(format!("{name} {address} (in use, as the running node's may be)"), Ok(()));
            }
            bound => note(format!("{name} {address}"), bound.map(drop).map_err(|error| error.to_string())),
        }
    }
    for folder in &config.watch.folders {
        let read = std::fs::read_dir(folder).map(drop).map_err(|error| error.to_string());
        note(format!("watched folder {}", folder.display()), read);
    }
    #[cfg(feature = "oidc")]
    if let Some(oidc) = &config.oidc {
        let found = crate::people::oidc::Provider::default().check(oidc).await;
        note(format!("identity provider {}", oidc.issuer), found.map_err(|error| error.to_string()));
    }
    for collection in &config.collections {
        let found = collection.content().and_then(|_| collection.decisions());
        note(format!("collection {}", collection.name), found.map(drop).map_err(|error| error.to_string()));
    }
    if let Some(fhir) = &config.fhir {
        note(format!("FHIR server {}", push::place(&fhir.push)), try_fhir(fhir).await);
    }
    for destination in &config.destinations {
        let tried = match call_of(config, destination) {
            Ok(call) => echo(&call).await,
            Err(error) => Err(error),
        };
        note(
            format!(
                "destination {} ({}@{}:{})",
                destination.name, destination.ae_title, destination.host, destination.port
            ),
            tried,
        );
    }
    all
}

fn try_folder(config: &Config) -> Result<(), String> {
    // What is not there yet is made in the nearest folder that is.
    let there = config.data.ancestors().find(|folder| folder.exists());
    let there = there.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !there.is_dir() {
        return Err(format!("{} is no folder", there.display()));
    }
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(there, access).map_err(|error| format!("{} cannot be written: {error}", there.display()))?;
    let free = free_bytes(there).map_err(|error| error.to_string())? >> 20;
    let least = config.limits.free_disk_mib;
    if free < least { Err(format!("{free} MiB are free, and limits.free_disk_mib is {least}")) } else { Ok(()) }
}

/// Asks a FHIR server what it can do, which every one answers without changing anything. An interface engine in its place may know no such
/// address: what counts is that it answers, and does not refuse the token.
async fn try_fhir(fhir: &Fhir) -> Result<(), String> {
    let client = push::client_of(fhir)?;
    let mut request =
        client.get(format!("{}/metadata", fhir.push.trim_end_matches('/'))).timeout(Duration::from_secs(10));
    if let Some(token) = &fhir.token {
        request = request.bearer_auth(token);
    }
    let status = request.send().await.map_err(|error| push::explain(&error.without_url()))?.status();
    match status.as_u16() {
        401 | 403 => Err(format!("it answered {status}: check [fhir] token")),
        500..=599 => Err(format!("it answered {status}")),
        _ => Ok(()),
    }
}

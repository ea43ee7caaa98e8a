//! `coxa serve --check`: a configuration is tried without starting a node.

use coxa_dimse::tls::{Acceptor, TlsFiles};
use tokio::net::TcpListener;

use crate::config::{Config, Role};
use crate::db::{Database, DbError};
use crate::node::lock;
use crate::read::open_detector;
use crate::send::{call_of, echo};
use crate::store::{Store, StoreError, free_bytes};

/// What `--check` found: a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was tried.
    pub what: String,
    /// Why it does not work; `None` where it does.
    pub wrong: Option<String>,
}

/// Tries a configuration without starting a node: folder, disk, database, bucket, network, certificates, the identity
/// provider, and each destination.
pub async fn check(config: &Config) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut note = |what: String, result: Result<(), String>| all.push(Finding { what, wrong: result.err() });
    note("configuration".into(), config.validate().map_err(|error| error.to_string()));
    note(format!("folder {}", config.data.display()), try_folder(config));
    let database = async {
        let db = Database::open(&config.database_url()).await?;
        db.ping().await?;
        db.close().await;
        Ok::<_, DbError>(())
    };
    note("database".into(), database.await.map_err(|error| error.to_string()));
    if let Some(url) = &config.objects {
        let bucket = async { Store::open(&config.data, "check", Some(url))?.check().await };
        note("bucket".into(), bucket.await.map_err(|error: StoreError| error.to_string()));
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
        note(format!("{name} {address}"), bound.map(drop).map_err(|error| error.to_string()));
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
    std::fs::create_dir_all(&config.data).map_err(|error| error.to_string())?;
    drop(lock(&config.data).map_err(|error| error.to_string())?);
    let free = free_bytes(&config.data).map_err(|error| error.to_string())? >> 20;
    let least = config.limits.free_disk_mib;
    if free < least { Err(format!("{free} MiB are free, and limits.free_disk_mib is {least}")) } else { Ok(()) }
}

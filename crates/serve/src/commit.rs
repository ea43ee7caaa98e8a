//! Storage commitment's answers: on an association of their own, to the address that the configuration has of the peer.

use std::sync::Arc;
use std::time::Duration;

use coxa_dimse::commitment::{Failure, Reference, Report, reporting};
use coxa_dimse::{Status, Uid};
use tokio::sync::{Notify, watch};

use crate::config::{Config, Peer};
use crate::db::{Commitment, Database, DbError};
use crate::send::call_peer;
use crate::store::Store;

const POLL: Duration = Duration::from_secs(2);

/// Where a peer's answers go, or the setting that is missing.
///
/// # Errors
/// The line of configuration that would allow it.
pub fn answerable<'a>(config: &'a Config, ae_title: &str) -> Result<(&'a Peer, std::net::SocketAddr), String> {
    let peer = config.peers.iter().find(|peer| peer.ae_title == ae_title);
    match peer.map(|peer| (peer, peer.host, peer.port)) {
        Some((peer, Some(host), Some(port))) => Ok((peer, (host, port).into())),
        _ => Err(format!(
            "to answer it, add host and port: [[peer]] ae_title = \"{ae_title}\", host = \"…\", port = 104"
        )),
    }
}

/// Answers requests until `stop`.
pub async fn answer(config: Config, db: Database, store: Store, asked: Arc<Notify>, mut stop: watch::Receiver<bool>) {
    let node = config.node_name();
    while !*stop.borrow() {
        let commitment = match db.claim_commitment(&node).await {
            Ok(Some(commitment)) => commitment,
            other => {
                if let Err(error) = other {
                    tracing::error!("storage commitment's queue cannot be read: {error}");
                }
                tokio::select! {
                    () = asked.notified() => {}
                    () = tokio::time::sleep(POLL) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
                continue;
            }
        };
        let _held = db.hold(&tokio::runtime::Handle::current(), &commitment.claim);
        let result = report(&config, &db, &store, &commitment).await;
        if let Err(error) = &result {
            tracing::warn!(peer = %commitment.peer, attempt = commitment.claim.attempts, "storage commitment was not answered: {error}");
        }
        if let Err(error) = db.finish_commitment(&commitment, result).await {
            tracing::error!("what became of a storage commitment could not be noted: {error}");
        }
    }
}

async fn report(config: &Config, db: &Database, store: &Store, commitment: &Commitment) -> Result<(), String> {
    let (peer, address) = answerable(config, &commitment.peer)?;
    let report = look(db, store, commitment).await.map_err(|error| error.to_string())?;
    let call = call_peer(config, &peer.ae_title, &address.to_string(), peer.tls, vec![reporting()])?;
    let mut association = coxa_dimse::connect(&call).await.map_err(|error| error.to_string())?;
    let status = association.report_commitment(&report).await.map_err(|error| error.to_string())?;
    // The answer is here: how the association ends is of no interest.
    let _ = association.release().await;
    if status == Status::SUCCESS { Ok(()) } else { Err(format!("the report was answered with {status}")) }
}

/// What of a request is kept.
async fn look(db: &Database, store: &Store, commitment: &Commitment) -> Result<Report, DbError> {
    // UIDs were checked when the request came.
    let uid = |text: &str| Uid::parse(text).ok_or_else(|| DbError::Kind("a row's UID".into()));
    let mut report = Report { transaction: uid(&commitment.transaction)?, stored: Vec::new(), failed: Vec::new() };
    for (sop_class, sop_instance) in &commitment.references {
        let reference = Reference { sop_class: uid(sop_class)?, sop_instance: uid(sop_instance)? };
        let reason = match db.film_by_uid(sop_instance).await? {
            None => Some(0x0112),
            Some(film) if film.attributes.sop_class_uid != *sop_class => Some(0x0119),
            // On this disk, in the bucket, or on the disk of the node that has it.
            Some(film) => {
                let is_here = film.in_bucket || store.local(&film.attributes.sha256).is_some();
                let is_elsewhere = film.attributes.home != store.node();
                (!is_here && !is_elsewhere).then_some(0x0110)
            }
        };
        match reason {
            None => report.stored.push(reference),
            Some(reason) => report.failed.push(Failure { reference, reason: Status(reason) }),
        }
    }
    Ok(report)
}

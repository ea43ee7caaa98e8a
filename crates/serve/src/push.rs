//! Pushing results to a FHIR server: a transaction a film, the same one however often it is sent.
//!
//! The address is the administrator's. Redirects are not followed, and link-local addresses (a cloud's metadata service among them) are
//! refused whatever name leads there, so that nobody who can change a name or answer a request makes the node call elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::{Notify, watch};

use crate::addresses::is_link_local;
use crate::audit::{Deed, Event, Log, Who};
use crate::config::Fhir;
use crate::db::{Database, Job, JobKind, Outlook};
use crate::http::report_bundle;

const POLL: Duration = Duration::from_secs(2);

/// Resolves names and drops link-local addresses.
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| !is_link_local(address.ip())).collect();
            if allowed.is_empty() {
                return Err("the name leads to no address that may be called".into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// The client of outgoing requests.
///
/// # Errors
/// When TLS cannot be set up: the system has no certificate authorities.
#[cfg(feature = "oidc")]
pub(crate) fn client() -> Result<reqwest::Client, String> {
    built(builder())
}

/// The client of a FHIR server; one that is not called by TLS needs no certificate authorities.
///
/// # Errors
/// As [`client`].
pub(crate) fn client_of(fhir: &Fhir) -> Result<reqwest::Client, String> {
    built(if fhir.push.starts_with("http:") { builder().tls_certs_only([]) } else { builder() })
}

fn builder() -> reqwest::ClientBuilder {
    coxa_dimse::tls::install_provider();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Arc::new(Resolver))
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(60))
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
    let way_out =
        "install the system's certificate authorities (Debian: ca-certificates), or name them by SSL_CERT_FILE";
    builder.build().map_err(|error| format!("TLS cannot be set up: {}; {way_out}", explain(&error)))
}

/// An error with its causes, which a client's own words leave out.
pub(crate) fn explain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A URL's host and port: the rest of it may hold a password.
pub(crate) fn place(url: &str) -> String {
    let url = url.parse::<reqwest::Url>().ok();
    let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
    url.as_ref().and_then(|url| url.port()).map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Pushes results until `stop`.
pub(crate) async fn push(
    (fhir, client): (Fhir, reqwest::Client),
    (db, audit): (Database, Log),
    node: String,
    outbox: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        let job = match db.claim_job(JobKind::Fhir, &node).await {
            Ok(Some(job)) => job,
            other => {
                if let Err(error) = other {
                    tracing::error!("no job could be leased: {error}");
                }
                tokio::select! {
                    () = outbox.notified() => {}
                    () = tokio::time::sleep(POLL) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
                continue;
            }
        };
        let _held = db.hold(&tokio::runtime::Handle::current(), &job.claim);
        let noted = match attempt(&client, &fhir, &db, &job).await {
            Ok(()) => {
                record(&audit, &fhir, &node, &job, "done").await;
                db.finish_job(&job).await.map(drop)
            }
            Err((explained, outlook)) => {
                tracing::warn!(
                    attempt = job.claim.attempts,
                    "a result was not accepted by the FHIR server: {explained}"
                );
                if outlook == Outlook::Never {
                    record(&audit, &fhir, &node, &job, "dead").await;
                }
                db.fail_job(&job, &explained, outlook).await.map(drop)
            }
        };
        if let Err(error) = noted {
            tracing::error!("the outcome of a push could not be recorded: {error}");
        }
    }
}

/// What has left the node, or will not, is in the audit log.
async fn record(audit: &Log, fhir: &Fhir, node: &str, job: &Job, became: &str) {
    let event = Event::new(Deed::ResultPushed, Who::node(node)).on(job.film);
    let event = event.with("destination", "fhir").with("place", place(&fhir.push)).with("became", became);
    // The result is where it is; the log of the node has why this is not recorded.
    let _ = audit.add(if became == "done" { event } else { event.failed() }).await;
}

async fn attempt(client: &reqwest::Client, fhir: &Fhir, db: &Database, job: &Job) -> Result<(), (String, Outlook)> {
    let again = |error: &dyn std::fmt::Display| (error.to_string(), Outlook::AgainAlways);
    let (film, reading) = match (db.film(job.film).await, db.reading_of(job.film).await) {
        (Ok(Some(film)), Ok(Some(reading))) => (film, reading),
        (Ok(None), _) | (_, Ok(None)) => return Ok(()),
        (Err(error), _) | (_, Err(error)) => return Err(again(&error)),
    };
    let mut request = client
        .post(&fhir.push)
        .header("content-type", "application/fhir+json; fhirVersion=5.0")
        .body(report_bundle(&film, &reading).to_string());
    if let Some(token) = &fhir.token {
        request = request.bearer_auth(token);
    }
    // The URL may hold a password.
    let answer = request.send().await.map_err(|error| again(&error.without_url()))?;
    let status = answer.status();
    match status.as_u16() {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500..=599 => Err((format!("it answered {status}"), Outlook::AgainAlways)),
        _ => Err((format!("it answered {status}"), Outlook::Never)),
    }
}

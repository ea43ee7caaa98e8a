//! The accept loop: connections at once are bounded, and none may be silent for long.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use coxa_dimse::tls::Acceptor;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;

use super::caller::Remote;

/// How long a handshake, or a request's headers, may take.
const OPENING: Duration = Duration::from_secs(10);

/// Serves until `stop`; requests in hand go on for `grace`.
///
/// # Errors
/// When the listener fails.
pub async fn listen(
    listener: TcpListener,
    router: Router,
    tls: Option<Acceptor>,
    connections: usize,
    mut stop: watch::Receiver<bool>,
    grace: Duration,
) -> std::io::Result<()> {
    let places = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(OPENING);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Some(OPENING)).keep_alive_timeout(OPENING);
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place.map_err(std::io::Error::other)?,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, from)) = accepted else {
            // Out of descriptors, or a connection that has gone again.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Remote(from.ip()));
            router.clone().oneshot(request)
        });
        let (builder, watcher, tls) = (builder.clone(), graceful.watcher(), tls.clone());
        tokio::spawn(async move {
            // An error of a connection is its peer's: it has gone, or spoke something else.
            match tls {
                None => drop(watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned()).await),
                Some(tls) => {
                    if let Ok(Ok((stream, _))) = tokio::time::timeout(OPENING, tls.accept(stream)).await {
                        drop(watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned()).await);
                    }
                }
            }
            drop(place);
        });
    }
    // Those that take longer are dropped.
    let _ = tokio::time::timeout(grace, graceful.shutdown()).await;
    Ok(())
}

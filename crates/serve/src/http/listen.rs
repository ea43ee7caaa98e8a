//! The accept loop: connections at once are bounded, and none may be silent or take long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use coxa_dimse::tls::Acceptor;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, Sleep};
use tower::ServiceExt as _;

use super::caller::Remote;

/// How long a connection may hold its place.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// For a handshake, or a request's headers.
    pub opening: Duration,
    /// Without a byte in either direction. Longer than a busy database is waited for.
    pub silence: Duration,
    /// From a request's headers to the first byte of its answer, its body included.
    pub request: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            opening: Duration::from_secs(10),
            silence: Duration::from_secs(120),
            request: coxa_dimse::Deadlines::default().total,
        }
    }
}

/// Answers a request that takes too long with 408.
async fn within(limit: Duration, request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(limit, next.run(request)).await;
    answered.unwrap_or_else(|_| (StatusCode::REQUEST_TIMEOUT, "the request took too long\n").into_response())
}

/// A connection that fails when no byte has gone either way for a while.
struct Lively<S> {
    stream: S,
    silence: Duration,
    alarm: Pin<Box<Sleep>>,
}

impl<S: Unpin> Lively<S> {
    fn new(stream: S, silence: Duration) -> Self {
        Self { stream, silence, alarm: Box::pin(tokio::time::sleep(silence)) }
    }

    /// What an operation came to, where the silence has not become too long.
    fn heard<T>(&mut self, came: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if came.is_ready() {
            let then = Instant::now() + self.silence;
            self.alarm.as_mut().reset(then);
            return came;
        }
        self.alarm.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lively<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let came = Pin::new(&mut self.stream).poll_read(context, into);
        self.heard(came, context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lively<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let came = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.heard(came, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Serves until `stop`; requests in hand go on for `grace`.
///
/// # Errors
/// When the listener fails.
pub async fn listen(
    listener: TcpListener,
    router: Router,
    tls: Option<Acceptor>,
    (connections, pace): (usize, Pace),
    mut stop: watch::Receiver<bool>,
    grace: Duration,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let router = router.layer(from_fn(move |request, next| within(pace.request, request, next)));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(pace.opening);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Some(pace.opening)).keep_alive_timeout(pace.opening);
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place.map_err(io::Error::other)?,
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
                None => {
                    let stream = TokioIo::new(Lively::new(stream, pace.silence));
                    drop(watcher.watch(builder.serve_connection(stream, service).into_owned()).await);
                }
                Some(tls) => {
                    if let Ok(Ok((stream, _))) = tokio::time::timeout(pace.opening, tls.accept(stream)).await {
                        let stream = TokioIo::new(Lively::new(stream, pace.silence));
                        drop(watcher.watch(builder.serve_connection(stream, service).into_owned()).await);
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

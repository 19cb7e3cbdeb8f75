//! Serves a router on a listener, plain or over TLS, with limits that a plain listener does not have.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tower::ServiceExt;
use tracing::{debug, error};

use crate::tls::{PLAIN_REQUEST, Tls};

/// First byte of a TLS handshake (RFC 8446, section 5.1); no request of HTTP/1.1 begins with it.
const HANDSHAKE: u8 = 22;
/// How long a client that was refused may go on sending, so that it finds the refusal and not a broken connection.
const LINGER: Duration = Duration::from_secs(2);

/// Limits of a listener.
#[derive(Clone, Debug)]
pub struct Serving {
    /// A request's head must be there this soon.
    pub head_within: Duration,
    /// Connections open at once; further ones wait to be accepted.
    pub connections_max: usize,
    /// What the server proves itself with; without it, requests are plain.
    pub tls: Option<Tls>,
    /// A TLS handshake must be done this soon.
    pub handshake_within: Duration,
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            head_within: Duration::from_secs(30),
            connections_max: 10_000,
            tls: None,
            handshake_within: Duration::from_secs(10),
        }
    }
}

/// Over what a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// As it is.
    Plain,
    /// Over TLS that ends here.
    Tls,
}

/// Serves HTTP/1.1 until `stop` is ready; then takes no further connections and ends when the open ones have had their
/// answers. How long to wait for that is the caller's to decide: dropping the future cuts them off.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Serving,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let (open, closing) = watch::channel(());
    let turns = Arc::new(Semaphore::new(limits.connections_max));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_within);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let turn = turns.clone().acquire_owned().await.map_err(io::Error::other)?;
            listener.accept().await.map(|(stream, peer)| (turn, stream, peer))
        };
        let (turn, stream, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(cause) if is_one_connections(&cause) => continue,
                Err(cause) => {
                    // Out of file descriptors, most likely: others will end and free some.
                    error!(error = %cause, "cannot accept a connection; trying again in a second");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            },
        };
        // Answers are written whole: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            stream,
            peer,
            router: router.clone(),
            http: http.clone(),
            watcher: graceful.watcher(),
        };
        let tls = limits.tls.clone();
        let closing = closing.clone();
        tokio::spawn(async move {
            let _turn = turn;
            match tls {
                None => connection.plain().await,
                Some(tls) => connection.over(tls, limits.handshake_within, closing).await,
            }
        });
    }
    drop(listener);
    // Handshakes under way have no request whose answer could be waited for.
    drop(open);
    graceful.shutdown().await;
    Ok(())
}

/// A connection that was accepted.
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    http: http1::Builder,
    watcher: Watcher,
}

impl Connection {
    async fn plain(self) {
        let Self { stream, peer, router, http, watcher } = self;
        answer(stream, Transport::Plain, peer, router, http, watcher).await;
    }

    /// Shakes hands first. Who speaks plain HTTP instead is told so.
    async fn over(self, tls: Tls, within: Duration, mut closing: watch::Receiver<()>) {
        let Self { mut stream, peer, router, http, watcher } = self;
        let greeted = timeout(within, async {
            let mut first = [0];
            if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
                refuse_plain(&mut stream).await?;
                return Ok(None);
            }
            tls.acceptor().accept(stream).await.map(Some)
        });
        let greeted = tokio::select! {
            greeted = greeted => greeted,
            _ = closing.changed() => return,
        };
        match greeted {
            Ok(Ok(Some(stream))) => answer(stream, Transport::Tls, peer, router, http, watcher).await,
            Ok(Ok(None)) => debug!("a connection from {peer} spoke no TLS"),
            Ok(Err(cause)) => debug!(error = %cause, "a handshake with {peer} failed"),
            Err(_) => debug!("a handshake with {peer} took too long"),
        }
    }
}

async fn refuse_plain(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN_REQUEST).await?;
    stream.shutdown().await?;
    let mut rest = [0; 4096];
    let drained = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    // Whoever sends for longer than that does not read.
    let _ = timeout(LINGER, drained).await;
    Ok(())
}

/// Answers the requests of one connection until it ends.
async fn answer<S>(
    stream: S,
    over: Transport,
    peer: SocketAddr,
    router: Router,
    http: http1::Builder,
    watcher: Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = router.map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(over);
        request
    });
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(cause) = watcher.watch(connection).await {
        debug!(error = %cause, "a connection from {peer} ended early");
    }
}

fn is_one_connections(cause: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(cause.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

//! Serves a router on a listener, with limits that a plain listener does not have.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt;
use tracing::{debug, error};

/// Limits of a listener.
#[derive(Clone, Debug)]
pub struct Serving {
    /// A request's head must be there this soon.
    pub head_within: Duration,
    /// Connections open at once; further ones wait to be accepted.
    pub connections_max: usize,
}

impl Default for Serving {
    fn default() -> Self {
        Self { head_within: Duration::from_secs(30), connections_max: 10_000 }
    }
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
        let service =
            router.clone().map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                request
            });
        let connection =
            graceful.watch(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
        tokio::spawn(async move {
            let _turn = turn;
            if let Err(cause) = connection.await {
                debug!(error = %cause, "a connection from {peer} ended early");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

fn is_one_connections(cause: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(cause.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

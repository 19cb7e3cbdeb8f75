//! Request bodies: read within limits of size and time, and drained when they are refused.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::Request;
use axum::http::Version;
use axum::http::header::{CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use tokio::time::{Instant, Sleep, sleep};

/// A refused body is still read this long and this far, so that a client that sends it whole before it reads finds the
/// refusal and not a broken connection.
const DRAIN_BYTES_MAX: u64 = 256 * 1024 * 1024;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(20);

/// Bytes a second that a body must bring on average, beyond its first pause: slower ones would hold their connections for
/// as long as they like.
const PACE: u64 = 1024;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyFault {
    /// Nothing came for too long.
    #[error("the body stopped for {} seconds; send it again", .0.as_secs())]
    Idle(Duration),
    /// It came, but byte by byte.
    #[error("the body came slower than {PACE} bytes a second; send it again over a faster connection")]
    Slow,
    /// The connection broke.
    #[error("the body ended too early; send it again")]
    Broken,
    /// It is larger than the limit.
    #[error("the body is larger than {0} bytes, which is the most that is taken here")]
    TooLarge(usize),
}

/// A body that does not wait for ever, and is drained when it is dropped before its end.
struct Watched {
    body: Option<BodyDataStream>,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    /// When this wait for the client began, while there is one.
    since: Option<Instant>,
    /// How long was waited for the client before, and how much it has sent.
    waited: Duration,
    received: u64,
    drain: bool,
}

impl Watched {
    /// How much longer the client may take altogether.
    fn left(&self) -> Duration {
        let earned = Duration::from_millis(self.received.saturating_mul(1000) / PACE);
        (self.idle + earned).saturating_sub(self.waited)
    }
}

/// Gives a request's body its limits of time.
pub(crate) fn watch(request: Request, idle: Duration) -> Request {
    // A client that asks before it sends gets its answer instead.
    let drain = !request.headers().contains_key(EXPECT);
    request.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        let timer = Box::pin(sleep(idle));
        let (since, waited, received) = (None, Duration::ZERO, 0);
        Body::from_stream(Watched {
            body: Some(body.into_data_stream()),
            idle,
            timer,
            since,
            waited,
            received,
            drain,
        })
    })
}

impl Stream for Watched {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = self.body.as_mut() else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(next) = body.poll_next_unpin(cx) {
            if let Some(since) = self.since.take() {
                self.waited += since.elapsed();
            }
            match &next {
                Some(Ok(bytes)) => self.received += bytes.len() as u64,
                Some(Err(_)) | None => self.body = None,
            }
            return Poll::Ready(next);
        }
        // Only time that the client takes counts, not the time that passes while nobody asks for more.
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            let wake = now + self.left().min(self.idle);
            self.timer.as_mut().reset(wake);
        }
        ready!(self.timer.as_mut().poll(cx));
        self.body = None;
        let waited = self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        let fault = if waited >= self.idle { BodyFault::Idle(self.idle) } else { BodyFault::Slow };
        Poll::Ready(Some(Err(axum::Error::new(fault))))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|_| self.drain) else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(tokio::time::timeout(DRAIN_TIME_MAX, async move {
            let mut drained = 0;
            while let Some(Ok(bytes)) = body.next().await {
                drained += bytes.len() as u64;
                if drained > DRAIN_BYTES_MAX {
                    break;
                }
            }
        }));
    }
}

/// What is ambiguous about a request's frame: which host it is for, or where it ends.
pub(crate) fn ambiguity(request: &Request) -> Option<&'static str> {
    let headers = request.headers();
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11 && request.uri().host().is_none()) {
        return Some("the request must have one `host` header");
    }
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Some("the request has both `content-length` and `transfer-encoding`; send one of them");
    }
    None
}

/// Tells an idle body from a broken one.
pub(crate) fn fault(error: &axum::Error) -> BodyFault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        match inner.downcast_ref::<BodyFault>() {
            Some(BodyFault::Idle(idle)) => return BodyFault::Idle(*idle),
            Some(BodyFault::Slow) => return BodyFault::Slow,
            _ => {}
        }
        cause = inner.source();
    }
    BodyFault::Broken
}

/// The whole body, if it is no larger than `limit`.
pub(crate) async fn read_all(body: Body, limit: usize) -> Result<Bytes, BodyFault> {
    let mut stream = body.into_data_stream();
    let mut gathered = BytesMut::new();
    while let Some(next) = stream.next().await {
        let bytes = next.map_err(|error| fault(&error))?;
        if gathered.len() + bytes.len() > limit {
            return Err(BodyFault::TooLarge(limit));
        }
        gathered.extend_from_slice(&bytes);
    }
    Ok(gathered.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_stops_is_given_up() {
        let stopped = futures::stream::once(async { Ok::<_, axum::Error>(Bytes::from_static(b"abc")) })
            .chain(futures::stream::pending());
        let request = watch(Request::new(Body::from_stream(stopped)), Duration::from_millis(5));
        let fault = read_all(request.into_body(), 100).await.expect_err("given up");
        assert!(matches!(fault, BodyFault::Idle(_)), "{fault}");
    }

    #[tokio::test]
    async fn a_body_that_drips_is_given_up_and_a_steady_one_is_not() {
        let paced = |bytes: usize, many: usize| {
            futures::stream::unfold(0, move |sent| async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                (sent < many).then(|| (Ok::<_, axum::Error>(Bytes::from(vec![0; bytes])), sent + 1))
            })
        };
        let idle = Duration::from_millis(200);
        let request = watch(Request::new(Body::from_stream(paced(1, 10_000))), idle);
        let fault = read_all(request.into_body(), 20_000).await.expect_err("given up");
        assert!(matches!(fault, BodyFault::Slow), "{fault}");
        // Longer than the first pause in all, but at a pace.
        let request = watch(Request::new(Body::from_stream(paced(2_000, 30))), idle);
        assert_eq!(read_all(request.into_body(), 100_000).await.expect("read").len(), 60_000);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let request = watch(Request::new(Body::from(vec![0; 101])), Duration::from_secs(30));
        assert!(matches!(read_all(request.into_body(), 100).await, Err(BodyFault::TooLarge(100))));
        let request = watch(Request::new(Body::from(vec![0; 100])), Duration::from_secs(30));
        assert_eq!(read_all(request.into_body(), 100).await.expect("read").len(), 100);
    }
}

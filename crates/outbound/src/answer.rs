//! An answer whose body is still on its way.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::Failure;

/// The task that drives a connection; ends with it.
pub(crate) struct Connection(pub(crate) JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An answer whose body is still on its way. Dropping it closes the connection.
pub struct Answer {
    pub(crate) host: String,
    pub(crate) head: hyper::http::response::Parts,
    pub(crate) body: Incoming,
    pub(crate) deadline: Instant,
    pub(crate) total: Duration,
    pub(crate) _connection: Connection,
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    /// Whether the status is one of 200 to 299.
    pub fn is_success(&self) -> bool {
        self.head.status.is_success()
    }

    /// Whether it points elsewhere, which is not followed.
    pub fn is_redirect(&self) -> bool {
        self.head.status.is_redirection()
    }

    /// A header's value, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The next piece of the body; `None` at its end. Fails once the request's whole time is over, however much or little
    /// comes in between.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let next = timeout_at(self.deadline, self.body.frame()).await;
            let next = next.map_err(|_| Failure::TimedOut { host: self.host.clone(), after: self.total })?;
            match next {
                None => return Ok(None),
                Some(Err(source)) => return Err(Failure::Broken { host: self.host.clone(), source }),
                // Trailers say nothing of use here.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => return Ok(Some(bytes)),
                    Err(_) => continue,
                },
            }
        }
    }

    /// Reads the body, keeping its first `keep` bytes; whatever follows after `most` bytes is not read.
    pub async fn read(mut self, keep: usize, most: usize) -> Result<Bytes, Failure> {
        let mut kept = BytesMut::new();
        let mut seen = 0;
        while let Some(bytes) = self.chunk().await? {
            kept.extend_from_slice(&bytes[..bytes.len().min(keep - kept.len())]);
            seen += bytes.len();
            if seen >= most {
                break;
            }
        }
        Ok(kept.freeze())
    }
}

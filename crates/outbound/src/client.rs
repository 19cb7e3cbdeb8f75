//! One request: vetted, dialled, sent, within its time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::answer::Connection;
use crate::target::Target;
use crate::{Allowed, Answer, Failure, Resolve, SystemResolver, is_global};

/// Most bytes of an answer's head, and of its body between two looks.
const BUFFER_BYTES: usize = 64 * 1024;

/// What may be reached, and how.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What may be reached beside public addresses.
    pub allow: Vec<Allowed>,
    /// Certificate authorities trusted beside the web's, each one in DER.
    pub extra_roots: Vec<Vec<u8>>,
    /// Who asks: the value of `user-agent`.
    pub user_agent: String,
    /// Longest time until a connection stands, name look-up and TLS included.
    pub connect: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            extra_roots: Vec::new(),
            user_agent: "Packshot".to_owned(),
            connect: Duration::from_secs(5),
        }
    }
}

/// A request to an address that somebody named.
#[derive(Clone, Debug)]
pub struct Request {
    address: String,
    post: Option<Bytes>,
    headers: HeaderMap,
}

impl Request {
    /// Asks for what is there.
    pub fn get(address: &str) -> Self {
        Self { address: address.to_owned(), post: None, headers: HeaderMap::new() }
    }

    /// Sends a body there.
    pub fn post(address: &str, body: impl Into<Bytes>) -> Self {
        Self { address: address.to_owned(), post: Some(body.into()), headers: HeaderMap::new() }
    }

    /// With this header. A name or value that HTTP does not allow is refused as [`Failure::Invalid`].
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Failure> {
        let invalid = |_| Failure::Invalid(format!("the header `{name}` cannot be sent"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(()))?;
        let value = HeaderValue::from_str(value).map_err(|_| invalid(()))?;
        self.headers.insert(key, value);
        Ok(self)
    }
}

/// The guarded client. Each request has a connection of its own: what was vetted for one is not used for another.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

struct Inner {
    rules: Rules,
    agent: HeaderValue,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
}

/// The server's rules cannot be used.
fn unusable(why: impl std::fmt::Display) -> Failure {
    Failure::Invalid(why.to_string())
}

impl Outbound {
    /// Refuses with [`Failure::Invalid`] an address that no request can ever be sent to: one that is none, that carries a
    /// password, or names a port of some other kind of service. Where it leads is looked at when it is used.
    pub fn check_address(address: &str) -> Result<(), Failure> {
        Target::parse(address).map(drop)
    }

    /// A client by these rules, with the machine's resolver. Refuses rules with a certificate or a name that cannot be used.
    pub fn new(rules: Rules) -> Result<Self, Failure> {
        Self::with_resolver(rules, Arc::new(SystemResolver))
    }

    /// The same with another resolver.
    pub fn with_resolver(rules: Rules, resolver: Arc<dyn Resolve>) -> Result<Self, Failure> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in &rules.extra_roots {
            roots.add(CertificateDer::from(root.clone())).map_err(unusable)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let agent = HeaderValue::from_str(&rules.user_agent).map_err(unusable)?;
        Ok(Self(Arc::new(Inner { rules, agent, resolver, tls: TlsConnector::from(Arc::new(tls)) })))
    }

    /// Sends a request and answers once the head of the answer is there. `total` is the time for everything, the answer's
    /// body included. Redirects are answered as they are.
    pub async fn send(&self, request: Request, total: Duration) -> Result<Answer, Failure> {
        let target = Target::parse(&request.address)?;
        let deadline = Instant::now() + total;
        let timed_out = || Failure::TimedOut { host: target.host.clone(), after: total };
        timeout_at(deadline, self.0.exchange(&target, request, deadline, total))
            .await
            .unwrap_or_else(|_| Err(timed_out()))
    }
}

impl Inner {
    async fn exchange(
        &self,
        target: &Target,
        request: Request,
        deadline: Instant,
        total: Duration,
    ) -> Result<Answer, Failure> {
        let host = || target.host.clone();
        let too_late = Failure::TimedOut { host: host(), after: self.rules.connect };
        let by = Instant::now() + self.rules.connect;
        let addresses = timeout_at(by, self.vetted(target)).await.map_err(|_| too_late)??;
        let stream = dial(&addresses, target.port, by)
            .await
            .map_err(|source| Failure::Unreachable { host: host(), source })?;
        // A small body and its head are two writes.
        let _ = stream.set_nodelay(true);
        if !target.secure {
            return send_over(TokioIo::new(stream), target, self.head(target, request)?, deadline, total)
                .await;
        }
        let untrusted = |source| Failure::Untrusted { host: host(), source };
        let name = match target.literal {
            Some(address) => ServerName::from(address),
            None => ServerName::try_from(crate::allowed::plain(&target.host))
                .map_err(|error| untrusted(io::Error::other(error)))?,
        };
        let stream = timeout_at(by, self.tls.connect(name, stream))
            .await
            .map_err(|_| Failure::TimedOut { host: host(), after: self.rules.connect })?
            .map_err(untrusted)?;
        send_over(TokioIo::new(stream), target, self.head(target, request)?, deadline, total).await
    }

    /// The addresses to dial, if every one of them may be dialled.
    async fn vetted(&self, target: &Target) -> Result<Vec<IpAddr>, Failure> {
        let host = || target.host.clone();
        let addresses = match target.literal {
            Some(address) => vec![address],
            // RFC 6761: whatever a resolver says, these names mean this machine.
            None if is_localhost(&target.host) => {
                vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            }
            None => self
                .resolver
                .resolve(&target.host)
                .await
                .map_err(|source| Failure::UnknownHost { host: host(), source })?,
        };
        if addresses.is_empty() {
            let source = io::Error::other("the name has no address");
            return Err(Failure::UnknownHost { host: host(), source });
        }
        let may = |address: &IpAddr| {
            is_global(*address)
                || self.rules.allow.iter().any(|allowed| allowed.covers(&target.host, *address))
        };
        if addresses.iter().all(may) { Ok(addresses) } else { Err(Failure::Blocked { host: host() }) }
    }

    fn head(&self, target: &Target, request: Request) -> Result<hyper::Request<Full<Bytes>>, Failure> {
        let Request { address: _, post, headers } = request;
        let unsendable =
            |error: hyper::http::Error| Failure::Invalid(format!("the request cannot be sent: {error}"));
        let mut built = hyper::Request::builder()
            .method(if post.is_some() { "POST" } else { "GET" })
            .uri(&target.path)
            .header(HOST, &target.authority)
            .header(USER_AGENT, &self.agent)
            .header(CONNECTION, "close")
            .body(Full::new(post.unwrap_or_default()))
            .map_err(unsendable)?;
        built.headers_mut().extend(headers);
        Ok(built)
    }
}

fn is_localhost(host: &str) -> bool {
    let host = crate::allowed::plain(host);
    host == "localhost" || host.ends_with(".localhost")
}

/// Tries the addresses in turn, and leaves each of them its share of the time.
async fn dial(addresses: &[IpAddr], port: u16, by: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for (index, address) in addresses.iter().enumerate() {
        let left = by.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        match tokio::time::timeout(share, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::from(io::ErrorKind::TimedOut),
        }
    }
    Err(last)
}

async fn send_over<S>(
    stream: S,
    target: &Target,
    request: hyper::Request<Full<Bytes>>,
    deadline: Instant,
    total: Duration,
) -> Result<Answer, Failure>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let broken = |source| Failure::Broken { host: target.host.clone(), source };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(BUFFER_BYTES);
    let (mut sender, connection) = builder.handshake(stream).await.map_err(broken)?;
    let connection = Connection(tokio::spawn(async move {
        // What ends it is told to whoever waits for the answer.
        let _ = connection.await;
    }));
    let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
    Ok(Answer { host: target.host.clone(), head, body, deadline, total, _connection: connection })
}

//! The names a server answers by. Clients that have two names built in, one for the API and one for its sign-in, are
//! pointed here by a hosts file; each name then answers what it answers there, and no more.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use service::access::MadeInvitation;

use crate::autoretouch::error::Problem;
use crate::serve::Transport;
use crate::{ApiSettings, Front};

/// A name a server is reached by, with or without a port. Without one it means any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    name: String,
    port: Option<u16>,
}

/// A text that is no host.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no host; give a name like `api.example.com`, with a port or without")]
pub struct NoHost(String);

impl FromStr for Host {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        Self::parse(text.trim()).ok_or_else(|| NoHost(text.chars().take(100).collect()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        // The colons of an IPv6 address are inside brackets.
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse().ok()?)),
            _ => (text, None),
        };
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.[]:".contains(c);
        let bracketed = name.starts_with('[') && name.ends_with(']');
        if name.is_empty() || !name.chars().all(good) || (name.contains([':', '[', ']']) && !bracketed) {
            return None;
        }
        Some(Self { name: name.trim_end_matches('.').to_ascii_lowercase(), port })
    }

    /// The host a request names.
    fn asked(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        match uri.authority() {
            Some(authority) => Self::parse(authority.as_str()),
            None => Self::parse(headers.get(HOST)?.to_str().ok()?),
        }
    }

    fn means(&self, asked: &Self, usual_port: u16) -> bool {
        self.name == asked.name && self.port.is_none_or(|port| port == asked.port.unwrap_or(usual_port))
    }
}

/// The names for the API and those for its sign-in. A name in both lists, or in none, answers everything.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Names on which the API answers.
    pub api: Vec<Host>,
    /// Names on which the sign-in answers.
    pub auth: Vec<Host>,
}

impl Hosts {
    fn is_empty(&self) -> bool {
        self.api.is_empty() && self.auth.is_empty()
    }

    /// Where the sign-in is for whoever asked that host; `None` if the host is none of ours, or there is no name for it.
    fn sign_in(&self, asked: &Host, https: bool) -> Option<String> {
        let port = usual_port(https);
        let scheme = if https { "https" } else { "http" };
        if self.auth.iter().any(|host| host.means(asked, port)) {
            return Some(format!("{scheme}://{asked}"));
        }
        if !self.api.iter().any(|host| host.means(asked, port)) {
            return None;
        }
        let mut auth = self.auth.first()?.clone();
        auth.port = auth.port.or(asked.port);
        Some(format!("{scheme}://{auth}"))
    }
}

fn usual_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// Whether the client speaks HTTPS: to us, or to a proxy that is trusted.
fn is_https(parts: &Parts, settings: &ApiSettings) -> bool {
    if parts.extensions.get::<Transport>() == Some(&Transport::Tls) {
        return true;
    }
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    peer.is_some_and(|peer| settings.trusted_proxies.contains(&peer))
        && parts.headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes() == b"https")
}

/// Address of the sign-in as this client reaches it, without a slash at its end. Never of a host that the settings do not
/// name: what a request says of itself is nothing to lead others to.
pub(crate) struct SignInUrl(pub(crate) String);

impl SignInUrl {
    /// The link an invited person is sent.
    pub(crate) fn link(&self, invitation: &MadeInvitation) -> String {
        format!("{}{}", self.0, invitation.path)
    }
}

impl FromRequestParts<Front> for SignInUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Infallible> {
        let hosts = &front.settings.hosts;
        let named = Host::asked(&parts.uri, &parts.headers)
            .and_then(|asked| hosts.sign_in(&asked, is_https(parts, &front.settings)));
        Ok(Self(named.unwrap_or_else(|| front.service.settings().public_url.clone())))
    }
}

/// What tells the API from its sign-in.
#[derive(Clone)]
pub(crate) struct Division {
    settings: Arc<ApiSettings>,
    /// First parts of the API's paths.
    api: Arc<BTreeSet<String>>,
}

impl Division {
    /// Every documented path belongs to the API, but those of its sign-in.
    pub(crate) fn new<'a>(settings: Arc<ApiSettings>, documented: impl Iterator<Item = &'a str>) -> Self {
        let api = documented
            .map(first_part)
            .filter(|part| !["oauth", ".well-known"].contains(part))
            // The native interface has a document of its own.
            .chain(["openapi.json", "packshot"])
            .map(str::to_owned)
            .collect();
        Self { settings, api: Arc::new(api) }
    }
}

fn first_part(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

/// Refuses the API on names that are for its sign-in, and the other way round.
pub(crate) async fn keep_apart(
    State(division): State<Division>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let hosts = &division.settings.hosts;
    if hosts.is_empty() {
        return Ok(next.run(request).await);
    }
    let (parts, body) = request.into_parts();
    let port = usual_port(is_https(&parts, &division.settings));
    if let Some(asked) = Host::asked(&parts.uri, &parts.headers) {
        let for_api = hosts.api.iter().any(|host| host.means(&asked, port));
        let for_auth = hosts.auth.iter().any(|host| host.means(&asked, port));
        let part = first_part(parts.uri.path());
        let is_api = division.api.contains(part);
        if for_api != for_auth && for_api != is_api && part != "health" {
            let (what, names) = if is_api { ("the API", &hosts.api) } else { ("the sign-in", &hosts.auth) };
            let others: Vec<_> = names.iter().map(|host| format!("`{host}`")).collect();
            let instead = if others.is_empty() {
                "no name is set for it".to_owned()
            } else {
                format!("ask {}", others.join(" or "))
            };
            let message = format!("`{asked}` does not answer for {what}; {instead}");
            return Err(Problem::new(StatusCode::NOT_FOUND, "path_not_found", message));
        }
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        text.parse().expect("a host")
    }

    #[test]
    fn names_have_a_port_or_mean_any() {
        assert_eq!(host("API.Example.com.:8443").to_string(), "api.example.com:8443");
        assert_eq!(host("[::1]:8443"), Host { name: "[::1]".to_owned(), port: Some(8443) });
        assert_eq!(host("[::1]").port, None);
        for bad in ["", ":1", "a b", "a/b", "https://a", "a:b", "a:99999", "::1"] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
        assert!(host("a").means(&host("a:8443"), 443));
        assert!(host("a:443").means(&host("A"), 443));
        assert!(!host("a:443").means(&host("a"), 80));
        assert!(!host("a").means(&host("b"), 443));
    }

    #[test]
    fn links_lead_to_where_the_client_can_sign_in() {
        let hosts =
            Hosts { api: vec![host("api.x"), host("both.x")], auth: vec![host("auth.x"), host("both.x")] };
        let link = |asked: &str, https| hosts.sign_in(&host(asked), https);
        assert_eq!(link("auth.x", true).as_deref(), Some("https://auth.x"));
        assert_eq!(link("auth.x:8443", true).as_deref(), Some("https://auth.x:8443"));
        assert_eq!(link("api.x:8080", false).as_deref(), Some("http://auth.x:8080"));
        assert_eq!(link("both.x", true).as_deref(), Some("https://both.x"));
        assert_eq!(link("127.0.0.1:8787", false), None);
        let alone = Hosts { api: vec![host("api.x")], auth: Vec::new() };
        assert_eq!(alone.sign_in(&host("api.x"), true), None);
    }
}

//! What an address names: read by the rules of browsers, so that every spelling of a host is seen for what it is.

use std::net::IpAddr;

use url::{Host, Url};

use crate::Failure;

/// Ports of services that are not asked for webhooks or pictures, but might take a request for commands.
const REFUSED_PORTS: [u16; 6] = [0, 22, 23, 25, 465, 587];

/// Where a request goes.
pub(crate) struct Target {
    /// Whether by TLS.
    pub(crate) secure: bool,
    /// The host as text: a name, or an address in its usual spelling without brackets.
    pub(crate) host: String,
    /// The address, if it is written as numbers.
    pub(crate) literal: Option<IpAddr>,
    /// The port.
    pub(crate) port: u16,
    /// Host and port as the request's `host` header says them.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) path: String,
}

impl Target {
    /// Reads an address. Refuses what is no `http` or `https` URL, carries a password, or names a port of some other
    /// kind of service.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let start = || text.chars().take(100).collect::<String>();
        let invalid = |why: &str| Failure::Invalid(format!("`{}` {why}", start()));
        let url = Url::parse(text.trim()).map_err(|error| {
            invalid(&format!("is no address: {error}; give `https://...` or `http://...`"))
        })?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(invalid("is no web address; give `https://...` or `http://...`")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            // Not repeated: it may hold a password.
            return Err(Failure::Invalid(
                "an address may not carry a user name or password; leave out what stands before the `@`"
                    .to_owned(),
            ));
        }
        let port = url.port_or_known_default().ok_or_else(|| invalid("has no port; name one"))?;
        if REFUSED_PORTS.contains(&port) {
            return Err(invalid(&format!("uses port {port}, which is not for the web; use another")));
        }
        let (host, literal) = match url.host() {
            Some(Host::Domain(name)) => (name.to_owned(), None),
            Some(Host::Ipv4(address)) => (address.to_string(), Some(IpAddr::V4(address))),
            Some(Host::Ipv6(address)) => (address.to_string(), Some(IpAddr::V6(address))),
            None => return Err(invalid("names no host; give one")),
        };
        let shown = url.host_str().unwrap_or_default();
        let authority = url.port().map_or_else(|| shown.to_owned(), |port| format!("{shown}:{port}"));
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self { secure, host, literal, port, authority, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_loopback_is_seen_for_what_it_is() {
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "017700000001",
            "0177.0.0.1",
            "127.1",
            "127.0.1",
            "127.0.0.1.",
            "0x7f.0x0.0x0.0x1",
            "%31%32%37.0.0.1",
            "１２７.0.0.1",
            "①②⑦.0.0.1",
            "127。0。0。1",
        ] {
            let target =
                Target::parse(&format!("http://{host}/")).unwrap_or_else(|error| panic!("{host}: {error}"));
            assert_eq!(target.literal, Some(IpAddr::from([127, 0, 0, 1])), "{host}");
        }
        let mapped = Target::parse("http://[::ffff:7f00:1]/").expect("an address");
        assert_eq!(mapped.literal.map(|ip| ip.to_canonical()), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(Target::parse("http://localhost./").expect("an address").literal, None);
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for text in [
            "",
            "example.test",
            "ftp://example.test/",
            "file:///etc/passwd",
            "gopher://example.test/",
            "http://",
            "http://user@example.test/",
            "http://user:secret@example.test/",
            "http://example.test:25/",
            "http://example.test:0/",
            "http://example.test:99999/",
            "http://[fe80::1%25eth0]/",
            "http://a b/",
            "javascript:alert(1)",
            "data:text/plain,hello",
            "unix:/run/docker.sock",
            "http://256.1.1.1/",
        ] {
            assert!(matches!(Target::parse(text), Err(Failure::Invalid(_))), "{text}");
        }
        let error = Target::parse("http://user:secret@example.test/").err().expect("refused").to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_request_line_and_a_host_header_come_of_it() {
        let target = Target::parse("https://Example.Test:8443/a b?x=1#there").expect("an address");
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("example.test:8443", "/a%20b?x=1"));
        assert!(target.secure && target.port == 8443);
        let target = Target::parse("http://[2606:4700::1]").expect("an address");
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("[2606:4700::1]", "/"));
    }
}

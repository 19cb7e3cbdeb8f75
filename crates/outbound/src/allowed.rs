//! What an operator allows beyond the public internet: networks and names of their own.

use std::net::IpAddr;
use std::str::FromStr;

/// A network or a host that may be reached although it is not public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Every address of the network.
    Network {
        /// Its first address.
        network: IpAddr,
        /// Bits of it that count.
        prefix: u8,
    },
    /// Whatever this name means, in lower case without a dot at its end.
    Host(String),
}

/// The text is neither a network nor a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a network nor a host; write it like `10.0.0.0/8`, `10.1.2.3` or `hooks.internal`")]
pub struct NotAllowable(String);

impl FromStr for Allowed {
    type Err = NotAllowable;

    fn from_str(text: &str) -> Result<Self, NotAllowable> {
        let wrong = || NotAllowable(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        if let Ok(network) = bare.parse::<IpAddr>() {
            let most = if network.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.map_or(Ok(most), |prefix| prefix.parse().map_err(|_| wrong()))?;
            return if prefix <= most { Ok(Self::Network { network, prefix }) } else { Err(wrong()) };
        }
        match url::Host::parse(text) {
            Ok(url::Host::Domain(name)) if prefix.is_none() && !name.is_empty() => {
                Ok(Self::Host(plain(&name)))
            }
            _ => Err(wrong()),
        }
    }
}

/// A host's name as it is compared.
pub(crate) fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

impl Allowed {
    /// Whether it covers this address, reached by that name.
    pub(crate) fn covers(&self, host: &str, address: IpAddr) -> bool {
        match self {
            Self::Host(name) => *name == plain(host),
            Self::Network { network, prefix } => {
                contains(*network, *prefix, address) || contains(*network, *prefix, address.to_canonical())
            }
        }
    }
}

fn contains(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(rule: &str, host: &str, address: &str) -> bool {
        rule.parse::<Allowed>().expect("a rule").covers(host, address.parse().expect("an address"))
    }

    #[test]
    fn a_network_covers_its_addresses_and_a_name_whatever_it_means() {
        assert!(covers("10.0.0.0/8", "a.test", "10.255.0.1"));
        assert!(covers("10.0.0.0/8", "a.test", "::ffff:10.255.0.1"));
        assert!(!covers("10.0.0.0/8", "a.test", "11.0.0.1"));
        assert!(!covers("10.0.0.0/8", "a.test", "fd00::1"));
        assert!(covers("0.0.0.0/0", "a.test", "127.0.0.1"));
        assert!(covers("127.0.0.1", "a.test", "127.0.0.1"));
        assert!(!covers("127.0.0.1", "a.test", "127.0.0.2"));
        assert!(covers("fd00::/8", "a.test", "fd12::1"));
        assert!(covers("[::1]", "a.test", "::1"));
        assert!(covers("Hooks.Internal", "hooks.internal.", "127.0.0.1"));
        assert!(!covers("hooks.internal", "evil-hooks.internal", "127.0.0.1"));
        assert!(!covers("hooks.internal", "sub.hooks.internal", "127.0.0.1"));
    }

    #[test]
    fn what_is_neither_a_network_nor_a_name_is_refused() {
        for text in
            ["", "10.0.0.0/33", "10.0.0.0/x", "::/129", "a b", "http://a.test/", "a.test/8", "a.test:80"]
        {
            assert!(text.parse::<Allowed>().is_err(), "{text}");
        }
    }
}

//! Why a request did not get a whole answer.

use std::io;
use std::time::Duration;

/// Why a request did not get a whole answer. Its text may be shown to whoever named the address: it does not say what a
/// name means inside this network.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It is no address that can be used.
    #[error("{0}")]
    Invalid(String),
    /// It leads, or may lead, to where only the allow-list may lead. Nothing was sent.
    #[error(
        "`{host}` is not a public address; check its spelling, use a public one, or ask the operator to allow it"
    )]
    Blocked {
        /// The host as it was named.
        host: String,
    },
    /// The name means nothing. The text is that of [`Failure::Blocked`]: which names there are inside this network is
    /// nobody's to find out.
    #[error(
        "`{host}` is not a public address; check its spelling, use a public one, or ask the operator to allow it"
    )]
    UnknownHost {
        /// The host as it was named.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nobody took the connection.
    #[error("cannot connect to `{host}`")]
    Unreachable {
        /// The host as it was named.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It could not be agreed who is talking.
    #[error("`{host}` has no certificate that can be trusted, or speaks no TLS")]
    Untrusted {
        /// The host as it was named.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error("`{host}` did not answer whole within {} seconds", .after.as_secs_f64())]
    TimedOut {
        /// The host as it was named.
        host: String,
        /// How long was waited.
        after: Duration,
    },
    /// The connection ended, or what came was no HTTP.
    #[error("`{host}` broke off, or answered what is no HTTP")]
    Broken {
        /// The host as it was named.
        host: String,
        /// Why.
        #[source]
        source: hyper::Error,
    },
}

impl Failure {
    /// Its code, which never changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_address",
            Self::Blocked { .. } => "blocked_address",
            Self::UnknownHost { .. } => "unknown_host",
            Self::Unreachable { .. } => "cannot_connect",
            Self::Untrusted { .. } => "tls_failed",
            Self::TimedOut { .. } => "timed_out",
            Self::Broken { .. } => "connection_broken",
        }
    }

    /// Whether trying again can make no difference as long as the rules stay as they are.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Invalid(_) | Self::Blocked { .. })
    }
}

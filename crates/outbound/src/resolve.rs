//! From a name to addresses.

use std::io;
use std::net::IpAddr;

use async_trait::async_trait;

/// From a name to addresses. Asked once a request, never for an address written as numbers.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// The addresses that name has at present.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver, with its hosts file.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut found: Vec<IpAddr> = Vec::new();
        for address in tokio::net::lookup_host((host, 0)).await? {
            if !found.contains(&address.ip()) {
                found.push(address.ip());
            }
        }
        Ok(found)
    }
}

//! Secrets at rest: closed before they are remembered, opened when they are used.

/// Closes and opens secrets with a key that the store never sees.
pub trait Seal: Send + Sync {
    /// Closes `secret` (authenticated encryption); `context` must be given again to open it, so that what is moved to another
    /// place does not open there.
    fn close(&self, secret: &[u8], context: &[u8]) -> Vec<u8>;

    /// Opens what [`Seal::close`] made with the same context; `None` if it was made with another key or context, or is damaged.
    fn open(&self, closed: &[u8], context: &[u8]) -> Option<Vec<u8>>;
}

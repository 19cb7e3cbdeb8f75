//! How many files and connections the process may have open at once.

/// Files that are open whatever connections do: the database, its readers, networks, work under way, deliveries.
const OURS: u64 = 256;
/// Connections at once, however many files may be open.
const CONNECTIONS_MAX: u64 = 10_000;
/// Connections at once, however few files may be open.
const CONNECTIONS_MIN: u64 = 64;

/// Raises this process' limit of open files as far as it may, and answers it. The usual 1,024 are fewer than a thousand
/// event streams need; they are that few for programs that use `select`, which this one does not.
pub fn allow_many() -> u64 {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            1024
        }
    }
}

/// Connections that may be open at once where so many files may. Each may need a second file, for what it uploads or
/// downloads: what cannot be had then waits to be accepted, rather than failing half-way.
pub fn connections(files: u64) -> usize {
    let connections = (files.saturating_sub(OURS) / 2).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX);
    tracing::info!(files, "up to {connections} connections at once, by the limit of {files} open files");
    connections.try_into().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        assert_eq!(connections(1024), 384);
        assert_eq!(connections(4096), 1920);
        assert_eq!(connections(1 << 20), 10_000);
        assert_eq!(connections(u64::MAX), 10_000);
        assert_eq!(connections(100), 64);
    }
}

//! Many clients at once: what each kind of load costs, as one section of the page.

use std::fs;
use std::path::Path;

use super::server::Server;
use super::{creates, deliveries, streams, uploads};
use crate::root;

/// The workflow of all executions: without a network, so that the server's own costs are seen.
const WORKFLOW: &str = "Export only";

/// Settings of the servers: nothing is fetched while they are measured.
pub const SETTINGS: [(&str, &str); 1] = [("PACKSHOT_OFFLINE", "true")];

/// Measures all of it and answers the text about it.
pub fn measure(binary: &Path, work: &Path, rounds: usize) -> anyhow::Result<String> {
    // A thousand connections need more than most programs may open.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let mut text = String::from(
        "Clients and server share the machine. The server begins with the usual limit of 1,024 open files, the clients speak\n\
         HTTP over loopback, and everything that must last is synced to disk. MB are millions of bytes.\n",
    );
    let mut section = |title: &str, part: anyhow::Result<String>| {
        text.extend(["\n### ", title, "\n\n", part?.trim(), "\n"]);
        anyhow::Ok(())
    };
    eprintln!("parallel creates ...");
    section("Parallel creates", creates::measure(binary, work, rounds))?;
    eprintln!("open event streams ...");
    section("Open event streams", streams::measure(binary, work, rounds))?;
    eprintln!("uploads ...");
    section("Uploads", uploads::measure(binary, work, rounds))?;
    eprintln!("webhooks ...");
    section("Webhooks", deliveries::measure(rounds))?;
    Ok(text)
}

/// A sample photo.
pub fn photo() -> anyhow::Result<Vec<u8>> {
    Ok(fs::read(root().join("samples/tape-measure.jpg"))?)
}

/// The workflow, and the hash of a photo that was uploaded for it.
pub fn picture(server: &Server) -> anyhow::Result<(String, String)> {
    Ok((server.client.workflow(WORKFLOW)?, server.client.upload(&photo()?)?))
}

/// Bytes as millions of them.
pub fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

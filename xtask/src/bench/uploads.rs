//! What a large upload costs in memory, against a small one.

use std::fmt::Write as _;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::ensure;

use super::server::Server;
use super::{at_share, load};

/// Files sent at once, and the bytes of each.
const LOADS: [(usize, usize); 3] = [(1, 1_000_000), (1, 100_000_000), (4, 100_000_000)];

/// The marker that ends a JPEG.
const END: [u8; 2] = [0xff, 0xd9];

/// Measures it and answers the text about it.
pub fn measure(binary: &Path, work: &Path, rounds: usize) -> anyhow::Result<String> {
    let server = Server::start(binary, &work.join("uploads"), &load::SETTINGS)?;
    let photo = load::photo()?;
    ensure!(photo.ends_with(&END), "the sample does not end where its picture does");
    // The first upload of all brings code into memory.
    server.client.upload(&photo)?;
    let mut text = String::from(
        "How far the server's memory rose above what it had before, and how long it took until all files were synced to disk.\n\
         Each file is a JPEG whose picture ends where the file does.\n\n\
         | files at once | peak RSS above before (most) | MB/s (best) | MB/s (median) |\n|---|---|---|---|\n",
    );
    let mut number = 0u32;
    for (many, size) in LOADS {
        let (mut most, mut rates) = (0, Vec::new());
        for _ in 0..rounds {
            // More coded data than the picture needs; other bytes each time, so that none is met twice.
            let files: Vec<_> = (0..many)
                .map(|_| {
                    number += 1;
                    let mut bytes = photo[..photo.len() - END.len()].to_vec();
                    bytes.extend_from_slice(&number.to_le_bytes());
                    bytes.resize(size - END.len(), 0x5a);
                    bytes.extend_from_slice(&END);
                    bytes
                })
                .collect();
            server.forget_peak()?;
            let before = server.rss();
            let began = Instant::now();
            thread::scope(|scope| {
                let uploads: Vec<_> =
                    files.iter().map(|bytes| scope.spawn(|| server.client.another().upload(bytes))).collect();
                uploads
                    .into_iter()
                    .try_for_each(|upload| upload.join().expect("clients do not panic").map(drop))
            })?;
            rates.push((many * size) as f64 / 1e6 / began.elapsed().as_secs_f64());
            most = most.max(server.peak_rss().saturating_sub(before));
        }
        let _ = writeln!(
            text,
            "| {many} of {} MB | {:.1} MB | {:.0} | {:.0} |",
            size / 1_000_000,
            load::mb(most),
            at_share(&rates, 1.0),
            at_share(&rates, 0.5)
        );
    }
    Ok(text)
}

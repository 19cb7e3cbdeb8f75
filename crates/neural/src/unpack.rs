//! Takes named members out of the archives package clients bring: gzipped tar (npm) and wheel (pip).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::Client;

/// Hands each member in `wanted` to `take`, in the archive's order; says which one is missing.
pub(crate) fn members(
    archive: &Path,
    client: Client,
    wanted: &[&str],
    mut take: impl FnMut(usize, &mut dyn Read) -> Result<(), String>,
) -> Result<(), String> {
    let file = BufReader::with_capacity(1 << 20, File::open(archive).map_err(text)?);
    let mut left: HashMap<&str, usize> =
        wanted.iter().enumerate().map(|(index, name)| (*name, index)).collect();
    match client {
        Client::Npm => {
            let mut tar = tar::Archive::new(flate2::bufread::GzDecoder::new(file));
            for entry in tar.entries().map_err(text)? {
                let mut entry = entry.map_err(text)?;
                let path = entry.path().map_err(text)?;
                let index = path.to_str().and_then(|name| left.remove(name));
                if let Some(index) = index
                    && entry.header().entry_type().is_file()
                {
                    take(index, &mut entry)?;
                }
                if left.is_empty() {
                    break;
                }
            }
        }
        Client::Pip => {
            let mut zip = zip::ZipArchive::new(file).map_err(text)?;
            for (index, name) in wanted.iter().enumerate() {
                if let Ok(mut entry) = zip.by_name(name) {
                    take(index, &mut entry)?;
                    left.remove(name);
                }
            }
        }
    }
    match left.into_keys().next() {
        Some(name) => Err(format!("`{name}` is not in it")),
        None => Ok(()),
    }
}

/// Reads all of `from`, but no more than `limit` bytes.
pub(crate) fn read_limited(from: &mut dyn Read, limit: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes).map_err(text)?;
    if bytes.len() as u64 > limit { Err(format!("a member is larger than {limit} bytes")) } else { Ok(bytes) }
}

fn text(error: impl Into<io::Error>) -> String {
    error.into().to_string()
}

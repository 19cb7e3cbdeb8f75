//! One file out of an archive, unpacked as it is read: neither the archive nor its list of contents is ever in memory.

use std::fs::File;
use std::io::{self, BufReader, Read as _};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;
use zip::ZipReadOptions;
use zip::read::{Config, ZipFileEntry};
use zip::unstable::read::ZipIterable;

/// Entries that are looked at in one archive.
const ENTRIES_MAX: usize = 65_536;
/// An entry that unpacks to more than so many times its size is refused, once it is large.
const RATIO_MAX: u64 = 200;
/// What unpacks to less than this is harmless whatever its ratio, in bytes.
const RATIO_FROM: u64 = 32 << 20;
/// Bytes unpacked at a time.
const CHUNK: usize = 256 * 1024;

/// Why a file cannot be taken out of an archive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unpackable {
    /// It is no archive, or a damaged one.
    #[error("the archive cannot be read ({0}); send a ZIP file")]
    NoArchive(String),
    /// There is no such file in it.
    #[error("the archive has no file `{0}`; name one that is in it, with its folders")]
    NoMember(String),
    /// There are several of that name in different folders.
    #[error("the archive has several files `{0}`; name one with its folders")]
    Several(String),
    /// It is encrypted, or packed in another way than by Deflate.
    #[error(
        "the archive's file `{0}` is encrypted or packed in a way that is not read; pack it anew, without a password"
    )]
    Packed(String),
    /// It unpacks to too much.
    #[error(
        "the archive's file `{name}` unpacks to more than {most} bytes, or to far more than it takes; send a smaller one"
    )]
    TooLarge {
        /// Its name.
        name: String,
        /// Most bytes taken.
        most: u64,
    },
    /// Our disk.
    #[error("the archive cannot be read here")]
    Ours(#[source] io::Error),
    /// Nobody waits for it any more.
    #[error("nobody waits for the file any more")]
    Unwanted,
}

fn shown(member: &str) -> String {
    member.chars().take(100).collect()
}

fn broken(error: impl std::fmt::Display) -> Unpackable {
    Unpackable::NoArchive(error.to_string())
}

/// Whether an entry's name is the one asked for, whole or without its folders. A name is only ever compared.
fn fits(entry: &str, member: &str) -> (bool, bool) {
    let plain = |name: &str| name.replace('\\', "/").trim_start_matches("./").to_owned();
    let (entry, member) = (plain(entry), plain(member));
    let last = entry.rsplit('/').next().unwrap_or_default();
    (entry == member, last == member)
}

fn find(
    archive: &mut ZipIterable<BufReader<File>>,
    member: &str,
) -> Result<ZipFileEntry<'static>, Unpackable> {
    let mut elsewhere = None;
    let mut several = false;
    for entry in archive.files().map_err(broken)?.take(ENTRIES_MAX) {
        let entry = entry.map_err(broken)?;
        let Ok(name) = entry.name() else { continue };
        let (whole, last) = fits(&name, member);
        let is_file = entry.is_file();
        drop(name);
        if whole && is_file {
            return Ok(entry);
        }
        if last && is_file {
            several |= elsewhere.is_some();
            elsewhere = Some(entry);
        }
    }
    match (elsewhere, several) {
        (Some(entry), false) => Ok(entry),
        (Some(_), true) => Err(Unpackable::Several(shown(member))),
        (None, _) => Err(Unpackable::NoMember(shown(member))),
    }
}

/// Unpacks the file `member` of an archive, at most `most` bytes, into `to`. Blocking; ends when `to` is closed. The file's
/// checksum is looked at.
pub(crate) fn unpack(archive: File, member: &str, most: u64, to: &Sender<Bytes>) -> Result<(), Unpackable> {
    let mut contents = archive.try_clone().map(BufReader::new).map_err(Unpackable::Ours)?;
    let mut archive = ZipIterable::try_new(BufReader::new(archive), Config::default()).map_err(broken)?;
    let entry = find(&mut archive, member)?;
    let too_large = || Unpackable::TooLarge { name: shown(member), most };
    let is_bomb = |size: u64| size > RATIO_FROM && size / RATIO_MAX > entry.compressed_size().max(1);
    if entry.size() > most || is_bomb(entry.size()) {
        return Err(too_large());
    }
    if entry.encrypted() {
        return Err(Unpackable::Packed(shown(member)));
    }
    let packed = entry.compressed_size().max(1);
    let mut file = entry
        .with_reader(&mut contents, ZipReadOptions::new())
        .map_err(|_| Unpackable::Packed(shown(member)))?;
    let mut unpacked = 0;
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        // What the archive says about sizes is not believed.
        (&mut file).take(CHUNK as u64).read_to_end(&mut chunk).map_err(broken)?;
        if chunk.is_empty() {
            return Ok(());
        }
        unpacked += chunk.len() as u64;
        if unpacked > most || (unpacked > RATIO_FROM && unpacked / RATIO_MAX > packed) {
            return Err(too_large());
        }
        to.blocking_send(Bytes::from(chunk)).map_err(|_| Unpackable::Unwanted)?;
    }
}

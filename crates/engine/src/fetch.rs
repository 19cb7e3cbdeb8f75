//! Pictures that are to be there before work begins: fetched from addresses by the guarded client, taken out of archives,
//! looked at by their header, and stored.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use blob::{BlobError, Blobs, Sealed};
use domain::id::OrgId;
use domain::image::{Image, Inspect, Unusable};
use domain::request::{From, Source};
use domain::run::{Failure, Fault};
use outbound::{Outbound, Request};
use tokio::sync::mpsc;

use crate::archive::{self, Unpackable};

/// Pieces of an unpacked file that wait to be written.
const AHEAD: usize = 4;

/// How pictures are fetched.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    /// Largest picture taken, in bytes.
    pub bytes_max: u64,
    /// Largest archive taken, in bytes.
    pub archive_bytes_max: u64,
    /// Longest time for one address, until all of it is there.
    pub time: Duration,
    /// Addresses being fetched at once, over all work; for one organization a quarter of them. What waits for a picture keeps
    /// no worker from working.
    pub at_once: usize,
    /// Whether nothing may be fetched.
    pub offline: bool,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            bytes_max: 100 << 20,
            archive_bytes_max: 1 << 30,
            time: Duration::from_secs(60),
            at_once: 16,
            offline: false,
        }
    }
}

/// Attempts after which an address that is too slow is given up: each costs its whole time.
pub(crate) const TIMEOUTS_MAX: u32 = 2;

/// What pictures are fetched with.
#[derive(Clone)]
pub(crate) struct Fetcher {
    pub(crate) blobs: Blobs,
    pub(crate) outbound: Outbound,
    pub(crate) inspect: Arc<dyn Inspect>,
    pub(crate) settings: FetchSettings,
}

/// The places that sources name, each with the indices of those that name it.
type Origins = Vec<(From, Vec<usize>)>;

fn origins(sources: &[Source]) -> Origins {
    let mut origins = Origins::new();
    for (index, source) in sources.iter().enumerate() {
        match origins.iter_mut().find(|(from, _)| *from == source.from) {
            Some((_, wanted)) => wanted.push(index),
            None => origins.push((source.from.clone(), vec![index])),
        }
    }
    origins
}

impl Fetcher {
    /// The pictures of these sources, in their order, stored. An address that several of them name is fetched once. Dropping
    /// it ends it; nothing is left behind then but what a sweep removes. With `last`, one that takes too long is not tried again.
    pub(crate) async fn fetch(
        &self,
        org: OrgId,
        sources: &[Source],
        last: bool,
    ) -> Result<Vec<Image>, Failure> {
        let mut images: Vec<Option<Image>> = vec![None; sources.len()];
        for (from, wanted) in origins(sources) {
            let (members, wholes): (Vec<usize>, Vec<usize>) =
                wanted.into_iter().partition(|index| sources[*index].member.is_some());
            let (mut whole, path, name) = match from {
                From::Address(address) => {
                    let sealed = self.download(org, &address, !members.is_empty(), last).await?;
                    let path = sealed.path().to_owned();
                    (Some(sealed), path, named(&address))
                }
                From::Stored(image) => {
                    for index in wholes.iter().copied() {
                        images[index] = Some(image.clone());
                    }
                    if members.is_empty() {
                        continue;
                    }
                    let path = self.blobs.local_path(image.hash).ok_or_else(|| {
                        let text = format!("the stored file `{}` is not there any more", image.hash);
                        Failure::new("input_unreadable", text, Fault::Ours)
                    })?;
                    (None, path, "the stored archive".to_owned())
                }
            };
            // Members first: the whole file is moved away once it is stored.
            let mut taken: BTreeMap<String, Image> = BTreeMap::new();
            for index in members {
                let member = sources[index].member.clone().unwrap_or_default();
                let known = taken.get(&member).cloned();
                let image = match known {
                    Some(image) => image,
                    None => self.member(path.clone(), &member, &name).await?,
                };
                taken.insert(member, image.clone());
                images[index] = Some(image);
            }
            if let Some(whole) = whole.take().filter(|_| !wholes.is_empty()) {
                let image = self.look_at(whole, &name).await?;
                for index in wholes {
                    images[index] = Some(image.clone());
                }
            }
        }
        let missing =
            || Failure::new("input_unreadable", "a picture was not fetched".to_owned(), Fault::Ours);
        images.into_iter().collect::<Option<Vec<_>>>().ok_or_else(missing)
    }

    /// What is at an address, as a temporary file.
    async fn download(
        &self,
        org: OrgId,
        address: &str,
        is_archive: bool,
        last: bool,
    ) -> Result<Sealed, Failure> {
        let name = named(address);
        let refuse = |why: String, fault| {
            Failure::new("image_not_fetched", format!("{name} cannot be fetched: {why}"), fault)
        };
        if self.settings.offline {
            let why = "this server is set never to fetch anything (`offline`); upload the picture itself";
            return Err(refuse(why.to_owned(), Fault::Input));
        }
        let failed = |failure: outbound::Failure| {
            // Why a connection did not come about is the operator's to know, and the address may hold a key.
            let cause = std::error::Error::source(&failure).map(ToString::to_string).unwrap_or_default();
            tracing::info!(org.id = %org, code = failure.code(), cause, "cannot fetch a picture");
            let is_final =
                failure.is_final() || (last && matches!(failure, outbound::Failure::TimedOut { .. }));
            refuse(failure.to_string(), if is_final { Fault::Input } else { Fault::Ours })
        };
        let sent = self.outbound.send(Request::get(address), self.settings.time).await;
        let mut answer = sent.map_err(failed)?;
        let status = answer.status();
        if answer.is_redirect() {
            let why = "its address redirects, which is not followed; give the address it leads to";
            return Err(refuse(why.to_owned(), Fault::Input));
        }
        if !answer.is_success() {
            // These say that it may be there later.
            let later = status >= 500 || matches!(status, 408 | 425 | 429);
            let fault = if later { Fault::Ours } else { Fault::Input };
            return Err(refuse(format!("its address answers with status {status}"), fault));
        }
        let most = if is_archive { self.settings.archive_bytes_max } else { self.settings.bytes_max };
        let too_large = || {
            let why = format!(
                "it is larger than {most} bytes, which is the most that is taken; send a smaller one"
            );
            refuse(why, Fault::Input)
        };
        let announced: Option<u64> = answer.header("content-length").and_then(|length| length.parse().ok());
        if announced.is_some_and(|announced| announced > most) {
            return Err(too_large());
        }
        let mut spool = self.blobs.spool().await.map_err(disk)?;
        while let Some(bytes) = answer.chunk().await.map_err(failed)? {
            if spool.len() + bytes.len() as u64 > most {
                return Err(too_large());
            }
            spool.write(&bytes).await.map_err(disk)?;
        }
        if spool.is_empty() {
            return Err(refuse("its address answers with nothing; send a picture".to_owned(), Fault::Input));
        }
        spool.seal().await.map_err(disk)
    }

    /// A picture out of an archive.
    async fn member(&self, archive: PathBuf, member: &str, name: &str) -> Result<Image, Failure> {
        let (to, mut from) = mpsc::channel(AHEAD);
        let (wanted, most) = (member.to_owned(), self.settings.bytes_max);
        let unpacking = tokio::task::spawn_blocking(move || {
            let file = File::open(&archive).map_err(Unpackable::Ours)?;
            archive::unpack(file, &wanted, most, &to)
        });
        let mut spool = self.blobs.spool().await.map_err(disk)?;
        while let Some(bytes) = from.recv().await {
            spool.write(&bytes).await.map_err(disk)?;
        }
        let unpacked = unpacking.await.map_err(|panicked| {
            tracing::error!(%panicked, "unpacking an archive panicked");
            Failure::new(
                "worker_crashed",
                "the archive made the worker crash; it may be damaged".to_owned(),
                Fault::Crash,
            )
        })?;
        unpacked.map_err(|why| {
            let fault = match &why {
                Unpackable::Ours(source) => {
                    tracing::warn!(error = %source, "cannot read an archive");
                    Fault::Ours
                }
                Unpackable::Unwanted => Fault::Ours,
                _ => Fault::Input,
            };
            Failure::new("image_not_fetched", format!("{name}: {why}"), fault)
        })?;
        let sealed = spool.seal().await.map_err(disk)?;
        let shown: String = member.chars().take(100).collect();
        self.look_at(sealed, &format!("`{shown}` in {name}")).await
    }

    /// Looks at a file by its header, and stores it if it is a picture that can be worked on.
    async fn look_at(&self, sealed: Sealed, name: &str) -> Result<Image, Failure> {
        let inspect = Arc::clone(&self.inspect);
        let looked = tokio::task::spawn_blocking(move || {
            let facts = inspect.inspect(sealed.path());
            (sealed, facts)
        })
        .await;
        let (sealed, facts) = looked.map_err(|panicked| {
            tracing::error!(%panicked, "looking at a file's header panicked");
            let text = format!("{name} made the worker crash; its file may be damaged");
            Failure::new("worker_crashed", text, Fault::Crash)
        })?;
        let facts = facts.map_err(|Unusable(why)| {
            Failure::new("image_unusable", format!("{name} cannot be worked on: {why}"), Fault::Input)
        })?;
        let image = Image {
            hash: sealed.hash,
            media_type: facts.media_type,
            bytes: sealed.len,
            width: facts.width,
            height: facts.height,
        };
        self.blobs.publish(sealed).await.map_err(disk)?;
        Ok(image)
    }
}

/// An address as its owner is told of it: without its query, which may hold a key.
fn named(address: &str) -> String {
    let start: String = address.split(['?', '#']).next().unwrap_or_default().chars().take(200).collect();
    format!("the picture at `{start}`")
}

fn disk(error: BlobError) -> Failure {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
    tracing::warn!(%error, ?cause, "cannot store a picture");
    Failure::new("input_unreadable", format!("cannot store the picture: {error}"), Fault::Ours)
}

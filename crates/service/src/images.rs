//! Pictures: taken in as a stream, looked at by their header, handed out to those who may see them.

use std::ops::Range;

use blob::{Sealed, Spool, Streamed};
use domain::access::Caller;
use domain::id::OrgId;
use domain::image::{ContentHash, Image, Unusable};

use crate::{OrgChoice, Refusal, Service, Thing};

/// A file on its way in, for one organization. It is nowhere to be seen until it is [admitted](Service::admit);
/// dropped before that, it leaves nothing behind.
pub struct Intake {
    org: OrgId,
    spool: Spool,
    limit: u64,
}

impl Intake {
    /// Appends bytes. Refuses with [`Refusal::TooLarge`] once there are too many.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        if self.spool.len() + bytes.len() as u64 > self.limit {
            return Err(Refusal::TooLarge { limit: self.limit });
        }
        self.spool.write(bytes).await.map_err(Refusal::blob("store the file"))
    }

    /// Takes no more than that many bytes, if that is less than before.
    pub(crate) fn lower_limit(&mut self, limit: u64) {
        self.limit = self.limit.min(limit);
    }

    /// For which organization.
    pub(crate) const fn org(&self) -> OrgId {
        self.org
    }

    /// The whole file, with how many bytes it has.
    pub(crate) async fn sealed(self) -> Result<(OrgId, Sealed, u64), Refusal> {
        let bytes = self.spool.len();
        if bytes == 0 {
            return Err(Refusal::Unusable("the file is empty; send a picture".to_owned()));
        }
        let sealed = self.spool.seal().await.map_err(Refusal::blob("store the file"))?;
        Ok((self.org, sealed, bytes))
    }

    /// Bytes written so far.
    pub fn received(&self) -> u64 {
        self.spool.len()
    }
}

/// A file that has arrived and is a picture that can be worked on, but is nowhere to be seen yet.
pub(crate) struct Looked {
    org: OrgId,
    sealed: Sealed,
    image: Image,
}

/// A picture the caller was found to be allowed to see.
pub struct Handout {
    /// What its header says.
    pub image: Image,
    service: Service,
}

impl Handout {
    /// Its bytes, or those within the range (end exclusive). They are checked against the hash on their way.
    pub async fn stream(&self, range: Option<Range<u64>>) -> Result<Streamed, Refusal> {
        let opened = self.service.0.blobs.stream(self.image.hash, range).await;
        opened.map_err(Refusal::blob("read the image"))
    }
}

impl Service {
    /// Begins to take in a file. Refuses before a byte is read when the caller does not belong to the organization.
    pub async fn intake(&self, caller: &Caller, choice: &OrgChoice) -> Result<Intake, Refusal> {
        self.need_scope(caller, "assets:create")?;
        let org = self.one_org(caller, choice)?;
        self.intake_for(org).await
    }

    pub(crate) async fn intake_for(&self, org: OrgId) -> Result<Intake, Refusal> {
        let spool = self.0.blobs.spool().await.map_err(Refusal::blob("store the file"))?;
        Ok(Intake { org, spool, limit: self.0.settings.upload_bytes_max })
    }

    /// Looks at a file that has arrived and lets its organization see it. Refuses with [`Refusal::Invalid`] if
    /// `announced` bytes were promised and another number came, with [`Refusal::Unusable`] if it is no picture that can
    /// be worked on; then nothing is kept.
    pub async fn admit(&self, intake: Intake, announced: Option<u64>) -> Result<Image, Refusal> {
        let looked = self.look_at(intake, announced).await?;
        self.keep(looked).await
    }

    pub(crate) async fn look_at(&self, intake: Intake, announced: Option<u64>) -> Result<Looked, Refusal> {
        let Intake { org, spool, .. } = intake;
        let bytes = spool.len();
        if let Some(announced) = announced.filter(|announced| *announced != bytes) {
            return Err(Refusal::Invalid(format!(
                "{bytes} bytes of {announced} announced have arrived; send the whole file"
            )));
        }
        if bytes == 0 {
            return Err(Refusal::Unusable("the file is empty; send a picture".to_owned()));
        }
        let sealed = spool.seal().await.map_err(Refusal::blob("store the file"))?;
        let inspect = self.0.inspect.clone();
        let looked_at = tokio::task::spawn_blocking(move || {
            let facts = inspect.inspect(sealed.path());
            (sealed, facts)
        })
        .await;
        let (sealed, facts) = looked_at
            .map_err(|panicked| Refusal::Ours { doing: "look at the file", source: Box::new(panicked) })?;
        let facts = facts.map_err(|Unusable(why)| Refusal::Unusable(why))?;
        let image = Image {
            hash: sealed.hash,
            media_type: facts.media_type,
            bytes,
            width: facts.width,
            height: facts.height,
        };
        Ok(Looked { org, sealed, image })
    }

    pub(crate) async fn keep(&self, looked: Looked) -> Result<Image, Refusal> {
        let Looked { org, sealed, image } = looked;
        // Bytes first: a row without bytes would promise what cannot be kept, bytes without a row are swept away later.
        self.0.blobs.publish(sealed).await.map_err(Refusal::blob("store the file"))?;
        self.0.store.admit_image(org, &image).await.map_err(Refusal::store("file the image"))?;
        Ok(image)
    }

    /// A picture, if one of the caller's organizations may see it. Whether others have it makes no difference to the
    /// answer.
    pub async fn image(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        hash: ContentHash,
    ) -> Result<Handout, Refusal> {
        self.need_scope(caller, "assets:read")?;
        let among = match choice {
            OrgChoice::Unnamed => caller.orgs(),
            named => vec![self.one_org(caller, named)?],
        };
        let missing = || Refusal::missing(Thing::Image, hash);
        if among.is_empty() {
            return Err(missing());
        }
        let found = self.0.store.image(&among, hash).await.map_err(Refusal::store("look for the image"))?;
        Ok(self.handout(found.ok_or_else(missing)?))
    }

    /// Whether the organization has uploaded or made that picture, and its bytes are there.
    pub async fn has_image(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        hash: ContentHash,
    ) -> Result<bool, Refusal> {
        self.need_scope(caller, "assets:read")?;
        let among = self.orgs_to_search(caller, choice);
        if among.is_empty() {
            return Ok(false);
        }
        let found = self.0.store.image(&among, hash).await.map_err(Refusal::store("look for the image"))?;
        match found {
            None => Ok(false),
            Some(_) => self.0.blobs.exists(hash).await.map_err(Refusal::blob("look for the image")),
        }
    }

    /// A picture that came with something the caller may see.
    pub fn handout(&self, image: Image) -> Handout {
        Handout { image, service: self.clone() }
    }
}

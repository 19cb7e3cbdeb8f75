//! Small pictures of pictures: made when they are first asked for, and kept.

use domain::id::OrgId;
use domain::image::{ContentHash, Image, Thumbnail, Unusable};
use tokio::sync::Semaphore;

use crate::{Handout, Refusal, Service, Thing};

/// Places for small pictures being made: each takes a core, and memory for a whole picture.
pub(crate) struct Thumbnails(Semaphore);

impl Default for Thumbnails {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Self(Semaphore::new(cores))
    }
}

impl Service {
    /// The small picture of a picture that the organization may see, for a link that was checked.
    pub async fn thumbnail(&self, org: OrgId, of: ContentHash) -> Result<Handout, Refusal> {
        let image = self.linked_image(org, of).await?;
        if image.width == 0 {
            return Err(Refusal::missing(Thing::Image, of));
        }
        if let Some(known) = self.kept_thumbnail(of).await? {
            return Ok(self.handout(known));
        }
        let Thumbnails(places) = &self.0.thumbnails;
        let _place =
            places.acquire().await.map_err(|_| Refusal::Unavailable("the server is stopping".to_owned()))?;
        // Somebody else may have made it while this waited.
        if let Some(known) = self.kept_thumbnail(of).await? {
            return Ok(self.handout(known));
        }
        let bytes = self.0.blobs.read(of).await.map_err(Refusal::blob("read the image"))?;
        let thumbnailer = self.0.thumbnailer.clone();
        let made = tokio::task::spawn_blocking(move || thumbnailer.thumbnail(&bytes)).await;
        let made = made.map_err(|panicked| Refusal::Ours {
            doing: "make a small picture",
            source: Box::new(panicked),
        })?;
        let made = made.map_err(|Unusable(why)| Refusal::Unusable(why))?;
        self.keep_thumbnail(of, made).await
    }

    /// Keeps a small picture of something under that thing's name.
    pub(crate) async fn keep_thumbnail(&self, of: ContentHash, made: Thumbnail) -> Result<Handout, Refusal> {
        let Thumbnail { bytes, facts } = made;
        let len = bytes.len() as u64;
        let hash = self.0.blobs.put(bytes.into()).await.map_err(Refusal::blob("store the image"))?;
        let made = Image {
            hash,
            media_type: facts.media_type,
            bytes: len,
            width: facts.width,
            height: facts.height,
        };
        let kept = self.0.store.keep_thumbnail(of, &made).await;
        kept.map_err(Refusal::store("note the small picture"))?;
        Ok(self.handout(made))
    }

    pub(crate) async fn kept_thumbnail(&self, of: ContentHash) -> Result<Option<Image>, Refusal> {
        self.0.store.thumbnail(of).await.map_err(Refusal::store("look for the small picture"))
    }
}

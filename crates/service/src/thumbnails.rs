//! Small pictures of pictures: made when they are first asked for, and kept.

use std::sync::Arc;

use domain::id::OrgId;
use domain::image::{ContentHash, Image, Thumbnail, Unusable};
use tokio::sync::Semaphore;

use crate::{Handout, Refusal, Service, Thing};

/// Places for small pictures being made: each takes a core, and memory for a whole picture.
pub(crate) struct Places(Arc<Semaphore>);

impl Places {
    /// So many at a time.
    pub(crate) fn new(many: usize) -> Self {
        Self(Arc::new(Semaphore::new(many)))
    }

    /// As many as there are cores.
    pub(crate) fn one_a_core() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, |cores| cores.get()))
    }
}

impl Service {
    /// The small picture of a picture that the organization may see, for a link that was checked.
    pub async fn thumbnail(&self, org: OrgId, of: ContentHash) -> Result<Handout, Refusal> {
        let image = self.linked_image(org, of).await?;
        if image.width == 0 {
            return Err(Refusal::missing(Thing::Image, of));
        }
        let service = self.clone();
        self.made_once(&self.0.thumbnails, of, async move {
            let bytes = service.0.blobs.read(of).await.map_err(Refusal::blob("read the image"))?;
            let thumbnailer = service.0.thumbnailer.clone();
            let made = tokio::task::spawn_blocking(move || thumbnailer.thumbnail(&bytes)).await;
            let made = made.map_err(cannot_make)?;
            made.map_err(|Unusable(why)| Refusal::Unusable(why))
        })
        .await
    }

    /// The small picture that is kept under that name, or the one that `making` makes, when there is a place for it: by one of all
    /// who ask at the same time, and to its end even if nobody waits for it any more, lest the next one to ask begins anew.
    pub(crate) async fn made_once(
        &self,
        places: &Places,
        of: ContentHash,
        making: impl Future<Output = Result<Thumbnail, Refusal>> + Send + 'static,
    ) -> Result<Handout, Refusal> {
        if let Some(known) = self.kept_thumbnail(of).await? {
            return Ok(self.handout(known));
        }
        let stopping = |_| Refusal::Unavailable("the server is stopping".to_owned());
        let place = Arc::clone(&places.0).acquire_owned().await.map_err(stopping)?;
        // Somebody else may have made it while this waited.
        if let Some(known) = self.kept_thumbnail(of).await? {
            return Ok(self.handout(known));
        }
        let service = self.clone();
        let made = tokio::spawn(async move {
            let _place = place;
            service.keep_thumbnail(of, making.await?).await
        });
        made.await.map_err(cannot_make)?
    }

    async fn keep_thumbnail(&self, of: ContentHash, made: Thumbnail) -> Result<Handout, Refusal> {
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

    async fn kept_thumbnail(&self, of: ContentHash) -> Result<Option<Image>, Refusal> {
        self.0.store.thumbnail(of).await.map_err(Refusal::store("look for the small picture"))
    }
}

fn cannot_make(panicked: tokio::task::JoinError) -> Refusal {
    Refusal::Ours { doing: "make a small picture", source: Box::new(panicked) }
}

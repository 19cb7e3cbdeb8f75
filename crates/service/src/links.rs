//! Links that need no token: each is signed for one use of one file, and good for a while.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::id::{AssetId, OrgId, RunId};
use domain::image::{ContentHash, Image};
use domain::time::{Millis, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{Refusal, Service, Thing};

/// What signs links; 32 random bytes.
#[derive(Clone)]
pub struct LinkKey(pub [u8; 32]);

/// What a link is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkUse {
    /// To download those bytes.
    Get(ContentHash),
    /// To see a small picture of those bytes.
    Thumbnail(ContentHash),
    /// To see what came after the step at that place of that run.
    Preview(RunId, u32),
    /// To upload that asset, as that media type.
    Put(AssetId, String),
}

/// A link as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose file.
    pub org: OrgId,
    /// What for.
    pub what: LinkUse,
    /// Until when, in seconds since 1970.
    pub until: i64,
}

/// Why a link is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// It was not made here, or was changed.
    #[error("this link was not given out here, or was altered; ask for a new one")]
    NotOurs,
    /// Its time is over.
    #[error("this link has expired; ask for a new one")]
    Expired,
}

impl Link {
    fn signed_text(&self) -> String {
        let what = match &self.what {
            LinkUse::Get(hash) => format!("get\n{hash}"),
            LinkUse::Thumbnail(hash) => format!("thumbnail\n{hash}"),
            LinkUse::Preview(run, place) => format!("preview\n{run}\n{place}"),
            LinkUse::Put(asset, media_type) => format!("put\n{asset}\n{media_type}"),
        };
        format!("{}\n{}\n{what}", self.org, self.until)
    }
}

impl Service {
    /// A link that is good for that long from now. One that is good for a day or more ends on a full hour, so that what shows it
    /// twice within the hour shows the same.
    pub fn link(&self, org: OrgId, what: LinkUse, lifetime: Millis) -> Link {
        let ends = (self.now() + lifetime).0.div_euclid(1000);
        let long = lifetime >= Millis::seconds(24 * 3600);
        Link { org, what, until: if long { ends - ends.rem_euclid(3600) + 3600 } else { ends } }
    }

    /// The signature of a link: 43 letters, digits, `-` and `_`.
    pub fn sign_link(&self, link: &Link) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(link).finalize().into_bytes())
    }

    /// Whether a link may be followed.
    pub fn check_link(&self, link: &Link, signature: &str) -> Result<(), LinkFault> {
        let given = URL_SAFE_NO_PAD.decode(signature).map_err(|_| LinkFault::NotOurs)?;
        // In constant time.
        self.mac(link).verify_slice(&given).map_err(|_| LinkFault::NotOurs)?;
        if self.now() > Timestamp(link.until.saturating_mul(1000)) { Err(LinkFault::Expired) } else { Ok(()) }
    }

    fn mac(&self, link: &Link) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0.link_key.0).expect("HMAC takes keys of any length");
        mac.update(link.signed_text().as_bytes());
        mac
    }

    /// The file behind a link that was checked, for use by an organization: whoever holds a link may use what it leads to.
    pub async fn linked_file(&self, owner: OrgId, hash: ContentHash, by: &OrgId) -> Result<Image, Refusal> {
        let image = self.linked_image(owner, hash).await?;
        if owner != *by && image.width > 0 {
            self.0.store.admit_image(*by, &image).await.map_err(Refusal::store("file the image"))?;
        }
        Ok(image)
    }

    /// The file behind a link that was checked: a picture that its organization may see, or a file of its library that is
    /// none; then it has no size.
    pub async fn linked_image(&self, org: OrgId, hash: ContentHash) -> Result<Image, Refusal> {
        let found = self.linked_images(org, &[hash]).await?.pop();
        found.ok_or_else(|| Refusal::missing(Thing::Image, hash))
    }

    /// Those of the files of these hashes that the organization may see, as [`Service::linked_image`] answers one; in no
    /// particular order.
    pub async fn linked_images(&self, org: OrgId, hashes: &[ContentHash]) -> Result<Vec<Image>, Refusal> {
        let files = self.0.store.files(org, hashes).await.map_err(Refusal::store("look for the images"))?;
        Ok(files.into_iter().map(Image::from).collect())
    }
}

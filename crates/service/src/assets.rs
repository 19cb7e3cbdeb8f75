//! The library: files an organization keeps under names, uploaded in three steps or at once.

use domain::access::Caller;
use domain::asset::{Asset, AssetSource, Folder, StoredFile, Upload};
use domain::id::{AssetId, FolderId, OrgId};
use domain::image::{FileName, Image, Unusable};
use domain::time::Millis;
use store::{AssetChange, Changed, Confirmed, FolderChange};
use uuid::Uuid;

use crate::{Intake, Link, LinkUse, OrgChoice, Refusal, Service, Thing};

/// Media type of an archive of pictures.
const ZIP: &str = "application/zip";
/// Most characters in a folder's name.
const FOLDER_NAME_MAX: usize = 255;

/// An upload to be announced.
#[derive(Clone, Debug)]
pub struct UploadDraft {
    /// The file's name.
    pub name: FileName,
    /// Its media type, as far as the caller knows; it is looked at when the bytes are there.
    pub media_type: String,
    /// How many bytes will come.
    pub bytes: u64,
}

/// Bytes that have arrived for the library.
pub struct Uploaded {
    file: StoredFile,
    /// The picture that it is, if it is one.
    image: Option<Image>,
    /// Why it is none that can be worked on.
    unusable: Option<String>,
}

impl Service {
    /// Announces an upload. Answers it with the link that its bytes may be sent to. Its id is `seed`.
    pub async fn announce_upload(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        draft: UploadDraft,
        seed: Uuid,
    ) -> Result<(Upload, Link), Refusal> {
        self.need_scope(caller, "assets:create")?;
        let org = self.one_org(caller, choice)?;
        if draft.bytes > self.0.settings.asset_bytes_max {
            return Err(Refusal::TooLarge { limit: self.0.settings.asset_bytes_max });
        }
        let upload = Upload {
            asset: AssetId(seed),
            org,
            user: caller.user.clone(),
            name: draft.name,
            media_type: draft.media_type,
            bytes: draft.bytes,
            created_at: self.now(),
            received: None,
        };
        self.0.store.announce_upload(&upload).await.map_err(Refusal::store("announce the upload"))?;
        let what = LinkUse::Put(upload.asset, upload.media_type.clone());
        let link = self.link(org, what, self.0.settings.upload_link_lifetime);
        Ok((upload, link))
    }

    /// An upload that a link was followed to, and where its bytes go. More bytes than announced are refused.
    pub async fn receive_upload(&self, org: OrgId, asset: AssetId) -> Result<(Upload, Intake), Refusal> {
        let found = self.0.store.upload(org, asset).await.map_err(Refusal::store("look for the upload"))?;
        let upload = found.ok_or_else(|| Refusal::missing(Thing::Upload, asset))?;
        let intake = self.intake_of_at_most(org, upload.bytes).await?;
        Ok((upload, intake))
    }

    /// Keeps what has come for an upload, in place of what came before. What comes after it was confirmed changes nothing.
    pub async fn received(&self, upload: &Upload, intake: Intake) -> Result<(), Refusal> {
        let arrived = self.arrived(intake).await?;
        let received = self.0.store.receive_upload(upload.org, upload.asset, &arrived.file).await;
        received.map(drop).map_err(Refusal::store("note the upload"))
    }

    /// Makes an upload an asset. Doing it again answers the same asset.
    pub async fn confirm_upload(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        asset: AssetId,
        folder: Option<FolderId>,
    ) -> Result<Asset, Refusal> {
        self.need_scope(caller, "assets:create")?;
        let org = self.one_org(caller, choice)?;
        let doing = "confirm the upload";
        let missing = || Refusal::missing(Thing::Upload, asset);
        let nothing_came = || {
            Refusal::NotNow("nothing was uploaded yet; send the bytes to the upload's link first".to_owned())
        };
        let found = self.0.store.upload(org, asset).await.map_err(Refusal::store(doing))?;
        let upload = found.ok_or_else(missing)?;
        let file = upload.received.ok_or_else(nothing_came)?;
        if file.size.is_none() && file.media_type != ZIP {
            return Err(Refusal::Unusable(
                "what was uploaded is no picture that can be worked on, and no archive; upload a JPEG, PNG, WebP or TIFF file"
                    .to_owned(),
            ));
        }
        match self.0.store.confirm_upload(org, asset, &file, folder).await.map_err(Refusal::store(doing))? {
            Confirmed::Kept(asset) => Ok(asset),
            Confirmed::NothingCame => Err(nothing_came()),
            Confirmed::NoFolder => Err(no_folder()),
            Confirmed::Missing => Err(missing()),
        }
    }

    /// Begins to take a file into the library at once. Give it to [`Service::add_asset`].
    pub async fn asset_intake(&self, caller: &Caller, choice: &OrgChoice) -> Result<Intake, Refusal> {
        self.need_scope(caller, "assets:create")?;
        let org = self.one_org(caller, choice)?;
        self.intake_of_at_most(org, self.0.settings.asset_bytes_max).await
    }

    /// Makes a file that has come whole an asset. Its id is `seed`.
    pub async fn add_asset(
        &self,
        caller: &Caller,
        intake: Intake,
        name: FileName,
        folder: Option<FolderId>,
        source: AssetSource,
        seed: Uuid,
    ) -> Result<Asset, Refusal> {
        let org = intake.org();
        let Uploaded { file, image, unusable } = self.arrived(intake).await?;
        if image.is_none() && file.media_type != ZIP {
            let why = unusable.unwrap_or_else(|| "send a JPEG, PNG, WebP or TIFF file".to_owned());
            return Err(Refusal::Unusable(format!("the file cannot be worked on, and is no archive: {why}")));
        }
        if let Some(image) = &image {
            self.0.store.admit_image(org, image).await.map_err(Refusal::store("file the image"))?;
        }
        let now = self.now();
        let asset = Asset {
            id: AssetId(seed),
            org,
            folder,
            name,
            file,
            source,
            created_by: caller.user.clone(),
            created_at: now,
            updated_at: now,
            deleted: None,
        };
        match self.0.store.add_asset(&asset).await {
            Ok(()) => Ok(asset),
            Err(store::StoreError::Missing(_)) => Err(no_folder()),
            Err(error) => Err(Refusal::store("file the asset")(error)),
        }
    }

    /// Begins to take in a picture that came within a request. Give it to [`Service::add_inline_asset`].
    pub async fn inline_intake(&self, org: OrgId) -> Result<Intake, Refusal> {
        self.intake_of_at_most(org, self.0.settings.asset_bytes_max).await
    }

    /// Makes a picture that came within a request an asset; whoever may ask for the request may do that. Doing it again with the
    /// same `seed` answers the asset that was made.
    pub async fn add_inline_asset(
        &self,
        caller: &Caller,
        intake: Intake,
        name: FileName,
        source: AssetSource,
        seed: Uuid,
    ) -> Result<Asset, Refusal> {
        if let Some(known) = self.referred_asset(intake.org(), AssetId(seed)).await? {
            return Ok(known);
        }
        self.add_asset(caller, intake, name, None, source, seed).await
    }

    async fn intake_of_at_most(&self, org: OrgId, limit: u64) -> Result<Intake, Refusal> {
        let mut intake = self.intake_for(org).await?;
        intake.lower_limit(limit);
        Ok(intake)
    }

    /// Stores bytes that have come, whatever they are, and says what they are found to be.
    async fn arrived(&self, intake: Intake) -> Result<Uploaded, Refusal> {
        let (org, sealed, bytes) = intake.sealed().await?;
        let inspect = self.0.inspect.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let facts = inspect.inspect(sealed.path());
            let is_zip = facts.is_err() && begins_like_zip(sealed.path());
            (sealed, facts, is_zip)
        })
        .await;
        let (sealed, facts, is_zip) = looked
            .map_err(|panicked| Refusal::Ours { doing: "look at the file", source: Box::new(panicked) })?;
        let hash = sealed.hash;
        let (image, unusable) = match facts {
            Ok(facts) => {
                let (width, height) = (facts.width, facts.height);
                (Some(Image { hash, media_type: facts.media_type, bytes, width, height }), None)
            }
            Err(Unusable(why)) => {
                tracing::debug!(org.id = %org, why, "a file for the library is no picture");
                (None, Some(why))
            }
        };
        self.0.blobs.publish(sealed).await.map_err(Refusal::blob("store the file"))?;
        let media_type = match &image {
            Some(image) => image.media_type.clone(),
            None if is_zip => ZIP.to_owned(),
            None => "application/octet-stream".to_owned(),
        };
        let size = image.as_ref().map(|image| (image.width, image.height));
        Ok(Uploaded { file: StoredFile { hash, media_type, bytes, size }, image, unusable })
    }

    /// One asset that was not thrown away.
    pub async fn asset(&self, caller: &Caller, choice: &OrgChoice, id: AssetId) -> Result<Asset, Refusal> {
        self.need_scope(caller, "assets:read")?;
        let org = self.one_org(caller, choice)?;
        let found = self.0.store.asset(org, id).await.map_err(Refusal::store("look for the asset"))?;
        found.ok_or_else(|| Refusal::missing(Thing::Asset, id))
    }

    /// The asset that something refers to, for use within its organization; none if it is unknown or was thrown away.
    pub async fn referred_asset(&self, org: OrgId, id: AssetId) -> Result<Option<Asset>, Refusal> {
        self.0.store.asset(org, id).await.map_err(Refusal::store("look for the asset"))
    }

    /// Those of the assets that something refers to, as [`Service::referred_asset`] answers one; in no particular order.
    pub async fn referred_assets(&self, org: OrgId, ids: &[AssetId]) -> Result<Vec<Asset>, Refusal> {
        self.0.store.assets(org, ids).await.map_err(Refusal::store("look for the assets"))
    }

    /// Renames or moves an asset.
    pub async fn change_asset(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: AssetId,
        change: &AssetChange,
    ) -> Result<Asset, Refusal> {
        self.need_scope(caller, "assets:edit")?;
        let org = self.one_org(caller, choice)?;
        let changed = self.0.store.change_asset(org, id, change).await;
        now_or(changed.map_err(Refusal::store("change the asset"))?, Thing::Asset, id)
    }

    /// Throws an asset away.
    pub async fn delete_asset(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: AssetId,
    ) -> Result<(), Refusal> {
        self.need_scope(caller, "assets:delete")?;
        let org = self.one_org(caller, choice)?;
        let gone = self.0.store.delete_asset(org, id, &caller.user).await;
        match gone.map_err(Refusal::store("delete the asset"))? {
            true => Ok(()),
            false => Err(Refusal::missing(Thing::Asset, id)),
        }
    }

    /// Makes a folder. Its id is `seed`.
    pub async fn add_folder(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        name: &str,
        parent: Option<FolderId>,
        seed: Uuid,
    ) -> Result<Folder, Refusal> {
        self.need_scope(caller, "assets:create")?;
        let org = self.one_org(caller, choice)?;
        let (id, now) = (FolderId(seed), self.now());
        let folder = Folder {
            id,
            org,
            parent,
            name: folder_name(name)?,
            created_by: caller.user.clone(),
            created_at: now,
            updated_at: now,
        };
        now_or(
            self.0.store.add_folder(&folder).await.map_err(Refusal::store("make the folder"))?,
            Thing::Folder,
            id,
        )
    }

    /// One folder.
    pub async fn folder(&self, caller: &Caller, choice: &OrgChoice, id: FolderId) -> Result<Folder, Refusal> {
        self.need_scope(caller, "assets:read")?;
        let org = self.one_org(caller, choice)?;
        let found = self.0.store.folder(org, id).await.map_err(Refusal::store("look for the folder"))?;
        found.ok_or_else(|| Refusal::missing(Thing::Folder, id))
    }

    /// Renames or moves a folder.
    pub async fn change_folder(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: FolderId,
        mut change: FolderChange,
    ) -> Result<Folder, Refusal> {
        self.need_scope(caller, "assets:edit")?;
        let org = self.one_org(caller, choice)?;
        change.name = change.name.as_deref().map(folder_name).transpose()?;
        let changed = self.0.store.change_folder(org, id, &change).await;
        now_or(changed.map_err(Refusal::store("change the folder"))?, Thing::Folder, id)
    }

    /// Deletes a folder; what lies in it stays.
    pub async fn delete_folder(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: FolderId,
    ) -> Result<(), Refusal> {
        self.need_scope(caller, "assets:delete")?;
        let org = self.one_org(caller, choice)?;
        match self.0.store.delete_folder(org, id).await.map_err(Refusal::store("delete the folder"))? {
            true => Ok(()),
            false => Err(Refusal::missing(Thing::Folder, id)),
        }
    }

    /// Forgets uploads that never became assets and were announced more than a day ago; answers how many, a part at a time.
    pub async fn forget_uploads(&self) -> Result<u64, Refusal> {
        let age = Millis::seconds(24 * 3600);
        self.0.store.forget_uploads(age).await.map_err(Refusal::store("forget uploads"))
    }
}

fn no_folder() -> Refusal {
    Refusal::Invalid("there is no such folder; make it first, or leave `folder_id` out".to_owned())
}

fn now_or<T>(changed: Changed<T>, thing: Thing, id: impl ToString) -> Result<T, Refusal> {
    match changed {
        Changed::Now(now) => Ok(now),
        Changed::Missing => Err(Refusal::missing(thing, id)),
        Changed::NoFolder => Err(no_folder()),
        Changed::Cycle => {
            Err(Refusal::Invalid("a folder cannot lie within itself; choose another `parent_id`".to_owned()))
        }
    }
}

fn folder_name(name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > FOLDER_NAME_MAX || name.chars().any(char::is_control) {
        return Err(Refusal::Invalid(format!("a folder's name has 1 to {FOLDER_NAME_MAX} characters")));
    }
    Ok(name.to_owned())
}

/// Whether a file begins as archives do (APPNOTE.TXT, section 4.3.7, or 4.3.16 for an empty one).
fn begins_like_zip(path: &std::path::Path) -> bool {
    use std::io::Read as _;
    let mut start = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && [*b"PK\x03\x04", *b"PK\x05\x06"].contains(&start)
}

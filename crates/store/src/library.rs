//! The library: files that an organization keeps under names, in folders, and uploads under way.

use async_trait::async_trait;
use domain::asset::{Asset, Folder, StoredFile, Upload};
use domain::id::{AssetId, FolderId, OrgId, UserId};
use domain::image::{ContentHash, FileName};
use domain::time::Millis;

use crate::StoreError;

/// How confirming an upload went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "it is answered once and taken apart at once")]
pub enum Confirmed {
    /// It is an asset, now or since before.
    Kept(Asset),
    /// No bytes have come for it.
    NothingCame,
    /// There is no such folder.
    NoFolder,
    /// There is no such upload, or its asset was thrown away.
    Missing,
}

/// A change to an asset; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssetChange {
    /// Another name.
    pub name: Option<FileName>,
    /// Another folder; `Some(None)` is the root.
    pub folder: Option<Option<FolderId>>,
}

/// A change to a folder; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderChange {
    /// Another name.
    pub name: Option<String>,
    /// Another place; `Some(None)` is the root.
    pub parent: Option<Option<FolderId>>,
}

/// How a change to the library went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed<T> {
    /// This is how it is now.
    Now(T),
    /// There is no such thing.
    Missing,
    /// The folder it should go to does not exist.
    NoFolder,
    /// A folder would lie within itself.
    Cycle,
}

/// The library.
#[async_trait]
pub trait Library: Send + Sync {
    /// Announces an upload. Announcing it again changes nothing.
    async fn announce_upload(&self, upload: &Upload) -> Result<(), StoreError>;

    /// An upload of the organization, for as long as it is remembered: until a day after it was announced, or for ever once
    /// it is an asset.
    async fn upload(&self, org: OrgId, asset: AssetId) -> Result<Option<Upload>, StoreError>;

    /// Notes what has come for an upload, in place of what came before. Answers whether there is such an upload that is no
    /// asset yet; what comes afterwards changes nothing.
    async fn receive_upload(&self, org: OrgId, asset: AssetId, file: &StoredFile)
    -> Result<bool, StoreError>;

    /// Makes what has come an asset, in that folder; `file` says what the bytes are found to be. The organization may see it
    /// as a picture from now on, if it is one. Confirming it again answers the same asset, as it is.
    async fn confirm_upload(
        &self,
        org: OrgId,
        asset: AssetId,
        file: &StoredFile,
        folder: Option<FolderId>,
    ) -> Result<Confirmed, StoreError>;

    /// Files an asset whose bytes are stored; the organization may see it as a picture from now on, if it is one. Filing it
    /// again changes nothing. Refuses with `Missing` if there is no such folder.
    async fn add_asset(&self, asset: &Asset) -> Result<(), StoreError>;

    /// Those of the assets that are there and were not thrown away, in no particular order.
    async fn assets(&self, org: OrgId, assets: &[AssetId]) -> Result<Vec<Asset>, StoreError>;

    /// One asset that was not thrown away.
    async fn asset(&self, org: OrgId, asset: AssetId) -> Result<Option<Asset>, StoreError> {
        Ok(self.assets(org, &[asset]).await?.pop())
    }

    /// What is known of the files of those hashes that the organization may see as pictures, or has or had as assets; in no
    /// particular order.
    async fn files(&self, org: OrgId, hashes: &[ContentHash]) -> Result<Vec<StoredFile>, StoreError>;

    /// Changes an asset.
    async fn change_asset(
        &self,
        org: OrgId,
        asset: AssetId,
        change: &AssetChange,
    ) -> Result<Changed<Asset>, StoreError>;

    /// Throws an asset away. Answers whether there was one. What uses its bytes already goes on.
    async fn delete_asset(&self, org: OrgId, asset: AssetId, by: &UserId) -> Result<bool, StoreError>;

    /// Files a folder. Filing it again changes nothing. `NoFolder` if its parent does not exist.
    async fn add_folder(&self, folder: &Folder) -> Result<Changed<Folder>, StoreError>;

    /// One folder.
    async fn folder(&self, org: OrgId, folder: FolderId) -> Result<Option<Folder>, StoreError>;

    /// Changes a folder.
    async fn change_folder(
        &self,
        org: OrgId,
        folder: FolderId,
        change: &FolderChange,
    ) -> Result<Changed<Folder>, StoreError>;

    /// Deletes a folder: what lies in it lies in the root then, folders in its parent. Answers whether there was one.
    async fn delete_folder(&self, org: OrgId, folder: FolderId) -> Result<bool, StoreError>;

    /// Forgets uploads that were announced longer ago than `age` and never became assets, a bounded part at a time.
    async fn forget_uploads(&self, age: Millis) -> Result<u64, StoreError>;
}

//! Assets: files that an organization keeps under a name, and the folders they lie in.

use crate::id::{AssetId, FolderId, OrgId, UserId};
use crate::image::{ContentHash, FileName, Image};
use crate::time::Timestamp;

/// A file that an organization keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its id.
    pub id: AssetId,
    /// Whose it is.
    pub org: OrgId,
    /// The folder it lies in; none is the root.
    pub folder: Option<FolderId>,
    /// Its name.
    pub name: FileName,
    /// Its bytes.
    pub file: StoredFile,
    /// How it came here.
    pub source: AssetSource,
    /// Who put it there.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// When it was last renamed or moved.
    pub updated_at: Timestamp,
    /// When it was thrown away and by whom, if it was. It is in no list then, and what refers to it does not find it.
    pub deleted: Option<(Timestamp, UserId)>,
}

/// Stored bytes of any kind, with what is known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Which bytes.
    pub hash: ContentHash,
    /// Their media type as found in the bytes.
    pub media_type: String,
    /// How many.
    pub bytes: u64,
    /// Width and height in pixels, for a picture.
    pub size: Option<(u32, u32)>,
}

impl From<StoredFile> for Image {
    /// The file as the engine takes it; what is no picture has no size.
    fn from(file: StoredFile) -> Self {
        let StoredFile { hash, media_type, bytes, size } = file;
        let (width, height) = size.unwrap_or((0, 0));
        Self { hash, media_type, bytes, width, height }
    }
}

/// How an asset came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssetSource {
    /// It was uploaded.
    Upload,
    /// It was inside a request.
    Inline,
}

impl AssetSource {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Inline => "inline",
        }
    }

    /// The source of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Upload, Self::Inline].into_iter().find(|source| source.as_str() == text)
    }
}

/// A folder of assets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its id.
    pub id: FolderId,
    /// Whose it is.
    pub org: OrgId,
    /// The folder it lies in; none is the root.
    pub parent: Option<FolderId>,
    /// Its name.
    pub name: String,
    /// Who made it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// When it was last renamed or moved.
    pub updated_at: Timestamp,
}

/// An upload that was announced: its bytes come later, by an address that was given out for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The id that the asset will have.
    pub asset: AssetId,
    /// For whom.
    pub org: OrgId,
    /// Who announced it.
    pub user: UserId,
    /// The file's name.
    pub name: FileName,
    /// Its media type as announced.
    pub media_type: String,
    /// Its bytes as announced: no more are taken.
    pub bytes: u64,
    /// When it was announced.
    pub created_at: Timestamp,
    /// What has come, if it has: the latest of several.
    pub received: Option<StoredFile>,
}

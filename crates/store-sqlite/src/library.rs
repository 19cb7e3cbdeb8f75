//! The library: assets, folders, and uploads under way.

use async_trait::async_trait;
use domain::asset::{Asset, AssetSource, Folder, StoredFile, Upload};
use domain::id::{AssetId, FolderId, OrgId, UserId};
use domain::image::{ContentHash, FileName, Image};
use domain::time::{Millis, Timestamp};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{AssetChange, Changed, Confirmed, FolderChange, Library, StoreError};

use crate::audit;
use crate::database::Sqlite;
use crate::rows::{
    content_hash, hash_list, id_list, maybe_json, maybe_uuid, named, number, time, to_json, uuid,
};
use crate::sql::Sql;
use crate::workflows::admit;
use crate::writer::Tx;

/// Uploads forgotten in one call, at most.
const AT_ONCE: i64 = 1000;

/// Uploads that were announced before some time and never became assets.
pub(crate) const STALE: &str =
    "SELECT asset FROM uploads WHERE kept_at IS NULL AND created_at < ?1 ORDER BY created_at LIMIT ?2";

/// The columns [`asset`] reads, in its order.
pub(crate) const ASSET_COLUMNS: &str = "id, org, folder, name, hash, media_type, bytes, width, height, source, \
     created_by, created_at, updated_at, deleted_at, deleted_by";

/// An asset out of a row of [`ASSET_COLUMNS`].
pub(crate) fn asset(row: &Row<'_>) -> rusqlite::Result<Asset> {
    let size = row.get::<_, Option<u32>>(7)?.zip(row.get::<_, Option<u32>>(8)?);
    let deleted = row.get::<_, Option<i64>>(13)?.zip(row.get::<_, Option<String>>(14)?);
    Ok(Asset {
        id: AssetId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        folder: maybe_uuid(row, 2)?.map(FolderId),
        name: file_name(row, 3)?,
        file: StoredFile {
            hash: content_hash(row, 4)?,
            media_type: row.get(5)?,
            bytes: number(row, 6)?,
            size,
        },
        source: named(row, 9, AssetSource::parse)?,
        created_by: UserId(row.get(10)?),
        created_at: time(row, 11)?,
        updated_at: time(row, 12)?,
        deleted: deleted.map(|(at, by)| (Timestamp(at), UserId(by))),
    })
}

/// Which of an organization's (`?1`) assets are found by their ids (`?2`, a list): those that were not thrown away.
pub(crate) const THESE_ASSETS: &str =
    "id IN (SELECT unhex(value) FROM json_each(?2)) AND +org = ?1 AND +deleted_at IS NULL";

/// Files that an organization (`?1`) may see as pictures or has had as assets, by their hashes (`?2`, a list).
pub(crate) const FILES: &str = "SELECT hash, media_type, bytes, width, height FROM images
     WHERE org = ?1 AND hash IN (SELECT unhex(value) FROM json_each(?2))
     UNION ALL
     SELECT hash, media_type, bytes, width, height FROM assets a
     WHERE org = ?1 AND hash IN (SELECT unhex(value) FROM json_each(?2))
       AND NOT EXISTS (SELECT 1 FROM images i WHERE i.org = a.org AND i.hash = a.hash)
     GROUP BY hash";

/// A file out of a row of hash, media type, bytes, width and height.
fn file(row: &Row<'_>) -> rusqlite::Result<StoredFile> {
    let size = row.get::<_, Option<u32>>(3)?.zip(row.get::<_, Option<u32>>(4)?);
    Ok(StoredFile { hash: content_hash(row, 0)?, media_type: row.get(1)?, bytes: number(row, 2)?, size })
}

/// The columns [`folder`] reads, in its order.
pub(crate) const FOLDER_COLUMNS: &str = "id, org, parent, name, created_by, created_at, updated_at";

/// A folder out of a row of [`FOLDER_COLUMNS`].
pub(crate) fn folder(row: &Row<'_>) -> rusqlite::Result<Folder> {
    Ok(Folder {
        id: FolderId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        parent: maybe_uuid(row, 2)?.map(FolderId),
        name: row.get(3)?,
        created_by: UserId(row.get(4)?),
        created_at: time(row, 5)?,
        updated_at: time(row, 6)?,
    })
}

/// Kept as it was cleaned once; cleaned names stay as they are.
fn file_name(row: &Row<'_>, column: usize) -> rusqlite::Result<FileName> {
    Ok(FileName::clean(row.get_ref(column)?.as_str()?))
}

/// What has come for an upload, as its column says it.
#[derive(Serialize, Deserialize)]
struct Received {
    hash: ContentHash,
    media_type: String,
    bytes: u64,
    size: Option<(u32, u32)>,
}

impl From<&StoredFile> for Received {
    fn from(file: &StoredFile) -> Self {
        Self { hash: file.hash, media_type: file.media_type.clone(), bytes: file.bytes, size: file.size }
    }
}

impl From<Received> for StoredFile {
    fn from(file: Received) -> Self {
        Self { hash: file.hash, media_type: file.media_type, bytes: file.bytes, size: file.size }
    }
}

fn upload_by(conn: &Connection, org: OrgId, id: AssetId) -> Result<Option<Upload>, StoreError> {
    conn.one(
        "SELECT user, name, media_type, bytes, created_at, received FROM uploads WHERE asset = ?1 AND org = ?2",
        params![id.0.as_bytes(), org.0.as_bytes()],
        |row| {
            Ok(Upload {
                asset: id,
                org,
                user: UserId(row.get(0)?),
                name: file_name(row, 1)?,
                media_type: row.get(2)?,
                bytes: number(row, 3)?,
                created_at: time(row, 4)?,
                received: maybe_json::<Received>(row, 5)?.map(StoredFile::from),
            })
        },
    )
}

/// An asset, one that was thrown away too.
fn asset_by(conn: &Connection, org: OrgId, id: AssetId) -> Result<Option<Asset>, StoreError> {
    conn.one(
        &format!("SELECT {ASSET_COLUMNS} FROM assets WHERE id = ?1 AND org = ?2"),
        params![id.0.as_bytes(), org.0.as_bytes()],
        asset,
    )
}

fn asset_kept(conn: &Connection, org: OrgId, id: AssetId) -> Result<Option<Asset>, StoreError> {
    Ok(asset_by(conn, org, id)?.filter(|asset| asset.deleted.is_none()))
}

fn folder_by(conn: &Connection, org: OrgId, id: FolderId) -> Result<Option<Folder>, StoreError> {
    conn.one(
        &format!("SELECT {FOLDER_COLUMNS} FROM folders WHERE id = ?1 AND org = ?2"),
        params![id.0.as_bytes(), org.0.as_bytes()],
        folder,
    )
}

/// Whether something may lie there: the root, or a folder of the organization.
fn is_there(conn: &Connection, org: OrgId, id: Option<FolderId>) -> Result<bool, StoreError> {
    id.map_or(Ok(true), |id| Ok(folder_by(conn, org, id)?.is_some()))
}

fn announce(tx: &Tx<'_>, upload: &Upload) -> Result<(), StoreError> {
    let there =
        tx.conn.one("SELECT org FROM uploads WHERE asset = ?1", [upload.asset.0.as_bytes()], |row| {
            uuid(row, 0).map(OrgId)
        })?;
    match there {
        Some(org) if org == upload.org => return Ok(()),
        Some(_) => return Err(StoreError::Conflict("an upload of this id".to_owned())),
        None => {}
    }
    let received = upload.received.as_ref().map(|file| to_json(&Received::from(file))).transpose()?;
    tx.conn
        .exec(
            "INSERT INTO uploads (asset, org, user, name, media_type, bytes, created_at, received)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                upload.asset.0.as_bytes(),
                upload.org.0.as_bytes(),
                upload.user.0,
                upload.name.as_str(),
                upload.media_type,
                i64::try_from(upload.bytes).unwrap_or(i64::MAX),
                upload.created_at.0,
                received,
            ],
        )
        .map(drop)
}

/// Files an asset, and lets its organization see it if it is a picture.
fn insert(tx: &Tx<'_>, asset: &Asset) -> Result<(), StoreError> {
    let file = &asset.file;
    tx.conn.exec(
        "INSERT INTO assets (id, org, folder, name, hash, media_type, bytes, width, height, source, created_by, created_at,
                             updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            asset.id.0.as_bytes(),
            asset.org.0.as_bytes(),
            asset.folder.as_ref().map(|folder| folder.0.as_bytes()),
            asset.name.as_str(),
            file.hash.0,
            file.media_type,
            i64::try_from(file.bytes).unwrap_or(i64::MAX),
            file.size.map(|(width, _)| width),
            file.size.map(|(_, height)| height),
            asset.source.as_str(),
            asset.created_by.0,
            asset.created_at.0,
            asset.updated_at.0,
        ],
    )?;
    let Some((width, height)) = file.size else { return Ok(()) };
    let (hash, media_type, bytes) = (file.hash, file.media_type.clone(), file.bytes);
    admit(tx, asset.org, &Image { hash, media_type, bytes, width, height })
}

fn confirm(
    tx: &Tx<'_>,
    org: OrgId,
    id: AssetId,
    file: &StoredFile,
    folder: Option<FolderId>,
) -> Result<Confirmed, StoreError> {
    let Some(upload) = upload_by(tx.conn, org, id)? else { return Ok(Confirmed::Missing) };
    if let Some(asset) = asset_by(tx.conn, org, id)? {
        let is_kept = asset.deleted.is_none();
        return Ok(if is_kept { Confirmed::Kept(asset) } else { Confirmed::Missing });
    }
    if upload.received.is_none() {
        return Ok(Confirmed::NothingCame);
    }
    if !is_there(tx.conn, org, folder)? {
        return Ok(Confirmed::NoFolder);
    }
    let asset = Asset {
        id,
        org,
        folder,
        name: upload.name,
        file: file.clone(),
        source: AssetSource::Upload,
        created_by: upload.user,
        created_at: tx.now,
        updated_at: tx.now,
        deleted: None,
    };
    insert(tx, &asset)?;
    tx.conn.exec("UPDATE uploads SET kept_at = ?2 WHERE asset = ?1", params![id.0.as_bytes(), tx.now.0])?;
    Ok(Confirmed::Kept(asset))
}

fn add_asset(tx: &Tx<'_>, asset: &Asset) -> Result<(), StoreError> {
    let there = tx.conn.one("SELECT org FROM assets WHERE id = ?1", [asset.id.0.as_bytes()], |row| {
        uuid(row, 0).map(OrgId)
    })?;
    match there {
        Some(org) if org == asset.org => return Ok(()),
        Some(_) => return Err(StoreError::Conflict("an asset of this id".to_owned())),
        None => {}
    }
    match asset.folder {
        Some(folder) if folder_by(tx.conn, asset.org, folder)?.is_none() => {
            Err(StoreError::Missing(format!("the folder `{folder}`")))
        }
        _ => insert(tx, asset),
    }
}

fn change_asset(
    tx: &Tx<'_>,
    org: OrgId,
    id: AssetId,
    change: &AssetChange,
) -> Result<Changed<Asset>, StoreError> {
    let Some(mut asset) = asset_kept(tx.conn, org, id)? else { return Ok(Changed::Missing) };
    if let Some(folder) = change.folder {
        if !is_there(tx.conn, org, folder)? {
            return Ok(Changed::NoFolder);
        }
        asset.folder = folder;
    }
    if let Some(name) = &change.name {
        asset.name = name.clone();
    }
    if *change != AssetChange::default() {
        asset.updated_at = tx.now;
        tx.conn.exec(
            "UPDATE assets SET name = ?2, folder = ?3, updated_at = ?4 WHERE id = ?1",
            params![
                id.0.as_bytes(),
                asset.name.as_str(),
                asset.folder.as_ref().map(|folder| folder.0.as_bytes()),
                tx.now.0
            ],
        )?;
    }
    Ok(Changed::Now(asset))
}

fn delete_asset(tx: &Tx<'_>, org: OrgId, id: AssetId, by: &UserId) -> Result<bool, StoreError> {
    let Some(asset) = asset_kept(tx.conn, org, id)? else { return Ok(false) };
    tx.conn.exec(
        "UPDATE assets SET deleted_at = ?2, deleted_by = ?3 WHERE id = ?1",
        params![id.0.as_bytes(), tx.now.0, by.0],
    )?;
    let details = json!({ "name": asset.name });
    audit::record(tx, org, Some(by), "asset.deleted", &id.to_string(), &details)?;
    Ok(true)
}

fn add_folder(tx: &Tx<'_>, folder: &Folder) -> Result<Changed<Folder>, StoreError> {
    let there = tx.conn.one("SELECT org FROM folders WHERE id = ?1", [folder.id.0.as_bytes()], |row| {
        uuid(row, 0).map(OrgId)
    })?;
    match there {
        Some(org) if org == folder.org => {
            return Ok(folder_by(tx.conn, org, folder.id)?.map_or(Changed::Missing, Changed::Now));
        }
        Some(_) => return Err(StoreError::Conflict("a folder of this id".to_owned())),
        None => {}
    }
    if !is_there(tx.conn, folder.org, folder.parent)? {
        return Ok(Changed::NoFolder);
    }
    tx.conn.exec(
        "INSERT INTO folders (id, org, parent, name, created_by, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            folder.id.0.as_bytes(),
            folder.org.0.as_bytes(),
            folder.parent.as_ref().map(|parent| parent.0.as_bytes()),
            folder.name,
            folder.created_by.0,
            folder.created_at.0,
            folder.updated_at.0,
        ],
    )?;
    Ok(Changed::Now(folder.clone()))
}

/// Whether a folder is that one or lies within it, at whatever depth.
fn lies_within(conn: &Connection, folder: FolderId, outer: FolderId) -> Result<bool, StoreError> {
    let found = conn.one(
        "WITH RECURSIVE up (id) AS (
             SELECT ?1 UNION SELECT f.parent FROM up JOIN folders f ON f.id = up.id WHERE f.parent IS NOT NULL)
         SELECT 1 FROM up WHERE id = ?2",
        params![folder.0.as_bytes(), outer.0.as_bytes()],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

fn change_folder(
    tx: &Tx<'_>,
    org: OrgId,
    id: FolderId,
    change: &FolderChange,
) -> Result<Changed<Folder>, StoreError> {
    let Some(mut folder) = folder_by(tx.conn, org, id)? else { return Ok(Changed::Missing) };
    if let Some(parent) = change.parent {
        if !is_there(tx.conn, org, parent)? {
            return Ok(Changed::NoFolder);
        }
        if let Some(parent) = parent
            && lies_within(tx.conn, parent, id)?
        {
            return Ok(Changed::Cycle);
        }
        folder.parent = parent;
    }
    if let Some(name) = &change.name {
        folder.name.clone_from(name);
    }
    if *change != FolderChange::default() {
        folder.updated_at = tx.now;
        tx.conn.exec(
            "UPDATE folders SET name = ?2, parent = ?3, updated_at = ?4 WHERE id = ?1",
            params![
                id.0.as_bytes(),
                folder.name,
                folder.parent.as_ref().map(|parent| parent.0.as_bytes()),
                tx.now.0
            ],
        )?;
    }
    Ok(Changed::Now(folder))
}

fn delete_folder(tx: &Tx<'_>, org: OrgId, id: FolderId) -> Result<bool, StoreError> {
    let Some(folder) = folder_by(tx.conn, org, id)? else { return Ok(false) };
    let id = id.0.as_bytes();
    tx.conn
        .exec("UPDATE assets SET folder = NULL, updated_at = ?2 WHERE folder = ?1", params![id, tx.now.0])?;
    tx.conn.exec(
        "UPDATE folders SET parent = ?2, updated_at = ?3 WHERE parent = ?1",
        params![id, folder.parent.as_ref().map(|parent| parent.0.as_bytes()), tx.now.0],
    )?;
    tx.conn.exec("DELETE FROM folders WHERE id = ?1", [id])?;
    Ok(true)
}

#[async_trait]
impl Library for Sqlite {
    async fn announce_upload(&self, upload: &Upload) -> Result<(), StoreError> {
        let upload = upload.clone();
        self.write("announce_upload", move |tx| announce(tx, &upload)).await
    }

    async fn upload(&self, org: OrgId, asset: AssetId) -> Result<Option<Upload>, StoreError> {
        self.read(move |conn| upload_by(conn, org, asset)).await
    }

    async fn receive_upload(
        &self,
        org: OrgId,
        asset: AssetId,
        file: &StoredFile,
    ) -> Result<bool, StoreError> {
        let received = to_json(&Received::from(file))?;
        self.write("receive_upload", move |tx| {
            let noted = tx.conn.exec(
                "UPDATE uploads SET received = ?3 WHERE asset = ?1 AND org = ?2 AND kept_at IS NULL",
                params![asset.0.as_bytes(), org.0.as_bytes(), received],
            )?;
            Ok(noted > 0)
        })
        .await
    }

    async fn confirm_upload(
        &self,
        org: OrgId,
        asset: AssetId,
        file: &StoredFile,
        folder: Option<FolderId>,
    ) -> Result<Confirmed, StoreError> {
        let file = file.clone();
        self.write("confirm_upload", move |tx| confirm(tx, org, asset, &file, folder)).await
    }

    async fn add_asset(&self, asset: &Asset) -> Result<(), StoreError> {
        let asset = asset.clone();
        self.write("add_asset", move |tx| add_asset(tx, &asset)).await
    }

    async fn assets(&self, org: OrgId, assets: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        let ids = id_list(assets.iter().map(|id| id.0));
        self.read(move |conn| {
            let sql = format!("SELECT {ASSET_COLUMNS} FROM assets WHERE {THESE_ASSETS}");
            conn.all(&sql, params![org.0.as_bytes(), ids], asset)
        })
        .await
    }

    async fn files(&self, org: OrgId, hashes: &[ContentHash]) -> Result<Vec<StoredFile>, StoreError> {
        let hashes = hash_list(hashes);
        self.read(move |conn| conn.all(FILES, params![org.0.as_bytes(), hashes], file)).await
    }

    async fn change_asset(
        &self,
        org: OrgId,
        asset: AssetId,
        change: &AssetChange,
    ) -> Result<Changed<Asset>, StoreError> {
        let change = change.clone();
        self.write("change_asset", move |tx| change_asset(tx, org, asset, &change)).await
    }

    async fn delete_asset(&self, org: OrgId, asset: AssetId, by: &UserId) -> Result<bool, StoreError> {
        let by = by.clone();
        self.write("delete_asset", move |tx| delete_asset(tx, org, asset, &by)).await
    }

    async fn add_folder(&self, folder: &Folder) -> Result<Changed<Folder>, StoreError> {
        let folder = folder.clone();
        self.write("add_folder", move |tx| add_folder(tx, &folder)).await
    }

    async fn folder(&self, org: OrgId, folder: FolderId) -> Result<Option<Folder>, StoreError> {
        self.read(move |conn| folder_by(conn, org, folder)).await
    }

    async fn change_folder(
        &self,
        org: OrgId,
        folder: FolderId,
        change: &FolderChange,
    ) -> Result<Changed<Folder>, StoreError> {
        let change = change.clone();
        self.write("change_folder", move |tx| change_folder(tx, org, folder, &change)).await
    }

    async fn delete_folder(&self, org: OrgId, folder: FolderId) -> Result<bool, StoreError> {
        self.write("delete_folder", move |tx| delete_folder(tx, org, folder)).await
    }

    async fn forget_uploads(&self, age: Millis) -> Result<u64, StoreError> {
        self.write("forget_uploads", move |tx| {
            let forgotten = tx.conn.exec(
                &format!("DELETE FROM uploads WHERE asset IN ({STALE})"),
                params![tx.now.0 - age.0, AT_ONCE],
            )?;
            Ok(forgotten as u64)
        })
        .await
    }
}

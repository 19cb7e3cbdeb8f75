//! Lists of assets and folders.

use domain::asset::{Asset, Folder};
use domain::filter::{Leaf, Listing};
use domain::id::OrgId;
use rusqlite::Connection;
use store::{AssetField, FolderField, StoreError};

use super::{Noun, WHOLE, Way, always, blob, maybe, required};
use crate::filter::{Column, Kept};
use crate::library::{ASSET_COLUMNS, FOLDER_COLUMNS, asset, folder};

fn asset_column(field: &AssetField) -> Column {
    match field {
        AssetField::Id => always("a.id", Kept::Id),
        AssetField::Name => always("a.name", Kept::Text),
        AssetField::Folder => maybe("a.folder", Kept::Id),
        AssetField::MediaType => always("a.media_type", Kept::Text),
        AssetField::Bytes => always("a.bytes", WHOLE),
        AssetField::Source => always("a.source", Kept::Text),
        AssetField::User => always("a.created_by", Kept::Text),
        AssetField::CreatedAt => always("a.created_at", Kept::Time),
        AssetField::UpdatedAt => always("a.updated_at", Kept::Time),
    }
}

fn folder_column(field: &FolderField) -> Column {
    match field {
        FolderField::Id => always("f.id", Kept::Id),
        FolderField::Name => always("f.name", Kept::Text),
        FolderField::Parent => maybe("f.parent", Kept::Id),
        FolderField::CreatedAt => always("f.created_at", Kept::Time),
        FolderField::UpdatedAt => always("f.updated_at", Kept::Time),
    }
}

pub(super) fn asset_noun() -> Noun<AssetField> {
    Noun { columns: ASSET_COLUMNS.to_owned(), table: "assets a", id: "a.id", column: asset_column }
}

pub(super) fn folder_noun() -> Noun<FolderField> {
    Noun { columns: FOLDER_COLUMNS.to_owned(), table: "folders f", id: "f.id", column: folder_column }
}

pub(super) fn asset_ways(
    noun: &Noun<AssetField>,
    org: OrgId,
    listing: &Listing<AssetField>,
) -> Vec<Way<AssetField>> {
    let org = blob(org.0);
    if required(listing, &AssetField::Id).is_some() {
        vec![noun.way("assets a WHERE +a.org = ? AND a.deleted_at IS NULL", [org])]
    } else if let Some(folders) = required(listing, &AssetField::Folder) {
        let from =
            "assets a INDEXED BY assets_in_folder WHERE a.org = ? AND a.deleted_at IS NULL AND a.folder = ?";
        noun.ways(folders, from, [org])
    } else {
        vec![noun.way("assets a INDEXED BY assets_of_org WHERE a.org = ? AND a.deleted_at IS NULL", [org])]
    }
}

pub(super) fn folder_ways(
    noun: &Noun<FolderField>,
    org: OrgId,
    listing: &Listing<FolderField>,
) -> Vec<Way<FolderField>> {
    let from = match required(listing, &FolderField::Id) {
        Some(_) => "folders f WHERE +f.org = ?",
        None => "folders f INDEXED BY folders_of_org WHERE f.org = ?",
    };
    vec![noun.way(from, [blob(org.0)])]
}

pub(super) fn assets(
    conn: &Connection,
    org: OrgId,
    listing: &Listing<AssetField>,
) -> Result<Leaf<Asset>, StoreError> {
    let noun = asset_noun();
    noun.page(conn, &asset_ways(&noun, org, listing), listing, asset)
}

pub(super) fn folders(
    conn: &Connection,
    org: OrgId,
    listing: &Listing<FolderField>,
) -> Result<Leaf<Folder>, StoreError> {
    let noun = folder_noun();
    noun.page(conn, &folder_ways(&noun, org, listing), listing, folder)
}

//! Lists of assets and folders.

use domain::asset::{Asset, AssetSource, Folder, StoredFile};
use domain::id::{AssetId, FolderId};
use domain::image::FileName;
use domain::time::Millis;

use super::super::Empty;
use super::super::fixture::World;
use super::compare::compare;
use crate::{AssetField, FolderField};

/// Every field of an asset and of a folder; what was thrown away is in no list.
pub async fn the_library_is_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, ours) = World::founded(make(), 1).await;
    let theirs = world.tenant("Other", 1).await;
    for tenant in [&ours, &theirs] {
        let mut folders = Vec::new();
        for nth in 0..6_usize {
            world.clock.advance(Millis((nth % 2) as i64));
            let folder = Folder {
                id: FolderId(world.id()),
                org: tenant.org,
                parent: (nth > 2).then(|| -> FolderId { folders[nth % 3] }),
                name: ["mug", "Shoes", "a%b"][nth % 3].to_owned(),
                created_by: tenant.user.clone(),
                created_at: world.now(),
                updated_at: world.now(),
            };
            world.store.add_folder(&folder).await.unwrap();
            folders.push(folder.id);
        }
        let mut assets = Vec::new();
        for nth in 0..10_usize {
            world.clock.advance(Millis((nth % 2) as i64));
            let image = world.image();
            let media_type = ["image/png", "image/jpeg"][nth % 2].to_owned();
            let asset = Asset {
                id: AssetId(world.id()),
                org: tenant.org,
                folder: (nth % 3 > 0).then(|| folders[nth % 3]),
                name: FileName::clean(["mug.png", "Shoe a.jpg", "a%.png"][nth % 3]),
                file: StoredFile { hash: image.hash, media_type, bytes: 1 << nth, size: Some((40, 30)) },
                source: [AssetSource::Upload, AssetSource::Inline][nth % 2],
                created_by: tenant.user.clone(),
                created_at: world.now(),
                updated_at: world.now(),
                deleted: None,
            };
            world.store.add_asset(&asset).await.unwrap();
            assets.push(asset.id);
        }
        world.clock.advance(Millis(9));
        assert!(world.store.delete_asset(tenant.org, assets[4], &tenant.user).await.unwrap());
        let (mut all_assets, mut all_folders) = (Vec::new(), Vec::new());
        for id in assets {
            all_assets.extend(world.store.asset(tenant.org, id).await.unwrap());
        }
        for id in folders {
            all_folders.extend(world.store.folder(tenant.org, id).await.unwrap());
        }
        assert_eq!((all_assets.len(), all_folders.len()), (9, 6));
        compare(all_assets, AssetField::ALL, AssetField::kind, async |listing| {
            world.store.list_assets(tenant.org, &listing).await.unwrap()
        })
        .await;
        compare(all_folders, FolderField::ALL, FolderField::kind, async |listing| {
            world.store.list_folders(tenant.org, &listing).await.unwrap()
        })
        .await;
    }
}

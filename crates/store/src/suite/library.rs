//! The library: uploads, assets, folders; and workflows of other programs that are deployed.

use std::sync::Arc;

use domain::asset::{Asset, AssetSource, Folder, StoredFile, Upload};
use domain::id::{AssetId, FolderId, OrgId};
use domain::image::{ContentHash, FileName};
use domain::time::Millis;
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Empty;
use super::fixture::{Tenant, World};
use crate::{
    AssetChange, Changed, Confirmed, Deployment, DeploymentHead, FolderChange, Redeployed, StoreError,
};

const DAY: Millis = Millis::seconds(24 * 3600);

fn file(world: &World) -> StoredFile {
    let image = world.image();
    let size = Some((image.width, image.height));
    StoredFile { hash: image.hash, media_type: image.media_type, bytes: image.bytes, size }
}

fn upload(world: &World, tenant: &Tenant) -> Upload {
    Upload {
        asset: AssetId(world.id()),
        org: tenant.org,
        user: tenant.user.clone(),
        name: FileName::clean("shoe 01.jpg"),
        media_type: "image/jpeg".to_owned(),
        bytes: 5_000_000,
        created_at: world.now(),
        received: None,
    }
}

fn asset(world: &World, tenant: &Tenant, folder: Option<FolderId>) -> Asset {
    Asset {
        id: AssetId(world.id()),
        org: tenant.org,
        folder,
        name: FileName::clean("inside.png"),
        file: file(world),
        source: AssetSource::Inline,
        created_by: tenant.user.clone(),
        created_at: world.now(),
        updated_at: world.now(),
        deleted: None,
    }
}

fn folder(world: &World, tenant: &Tenant, parent: Option<FolderId>, name: &str) -> Folder {
    Folder {
        id: FolderId(world.id()),
        org: tenant.org,
        parent,
        name: name.to_owned(),
        created_by: tenant.user.clone(),
        created_at: world.now(),
        updated_at: world.now(),
    }
}

async fn made(world: &World, tenant: &Tenant, parent: Option<FolderId>, name: &str) -> FolderId {
    let new = folder(world, tenant, parent, name);
    assert_eq!(world.store.add_folder(&new).await.unwrap(), Changed::Now(new.clone()));
    new.id
}

/// Announced, received (twice: the latest counts), confirmed (twice: the same asset), and from then on as it is.
pub async fn an_upload_becomes_an_asset_once(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let store = &world.store;
    let new = upload(&world, &tenant);
    store.announce_upload(&new).await.unwrap();
    let again = Upload { name: FileName::clean("else.jpg"), ..new.clone() };
    store.announce_upload(&again).await.unwrap();
    assert_eq!(store.upload(tenant.org, new.asset).await.unwrap(), Some(new.clone()));
    let inside = made(&world, &tenant, None, "Shoes").await;
    let (first, second) = (file(&world), file(&world));
    assert_eq!(
        store.confirm_upload(tenant.org, new.asset, &first, None).await.unwrap(),
        Confirmed::NothingCame
    );
    for received in [&first, &second] {
        assert!(store.receive_upload(tenant.org, new.asset, received).await.unwrap());
        let noted = store.upload(tenant.org, new.asset).await.unwrap().unwrap().received;
        assert_eq!(noted.as_ref(), Some(received));
    }
    let nowhere = Some(FolderId(world.id()));
    assert_eq!(
        store.confirm_upload(tenant.org, new.asset, &second, nowhere).await.unwrap(),
        Confirmed::NoFolder
    );
    assert_eq!(store.asset(tenant.org, new.asset).await.unwrap(), None);
    assert_eq!(store.image(&[tenant.org], second.hash).await.unwrap(), None);

    world.clock.advance(Millis(40));
    let mut confirming = JoinSet::new();
    for _ in 0..6 {
        let (store, org, id, file) = (Arc::clone(store), tenant.org, new.asset, second.clone());
        confirming.spawn(async move { store.confirm_upload(org, id, &file, Some(inside)).await.unwrap() });
    }
    let expected = Asset {
        id: new.asset,
        org: tenant.org,
        folder: Some(inside),
        name: new.name.clone(),
        file: second.clone(),
        source: AssetSource::Upload,
        created_by: tenant.user.clone(),
        created_at: world.now(),
        updated_at: world.now(),
        deleted: None,
    };
    let kept = Confirmed::Kept(expected.clone());
    assert!(confirming.join_all().await.iter().all(|answer| *answer == kept));
    assert_eq!(store.asset(tenant.org, new.asset).await.unwrap(), Some(expected));
    let seen = store.image(&[tenant.org], second.hash).await.unwrap().expect("may be seen");
    assert_eq!(Some((seen.width, seen.height)), second.size);

    assert!(
        !store.receive_upload(tenant.org, new.asset, &first).await.unwrap(),
        "what comes late changes nothing"
    );
    let renamed = AssetChange { name: Some(FileName::clean("b.jpg")), folder: Some(None) };
    let Changed::Now(renamed) = store.change_asset(tenant.org, new.asset, &renamed).await.unwrap() else {
        panic!("it is there")
    };
    let confirmed = store.confirm_upload(tenant.org, new.asset, &second, Some(inside)).await.unwrap();
    assert_eq!(confirmed, Confirmed::Kept(renamed), "as it is now");

    for (org, id) in [(other.org, new.asset), (tenant.org, AssetId(world.id()))] {
        assert_eq!(store.upload(org, id).await.unwrap(), None);
        assert!(!store.receive_upload(org, id, &first).await.unwrap());
        assert_eq!(store.confirm_upload(org, id, &first, None).await.unwrap(), Confirmed::Missing);
    }
    let stolen = Upload { org: other.org, ..new.clone() };
    assert!(matches!(store.announce_upload(&stolen).await, Err(StoreError::Conflict(_))));
    assert!(store.delete_asset(tenant.org, new.asset, &tenant.user).await.unwrap());
    assert_eq!(store.confirm_upload(tenant.org, new.asset, &second, None).await.unwrap(), Confirmed::Missing);
    assert!(!store.receive_upload(tenant.org, new.asset, &first).await.unwrap());
}

/// Once they are old enough and never became assets.
pub async fn uploads_that_came_to_nothing_are_forgotten(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let (silent, received, kept) =
        (upload(&world, &tenant), upload(&world, &tenant), upload(&world, &tenant));
    for new in [&silent, &received, &kept] {
        world.store.announce_upload(new).await.unwrap();
    }
    let came = StoredFile { media_type: "application/pdf".to_owned(), size: None, ..file(&world) };
    for new in [&received, &kept] {
        assert!(world.store.receive_upload(tenant.org, new.asset, &came).await.unwrap());
    }
    let confirmed = world.store.confirm_upload(tenant.org, kept.asset, &came, None).await.unwrap();
    assert!(matches!(confirmed, Confirmed::Kept(_)));
    assert_eq!(world.store.image(&[tenant.org], came.hash).await.unwrap(), None, "it is no picture");
    assert_eq!(
        world.store.files(tenant.org, &[came.hash]).await.unwrap().as_slice(),
        std::slice::from_ref(&came)
    );
    world.clock.advance(DAY);
    let young = upload(&world, &tenant);
    world.store.announce_upload(&young).await.unwrap();
    assert_eq!(world.store.forget_uploads(DAY).await.unwrap(), 0);
    world.clock.advance(Millis(1));
    assert_eq!(world.store.forget_uploads(DAY).await.unwrap(), 2);
    assert_eq!(world.store.forget_uploads(DAY).await.unwrap(), 0);
    for (upload, is_there) in [(&silent, false), (&received, false), (&kept, true), (&young, true)] {
        assert_eq!(world.store.upload(tenant.org, upload.asset).await.unwrap().is_some(), is_there);
    }
    assert!(world.store.asset(tenant.org, kept.asset).await.unwrap().is_some());
}

/// Filed once, renamed, moved, thrown away; never by anybody else.
pub async fn an_asset_is_kept_under_its_name(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let store = &world.store;
    let inside = made(&world, &tenant, None, "Shoes").await;
    let theirs = made(&world, &other, None, "Theirs").await;
    let new = asset(&world, &tenant, Some(inside));
    store.add_asset(&new).await.unwrap();
    store.add_asset(&Asset { name: FileName::clean("else.png"), ..new.clone() }).await.unwrap();
    assert_eq!(store.asset(tenant.org, new.id).await.unwrap().as_ref(), Some(&new));
    assert!(store.image(&[tenant.org], new.file.hash).await.unwrap().is_some());
    // Several at once, in any order, none twice and none that is not there.
    let second = asset(&world, &tenant, None);
    store.add_asset(&second).await.unwrap();
    let foreign = Asset { org: other.org, ..asset(&world, &other, None) };
    store.add_asset(&foreign).await.unwrap();
    let ids = [new.id, AssetId(world.id()), second.id, foreign.id, new.id];
    let mut found = store.assets(tenant.org, &ids).await.unwrap();
    found.sort_by_key(|asset| asset.id);
    assert_eq!(found, [new.clone(), second.clone()]);
    assert_eq!(store.assets(tenant.org, &[]).await.unwrap(), []);
    let wanted = [new.file.hash, ContentHash([7; 32]), second.file.hash, foreign.file.hash];
    let mut files = store.files(tenant.org, &wanted).await.unwrap();
    files.sort_by_key(|file| file.hash);
    let mut expected = vec![new.file.clone(), second.file.clone()];
    expected.sort_by_key(|file| file.hash);
    assert_eq!(files, expected);
    // A file that is no picture, under two names, is one file.
    let plain = StoredFile { media_type: "application/zip".to_owned(), size: None, ..file(&world) };
    for _ in 0..2 {
        let archive = Asset { file: plain.clone(), ..asset(&world, &tenant, None) };
        store.add_asset(&archive).await.unwrap();
    }
    assert_eq!(store.files(tenant.org, &[plain.hash]).await.unwrap(), [plain]);
    for elsewhere in [theirs, FolderId(world.id())] {
        let lost = asset(&world, &tenant, Some(elsewhere));
        assert!(matches!(store.add_asset(&lost).await, Err(StoreError::Missing(_))));
        assert_eq!(store.asset(tenant.org, lost.id).await.unwrap(), None);
        let change = AssetChange { name: None, folder: Some(Some(elsewhere)) };
        assert_eq!(store.change_asset(tenant.org, new.id, &change).await.unwrap(), Changed::NoFolder);
    }
    let stolen = Asset { org: other.org, folder: None, ..new.clone() };
    assert!(matches!(store.add_asset(&stolen).await, Err(StoreError::Conflict(_))));

    world.clock.advance(Millis(3));
    let unchanged = store.change_asset(tenant.org, new.id, &AssetChange::default()).await.unwrap();
    assert_eq!(unchanged, Changed::Now(new.clone()));
    let rename = AssetChange { name: Some(FileName::clean("b.png")), folder: None };
    let renamed = Asset { name: FileName::clean("b.png"), updated_at: world.now(), ..new.clone() };
    assert_eq!(store.change_asset(tenant.org, new.id, &rename).await.unwrap(), Changed::Now(renamed.clone()));
    let to_root = AssetChange { name: None, folder: Some(None) };
    let moved = Asset { folder: None, ..renamed };
    assert_eq!(store.change_asset(tenant.org, new.id, &to_root).await.unwrap(), Changed::Now(moved.clone()));
    assert_eq!(store.asset(tenant.org, new.id).await.unwrap(), Some(moved));

    assert_eq!(store.asset(other.org, new.id).await.unwrap(), None);
    assert_eq!(store.change_asset(other.org, new.id, &rename).await.unwrap(), Changed::Missing);
    assert!(!store.delete_asset(other.org, new.id, &other.user).await.unwrap());
    assert!(store.delete_asset(tenant.org, new.id, &tenant.user).await.unwrap());
    assert!(!store.delete_asset(tenant.org, new.id, &tenant.user).await.unwrap());
    assert_eq!(store.asset(tenant.org, new.id).await.unwrap(), None);
    assert_eq!(store.change_asset(tenant.org, new.id, &rename).await.unwrap(), Changed::Missing);
    assert!(store.image(&[tenant.org], new.file.hash).await.unwrap().is_some(), "what uses it goes on");
    let audit = store.audit(tenant.org, None, 1).await.unwrap();
    assert_eq!((audit[0].action.as_str(), audit[0].actor.as_ref()), ("asset.deleted", Some(&tenant.user)));
}

/// Within folders of the same organization, and never within itself.
pub async fn a_folder_never_lies_within_itself(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let store = &world.store;
    let top = made(&world, &tenant, None, "top").await;
    let middle = made(&world, &tenant, Some(top), "middle").await;
    let low = made(&world, &tenant, Some(middle), "low").await;
    let theirs = made(&world, &other, None, "theirs").await;
    let into = |id: FolderId, parent: Option<FolderId>| {
        let change = FolderChange { name: None, parent: Some(parent) };
        async move { store.change_folder(tenant.org, id, &change).await.unwrap() }
    };
    for inside in [top, middle, low] {
        assert_eq!(into(top, Some(inside)).await, Changed::Cycle);
    }
    assert_eq!(into(middle, Some(low)).await, Changed::Cycle);
    for elsewhere in [theirs, FolderId(world.id())] {
        assert_eq!(into(low, Some(elsewhere)).await, Changed::NoFolder);
        let lost = folder(&world, &tenant, Some(elsewhere), "lost");
        assert_eq!(store.add_folder(&lost).await.unwrap(), Changed::NoFolder);
        assert_eq!(store.folder(tenant.org, lost.id).await.unwrap(), None);
    }
    world.clock.advance(Millis(3));
    let Changed::Now(moved) = into(low, Some(top)).await else { panic!("beside its old parent") };
    assert_eq!((moved.parent, moved.updated_at), (Some(top), world.now()));
    let Changed::Now(moved) = into(low, None).await else { panic!("to the root") };
    assert_eq!(moved.parent, None);
    assert!(matches!(into(top, Some(low)).await, Changed::Now(_)), "it lies elsewhere by now");
    let rename = FolderChange { name: Some("Boots".to_owned()), parent: None };
    let Changed::Now(renamed) = store.change_folder(tenant.org, top, &rename).await.unwrap() else {
        panic!("it is there")
    };
    assert_eq!((renamed.name.as_str(), renamed.parent), ("Boots", Some(low)));
    assert_eq!(store.folder(tenant.org, top).await.unwrap(), Some(renamed.clone()));

    assert_eq!(store.folder(other.org, top).await.unwrap(), None);
    assert_eq!(store.change_folder(other.org, top, &rename).await.unwrap(), Changed::Missing);
    assert!(!store.delete_folder(other.org, top).await.unwrap());
    let again = Folder { name: "else".to_owned(), parent: None, ..renamed.clone() };
    assert_eq!(store.add_folder(&again).await.unwrap(), Changed::Now(renamed.clone()), "as it is");
    let stolen = Folder { org: other.org, parent: None, ..renamed };
    assert!(matches!(store.add_folder(&stolen).await, Err(StoreError::Conflict(_))));
}

/// Files go to the root, folders to its parent; what was thrown away holds nothing up.
pub async fn what_lay_in_a_deleted_folder_lies_elsewhere(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let store = &world.store;
    let top = made(&world, &tenant, None, "top").await;
    let middle = made(&world, &tenant, Some(top), "middle").await;
    let low = made(&world, &tenant, Some(middle), "low").await;
    let (kept, thrown_away, deeper) = (
        asset(&world, &tenant, Some(middle)),
        asset(&world, &tenant, Some(middle)),
        asset(&world, &tenant, Some(low)),
    );
    for new in [&kept, &thrown_away, &deeper] {
        store.add_asset(new).await.unwrap();
    }
    assert!(store.delete_asset(tenant.org, thrown_away.id, &tenant.user).await.unwrap());
    assert!(store.delete_folder(tenant.org, middle).await.unwrap());
    assert!(!store.delete_folder(tenant.org, middle).await.unwrap());
    assert_eq!(store.folder(tenant.org, middle).await.unwrap(), None);
    assert_eq!(store.folder(tenant.org, low).await.unwrap().unwrap().parent, Some(top));
    let lies_in = |id| {
        let org = tenant.org;
        async move { store.asset(org, id).await.unwrap().unwrap().folder }
    };
    assert_eq!((lies_in(kept.id).await, lies_in(deeper.id).await), (None, Some(low)));
    assert!(store.delete_folder(tenant.org, top).await.unwrap());
    assert_eq!(store.folder(tenant.org, low).await.unwrap().unwrap().parent, None);
}

/// Kept as they were given, under a name each; of one organization alone.
pub async fn deployed_workflows_are_kept_as_given(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let store = &world.store;
    let deployment = |org: OrgId, slug: &str| Deployment {
        id: world.id(),
        org,
        slug: slug.to_owned(),
        body: json!({ "z": { "nodes": [1, null] }, "a": "ü" }),
        created_by: tenant.user.clone(),
        created_at: world.now(),
        updated_at: world.now(),
    };
    let (first, theirs) = (deployment(tenant.org, "hero"), deployment(other.org, "hero"));
    assert!(store.deploy(&first, 2).await.unwrap());
    assert!(store.deploy(&Deployment { slug: "else".to_owned(), ..first.clone() }, 2).await.unwrap());
    assert!(store.deploy(&theirs, 1).await.unwrap());
    assert!(matches!(store.deploy(&deployment(tenant.org, "hero"), 2).await, Err(StoreError::Conflict(_))));
    world.clock.advance(Millis(1));
    let mut second = deployment(tenant.org, "alpha");
    second.body = json!({ "name": "Älpha", "graph": [{ "name": "other" }] });
    assert!(store.deploy(&second, 2).await.unwrap());
    assert!(!store.deploy(&deployment(tenant.org, "third"), 2).await.unwrap());
    // One that is there is there, however many there are.
    assert!(store.deploy(&second, 2).await.unwrap());
    let head = |of: &Deployment, name: Option<&str>| DeploymentHead {
        id: of.id,
        slug: of.slug.clone(),
        name: name.map(str::to_owned),
        bytes: of.body.to_string().len() as u64,
        created_at: of.created_at,
        updated_at: of.updated_at,
    };
    let heads = [head(&first, None), head(&second, Some("Älpha"))];
    assert_eq!(store.deployments(tenant.org).await.unwrap(), heads);
    assert_eq!(store.deployments(other.org).await.unwrap(), [head(&theirs, None)]);
    assert_eq!(store.deployment(tenant.org, second.id).await.unwrap(), Some(second.clone()));
    assert_eq!(store.deployment(other.org, second.id).await.unwrap(), None);
    assert_eq!(store.deployment_called(tenant.org, "hero").await.unwrap(), Some(first.id));
    assert_eq!(store.deployment_called(other.org, "hero").await.unwrap(), Some(theirs.id));
    assert_eq!(store.deployment_called(other.org, "alpha").await.unwrap(), None);
    let changes = json!({ "a": [2], "new": true, "name": 3 });
    let body = json!({ "z": { "nodes": [1, null] }, "a": [2], "new": true, "name": 3 });
    let bytes = body.to_string().len();
    let redeploy = async |org, id, bytes_max| store.redeploy(org, id, &changes, bytes_max).await.unwrap();
    assert_eq!(redeploy(tenant.org, first.id, bytes - 1).await, Redeployed::TooLarge);
    assert_eq!(store.deployment(tenant.org, first.id).await.unwrap(), Some(first.clone()));
    let now = Deployment { body, updated_at: world.now(), ..first.clone() };
    assert_eq!(redeploy(tenant.org, first.id, bytes).await, Redeployed::Now(now.clone()));
    assert_eq!(store.deployments(tenant.org).await.unwrap()[0], head(&now, None));
    for (org, id) in [(other.org, first.id), (tenant.org, Uuid::nil())] {
        assert_eq!(redeploy(org, id, bytes).await, Redeployed::Missing);
    }
}

/// Only from the state that was seen, and each later than the one before.
pub async fn a_credit_alert_is_set_from_what_was_seen(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let set = |threshold, seen| world.store.set_credit_alert(tenant.org, threshold, seen, &tenant.user);
    assert_eq!(world.store.credit_alert(tenant.org).await.unwrap(), None);
    assert_eq!(set(5, Some(world.now())).await.unwrap(), None, "there was none to be seen");
    let first = set(2_500_000, None).await.unwrap().unwrap();
    assert_eq!((first.threshold, first.created_at, first.updated_at), (2_500_000, world.now(), world.now()));
    let second = set(0, Some(first.updated_at)).await.unwrap().unwrap();
    assert_eq!((second.threshold, second.created_at), (0, first.created_at));
    assert_eq!(second.updated_at, first.updated_at + Millis(1));
    assert_eq!(set(7, Some(first.updated_at)).await.unwrap(), None);
    assert_eq!(world.store.credit_alert(tenant.org).await.unwrap(), Some(second));
    assert_eq!(world.store.credit_alert(other.org).await.unwrap(), None);
    let audit = world.store.audit(tenant.org, None, 9).await.unwrap();
    assert_eq!(audit.iter().filter(|entry| entry.action == "credit_alert.set").count(), 2);
}

//! Behaviours of workflows, pictures and credits.

use domain::id::{EntryId, OrgId, WorkflowId};
use domain::ledger::Kind;
use domain::page::Window;

use super::Empty;
use super::fixture::{PRICE, World};
use crate::StoreError;

/// Every version stays readable; lists show the latest.
pub async fn versions_are_pinned_and_the_latest_is_listed(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let first = tenant.workflow.clone();
    let mut second = first.clone();
    second.name = "Whiter packshot".to_owned();
    second.author.given_name = Some("Grace".to_owned());
    second.version = world.version(25, 70);
    world.store.save_workflow(&second).await.unwrap();
    let at = |version| world.store.workflow(std::slice::from_ref(&tenant.org), first.id, version);
    let latest = at(None).await.unwrap().expect("there");
    assert_eq!(latest.version, second.version);
    assert_eq!(latest.name, "Whiter packshot");
    assert_eq!(latest.author, first.author, "the author is who made it");
    let pinned = at(Some(first.version.id)).await.unwrap().expect("kept");
    assert_eq!(pinned.version, first.version);
    assert_eq!(at(Some(world.version(1, 1).id)).await.unwrap(), None);
    let listed = world.store.workflows(tenant.org, Window::default()).await.unwrap();
    assert_eq!((listed.total, &listed.entries[0]), (1, &latest));
    assert_eq!(world.store.workflow_named(tenant.org, "White packshot").await.unwrap(), None);
    assert_eq!(world.store.workflow_named(tenant.org, "Whiter packshot").await.unwrap(), Some(latest));
}

/// Two workflows of an organization never share a name; two organizations may.
pub async fn workflow_names_are_unique_within_an_organization(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let namesake = world.workflow(tenant.org, &tenant.user, "White packshot", PRICE);
    assert!(matches!(world.store.save_workflow(&namesake).await, Err(StoreError::Conflict(_))));
    let other = world.workflow(tenant.org, &tenant.user, "white packshot", PRICE);
    world.store.save_workflow(&other).await.unwrap();
    let mut renamed = other.clone();
    renamed.name = "White packshot".to_owned();
    renamed.version = world.version(PRICE, 5);
    assert!(matches!(world.store.save_workflow(&renamed).await, Err(StoreError::Conflict(_))));
    assert_eq!(world.store.workflow(&[tenant.org], other.id, None).await.unwrap(), Some(other));
    world.tenant("Other", 0).await;
    let nobodys = world.workflow(OrgId(world.id()), &tenant.user, "White packshot", PRICE);
    assert!(matches!(world.store.save_workflow(&nobodys).await, Err(StoreError::Missing(_))));
}

/// Saving it again is fine, saving something else under its id is not.
pub async fn a_saved_version_never_changes(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    world.store.save_workflow(&tenant.workflow).await.unwrap();
    let mut changed = tenant.workflow.clone();
    changed.version.price += 1;
    assert!(matches!(world.store.save_workflow(&changed).await, Err(StoreError::Conflict(_))));
    let mut moved = tenant.workflow.clone();
    (moved.id, moved.name) = (WorkflowId(world.id()), "Moved".to_owned());
    assert!(matches!(world.store.save_workflow(&moved).await, Err(StoreError::Conflict(_))));
    assert_eq!(world.store.workflow(&[tenant.org], moved.id, None).await.unwrap(), None);
    let kept = world.store.workflow(&[tenant.org], tenant.workflow.id, None).await.unwrap();
    assert_eq!(kept, Some(tenant.workflow));
}

/// A new version does not move a workflow in the list.
pub async fn workflows_are_listed_in_the_order_they_were_made(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    for name in ["Zebra", "Apple", "Melon"] {
        let workflow = world.workflow(tenant.org, &tenant.user, name, PRICE);
        world.store.save_workflow(&workflow).await.unwrap();
    }
    let mut again = tenant.workflow.clone();
    again.version = world.version(PRICE, 1);
    world.store.save_workflow(&again).await.unwrap();
    let page = |limit, offset| world.store.workflows(tenant.org, Window { limit, offset });
    let names = |page: domain::page::Page<domain::workflow::Workflow>| {
        let names: Vec<_> = page.entries.into_iter().map(|workflow| workflow.name).collect();
        (names.join(" "), page.total)
    };
    assert_eq!(names(page(9, 0).await.unwrap()), ("White packshot Zebra Apple Melon".to_owned(), 4));
    assert_eq!(names(page(2, 1).await.unwrap()), ("Zebra Apple".to_owned(), 4));
    assert_eq!(names(page(2, 9).await.unwrap()), (String::new(), 4));
    assert_eq!(names(page(0, 0).await.unwrap()), (String::new(), 4));
}

/// The same bytes may be seen by several organizations, each by its own admission.
pub async fn pictures_are_seen_where_they_were_admitted(make: impl Fn() -> Empty) {
    let (world, ours) = World::founded(make(), 0).await;
    let theirs = world.tenant("Other", 0).await;
    let image = world.image();
    assert_eq!(world.store.image(&[ours.org, theirs.org], image.hash).await.unwrap(), None);
    world.store.admit_image(ours.org, &image).await.unwrap();
    world.store.admit_image(ours.org, &image).await.unwrap();
    assert_eq!(world.store.image(&[ours.org], image.hash).await.unwrap(), Some(image.clone()));
    assert_eq!(world.store.image(&[theirs.org], image.hash).await.unwrap(), None);
    assert_eq!(world.store.image(&[theirs.org, ours.org], image.hash).await.unwrap(), Some(image.clone()));
    world.store.admit_image(theirs.org, &image).await.unwrap();
    assert_eq!(world.store.image(&[theirs.org], image.hash).await.unwrap(), Some(image));
    let nobodys = world.store.admit_image(OrgId(world.id()), &world.image()).await;
    assert!(matches!(nobodys, Err(StoreError::Missing(_))));
}

/// However often it is repeated, and whoever asks.
pub async fn a_grant_counts_once(make: impl Fn() -> Empty) {
    let (world, ours) = World::founded(make(), 1).await;
    let theirs = world.tenant("Other", 0).await;
    let entry = EntryId(world.id());
    assert_eq!(world.store.grant(ours.org, entry, 90).await.unwrap(), 100);
    assert_eq!(world.store.grant(ours.org, entry, 90).await.unwrap(), 100);
    assert_eq!(world.balance(&ours).await, 100);
    assert!(matches!(world.store.grant(theirs.org, entry, 90).await, Err(StoreError::Conflict(_))));
    assert_eq!(world.balance(&theirs).await, 0);
    assert_eq!(world.store.grant(theirs.org, EntryId(world.id()), 0).await.unwrap(), 0);
    assert_eq!(world.store.entries(theirs.org, Window::default()).await.unwrap().total, 0);
    let nobodys = world.store.grant(OrgId(world.id()), EntryId(world.id()), 5).await;
    assert!(matches!(nobodys, Err(StoreError::Missing(_))));
    let mut grants = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (store, org, entry) = (std::sync::Arc::clone(&world.store), ours.org, EntryId(world.id()));
        grants.spawn(async move { store.grant(org, entry, 5).await.unwrap() });
    }
    let mut after = grants.join_all().await;
    after.sort_unstable();
    assert_eq!(after, (1..=32).map(|n| 100 + 5 * n).collect::<Vec<_>>(), "each saw a balance of its own");
}

/// With the balance after each.
pub async fn entries_are_listed_newest_first(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 3).await;
    let run = world.accepted(&tenant).await;
    let top_up = EntryId(world.id());
    world.store.grant(tenant.org, top_up, 7).await.unwrap();
    let page = world.store.entries(tenant.org, Window::default()).await.unwrap();
    let seen: Vec<_> =
        page.entries.iter().map(|entry| (entry.kind, entry.amount, entry.balance, entry.run)).collect();
    assert_eq!(
        seen,
        [(Kind::Grant, 7, 27, None), (Kind::Charge, -10, 20, Some(run)), (Kind::Grant, 30, 30, None)]
    );
    assert_eq!((page.total, page.entries[0].id, page.entries[0].at), (3, top_up, world.now()));
    let second = world.store.entries(tenant.org, Window { limit: 1, offset: 1 }).await.unwrap();
    assert_eq!((second.total, second.entries), (3, vec![page.entries[1].clone()]));
}

//! Behaviours of organizations, users, connections and sign-ins.

use std::sync::Arc;

use domain::access::{Consent, GrantState, Poll, Role};
use domain::id::{EntryId, EventId, OrgId, UserId};
use domain::page::Window;
use domain::run::{RunFilter, Status};
use domain::time::Millis;
use tokio::task::JoinSet;

use super::Empty;
use super::fixture::{PRICE, World};
use crate::{NewUser, Retried, StoreError, TopUp};

const PAUSE: Millis = Millis::seconds(4);

fn yes_for(user: &UserId, org: OrgId) -> Consent {
    Consent::Yes { user: user.clone(), org }
}

/// Of several foundings at once one counts, and it is whole.
pub async fn founding_happens_once(make: impl Fn() -> Empty) {
    let world = World::empty(make());
    let mut founding = JoinSet::new();
    for _ in 0..8 {
        let (store, what) = (Arc::clone(&world.store), world.founding(1000).0);
        founding.spawn(async move { store.found(&what).await.unwrap().then_some(what.org.id) });
    }
    let founded: Vec<_> = founding.join_all().await.into_iter().flatten().collect();
    assert_eq!(founded.len(), 1);
    let org = world.store.first_org().await.unwrap().expect("the founded one");
    assert_eq!(org.id, founded[0]);
    assert_eq!(world.store.balance(org.id).await.unwrap(), 1000);
    assert_eq!(world.store.signing_keys().await.unwrap().len(), 1);
    assert_eq!(world.store.workflows(org.id, Window::default()).await.unwrap().total, 1);
}

/// Organization, administrator, workflows, credits and key are there afterwards, and were not before.
pub async fn founding_leaves_what_it_says(make: impl Fn() -> Empty) {
    let world = World::empty(make());
    assert_eq!(world.store.first_org().await.unwrap(), None);
    assert!(world.store.signing_keys().await.unwrap().is_empty());
    let (founding, tenant) = world.founding(70);
    assert!(world.store.found(&founding).await.unwrap());
    assert!(!world.store.found(&world.founding(5).0).await.unwrap());
    let org = world.store.org(tenant.org).await.unwrap().expect("founded");
    assert_eq!((org.name.as_str(), org.version), ("Studio", founding.org.version));
    assert_eq!(org.members.len(), 1);
    assert_eq!((&org.members[0].user, org.members[0].role), (&founding.admin.user, Role::Admin));
    assert_eq!(world.store.memberships(&tenant.user).await.unwrap(), [(tenant.org, Role::Admin)]);
    assert_eq!(
        world.store.workflow_named(tenant.org, "White packshot").await.unwrap(),
        Some(tenant.workflow.clone())
    );
    assert_eq!(world.balance(&tenant).await, 70);
    let keys = world.store.signing_keys().await.unwrap();
    assert!(keys == [founding.signing_key]);
}

/// A further organization takes a new user, or one who is there already and keeps what they have.
pub async fn further_organizations_have_their_first_member(make: impl Fn() -> Empty) {
    let (world, first) = World::founded(make(), 0).await;
    let mut known = world.store.user_by_email("ada@example.test").await.unwrap().expect("founded");
    let (second, third) = (world.org("a second"), world.org("The third"));
    known.password_hash = "changed by mistake".to_owned();
    world.store.add_org(&second, &known, &[], None).await.unwrap();
    world.store.add_org(&third, &world.user("grace@example.test"), &[], None).await.unwrap();
    let memberships = world.store.memberships(&first.user).await.unwrap();
    assert_eq!(memberships, [(first.org, Role::Admin), (second.id, Role::Admin)]);
    let kept = world.store.user_by_email("ada@example.test").await.unwrap().expect("still there");
    assert!(kept.password_hash.starts_with("$argon2id$"));
    let among = [first.org, second.id];
    let page = world.store.orgs(&among, Window::default()).await.unwrap();
    assert_eq!(page.entries.iter().map(|org| org.name.as_str()).collect::<Vec<_>>(), ["a second", "Studio"]);
    assert_eq!((page.total, page.entries[0].members.len()), (2, 1));
    let page = world.store.orgs(&among, Window { limit: 1, offset: 1 }).await.unwrap();
    assert_eq!((page.total, page.entries[0].id), (2, first.org));
    let taken = world.store.add_org(&world.org("fourth"), &world.user("Grace@Example.test"), &[], None).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "two users cannot share a sign-in name");
    assert_eq!(world.store.first_org().await.unwrap().map(|org| org.id), Some(first.org));

    // What it begins with is there with it, or not at all.
    let fifth = world.org("fifth");
    let workflow = world.workflow(fifth.id, &first.user, "White packshot", 10);
    let credits =
        TopUp { entry: EntryId(world.id()), credits: 70, by: None, note: "first credits".to_owned() };
    let begin = |admin: NewUser| {
        let (store, org, workflow, credits) = (&world.store, &fifth, &workflow, &credits);
        async move { store.add_org(org, &admin, std::slice::from_ref(workflow), Some(credits)).await }
    };
    let taken = begin(world.user("Grace@Example.test")).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
    begin(known).await.unwrap();
    assert_eq!(world.store.balance(fifth.id).await.unwrap(), 70);
    assert_eq!(world.store.workflow_named(fifth.id, "White packshot").await.unwrap(), Some(workflow.clone()));
    let told = world.store.audit(fifth.id, None, 10).await.unwrap();
    let told: Vec<_> = told.iter().map(|entry| (entry.action.as_str(), entry.actor.as_ref())).collect();
    assert_eq!(told, [("credits.given", None), ("organization.made", None)]);

    let all = world.store.all_orgs(Window::default()).await.unwrap();
    let names: Vec<_> = all.entries.iter().map(|org| org.name.as_str()).collect();
    assert_eq!((names, all.total), (vec!["Studio", "a second", "The third", "fifth"], 4));
    assert_eq!(all.entries[3].members[0].user.id, first.user);
    let page = world.store.all_orgs(Window { limit: 1, offset: 2 }).await.unwrap();
    assert_eq!((page.entries[0].id, page.total), (third.id, 4));
}

/// `ADA@example.test` is ada.
pub async fn users_are_found_by_their_sign_in_name_in_any_case(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let found = world.store.user_by_email("ADA@Example.TEST").await.unwrap().expect("there");
    assert_eq!(found.user.id, tenant.user);
    assert!(found.password_hash.starts_with("$argon2id$"));
    assert!(world.store.user_by_email("ad@example.test").await.unwrap().is_none());
    assert!(world.store.user_by_email("").await.unwrap().is_none());
}

/// By refresh token and by API key, each its own.
pub async fn connections_are_found_until_they_are_revoked(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let (plain, mut keyed) = (world.connection(&tenant), world.connection(&tenant));
    keyed.api_key = Some(world.secret());
    for connection in [&plain, &keyed] {
        world.store.connect(connection).await.unwrap();
    }
    let by_token = |token| world.store.connection_by_refresh_token(token);
    let by_key = |key| world.store.connection_by_api_key(key);
    let key = keyed.api_key.expect("set above");
    assert_eq!(by_token(plain.refresh_token).await.unwrap(), Some(plain.clone()));
    assert_eq!(by_key(key).await.unwrap(), Some(keyed.clone()));
    assert_eq!(by_key(keyed.refresh_token).await.unwrap(), None);
    assert_eq!(by_token(key).await.unwrap(), None);
    assert_eq!(world.store.revoke(keyed.refresh_token).await.unwrap(), Some(keyed.id));
    assert_eq!(world.store.revoke(keyed.refresh_token).await.unwrap(), None);
    assert_eq!(world.store.revoke(world.secret()).await.unwrap(), None);
    assert_eq!(by_key(key).await.unwrap(), None);
    assert_eq!(by_token(keyed.refresh_token).await.unwrap(), None);
    assert_eq!(by_token(plain.refresh_token).await.unwrap(), Some(plain.clone()));
    let again = world.store.connect(&plain).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
}

/// Nobody is connected to an organization they do not belong to.
pub async fn connections_need_a_member(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let mut crossed = world.connection(&tenant);
    crossed.org = other.org;
    assert!(matches!(world.store.connect(&crossed).await, Err(StoreError::Missing(_))));
    assert_eq!(world.store.connection_by_refresh_token(crossed.refresh_token).await.unwrap(), None);
    let grant = world.grant("KDRT-PWMN");
    world.store.begin_grant(&grant).await.unwrap();
    let crossed = world.store.decide_grant(grant.id, &yes_for(&tenant.user, other.org)).await;
    assert!(matches!(crossed, Err(StoreError::Missing(_))));
    assert!(world.store.grant_by_user_code("KDRT-PWMN").await.unwrap().is_some(), "it is still open");
}

/// Of many polls at once one is ready, and one connection is filed.
pub async fn a_device_gets_one_set_of_tokens(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let grant = world.grant("KDRT-PWMN");
    world.store.begin_grant(&grant).await.unwrap();
    assert!(world.store.decide_grant(grant.id, &yes_for(&tenant.user, tenant.org)).await.unwrap());
    let mut polls = JoinSet::new();
    for _ in 0..8 {
        // As it comes from the device: whose it is says the grant.
        let (store, offered) = (Arc::clone(&world.store), world.connection(&other));
        let code = grant.device_code;
        polls.spawn(async move {
            let answer = store.poll_grant(code, PAUSE, &offered).await.unwrap().expect("a known code");
            let filed = store.connection_by_refresh_token(offered.refresh_token).await.unwrap();
            (answer, filed)
        });
    }
    let answers = polls.join_all().await;
    let ready: Vec<_> = answers.iter().filter(|(answer, _)| matches!(answer, Poll::Ready { .. })).collect();
    assert_eq!(ready.len(), 1);
    assert_eq!(
        ready[0].0,
        Poll::Ready { user: tenant.user.clone(), org: tenant.org, scope: grant.scope.clone() }
    );
    let filed: Vec<_> = answers.iter().filter_map(|(_, filed)| filed.as_ref()).collect();
    assert_eq!(filed.len(), 1);
    assert_eq!((&filed[0].user, filed[0].org), (&tenant.user, tenant.org));
    assert_eq!(answers.iter().filter(|(answer, _)| *answer == Poll::Used).count(), 7);
}

/// Pending, too soon, denied, expired, unknown.
pub async fn a_device_is_told_how_its_sign_in_stands(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let grant = world.grant("KDRT-PWMN");
    world.store.begin_grant(&grant).await.unwrap();
    let offered = world.connection(&tenant);
    let poll = || async { world.store.poll_grant(grant.device_code, PAUSE, &offered).await.unwrap() };
    assert_eq!(poll().await, Some(Poll::Pending));
    assert_eq!(poll().await, Some(Poll::TooSoon));
    world.clock.advance(PAUSE);
    assert_eq!(poll().await, Some(Poll::Pending));
    let open = world.store.grant_by_user_code("KDRT-PWMN").await.unwrap().expect("open");
    assert_eq!(open.state, GrantState::Pending { last_poll: Some(world.now()) });
    assert!(world.store.decide_grant(grant.id, &Consent::No { by: None }).await.unwrap());
    assert_eq!(poll().await, Some(Poll::Denied));
    assert_eq!(world.store.grant_by_user_code("KDRT-PWMN").await.unwrap(), None, "decided ones are not open");
    assert_eq!(world.store.poll_grant(world.secret(), PAUSE, &offered).await.unwrap(), None);

    let late = world.grant("WXYZ-BCDF");
    world.store.begin_grant(&late).await.unwrap();
    world.clock.advance(Millis::seconds(900));
    assert_eq!(world.store.grant_by_user_code("WXYZ-BCDF").await.unwrap(), None);
    assert!(!world.store.decide_grant(late.id, &yes_for(&tenant.user, tenant.org)).await.unwrap());
    let answer = world.store.poll_grant(late.device_code, PAUSE, &offered).await.unwrap();
    assert_eq!(answer, Some(Poll::Expired));
    assert_eq!(world.store.connection_by_refresh_token(offered.refresh_token).await.unwrap(), None);
}

/// A yes after a no is too late, and of two at once one counts.
pub async fn only_the_first_decision_counts(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let grant = world.grant("KDRT-PWMN");
    world.store.begin_grant(&grant).await.unwrap();
    let yes = yes_for(&tenant.user, tenant.org);
    let (one, two, three) = tokio::join!(
        world.store.decide_grant(grant.id, &Consent::No { by: None }),
        world.store.decide_grant(grant.id, &Consent::No { by: None }),
        world.store.decide_grant(grant.id, &Consent::No { by: None }),
    );
    assert_eq!([one, two, three].into_iter().filter(|counted| *counted.as_ref().unwrap()).count(), 1);
    assert!(!world.store.decide_grant(grant.id, &yes).await.unwrap());
    let answer = world.store.poll_grant(grant.device_code, PAUSE, &world.connection(&tenant)).await.unwrap();
    assert_eq!(answer, Some(Poll::Denied));
    assert!(
        !world.store.decide_grant(domain::id::GrantId(world.id()), &yes).await.unwrap(),
        "an unknown one"
    );
}

/// Two people never compare the same code, and a code is free again when its sign-in is over.
pub async fn an_open_user_code_is_given_once(make: impl Fn() -> Empty) {
    let (world, _) = World::founded(make(), 0).await;
    world.store.begin_grant(&world.grant("KDRT-PWMN")).await.unwrap();
    let again = world.store.begin_grant(&world.grant("KDRT-PWMN")).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
    world.store.begin_grant(&world.grant("KDRT-PWMM")).await.unwrap();
    world.clock.advance(Millis::seconds(900));
    let later = world.grant("KDRT-PWMN");
    world.store.begin_grant(&later).await.unwrap();
    assert_eq!(world.store.grant_by_user_code("KDRT-PWMN").await.unwrap(), Some(later));
}

/// No verb that takes the caller's organizations gives away another's things, or changes them.
pub async fn nothing_is_readable_across_organizations(make: impl Fn() -> Empty) {
    let (world, ours) = World::founded(make(), 3).await;
    let theirs = world.tenant("Other", 3).await;
    let (store, us) = (&world.store, [ours.org]);
    let mut new = world.new_run(&theirs);
    new.run.labels.insert("sku".to_owned(), "1".to_owned());
    new.run.webhooks.push("https://example.test/hook".to_owned());
    store.accept(&new).await.unwrap();
    let claim = world.claim_one().await;
    world.settle(claim.token, &world.failure(domain::run::Fault::Input)).await;
    let input = new.run.input.clone().expect("a fixture's run has its picture");
    store.admit_image(theirs.org, &input).await.unwrap();
    let id = new.run.id;

    assert_eq!(store.run(&us, id).await.unwrap(), None);
    assert_eq!(store.run(&[], id).await.unwrap(), None);
    assert!(store.run(&[ours.org, theirs.org], id).await.unwrap().is_some());
    let by_label = RunFilter { labels: new.run.labels.clone(), ..RunFilter::default() };
    let by_workflow = RunFilter { workflow: Some(theirs.workflow.id), ..RunFilter::default() };
    for filter in [RunFilter::default(), by_label, by_workflow] {
        assert_eq!(store.runs(ours.org, &filter, Window::default()).await.unwrap().total, 0);
        assert_eq!(store.runs(theirs.org, &filter, Window::default()).await.unwrap().total, 1);
    }
    assert_eq!(store.retry(&us, id, EntryId(world.id()), Millis(0)).await.unwrap(), Retried::Missing);
    assert_eq!(world.status(&theirs, id).await, Status::Failed);
    assert!(store.outbox(ours.org, id).await.unwrap().is_empty());
    assert_eq!(store.outbox(theirs.org, id).await.unwrap().len(), 1);

    let workflow = &theirs.workflow;
    assert_eq!(store.workflow(&us, workflow.id, None).await.unwrap(), None);
    assert_eq!(store.workflow(&us, workflow.id, Some(workflow.version.id)).await.unwrap(), None);
    let mixed = store.workflow(&us, ours.workflow.id, Some(workflow.version.id)).await.unwrap();
    assert_eq!(mixed, None, "a version of another workflow");
    let listed = store.workflows(ours.org, Window::default()).await.unwrap();
    assert_eq!(listed.entries, std::slice::from_ref(&ours.workflow));
    let mut taken = workflow.clone();
    taken.org = ours.org;
    taken.name = "Taken".to_owned();
    taken.version = world.version(PRICE, 1);
    assert!(matches!(store.save_workflow(&taken).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.workflow(&[theirs.org], workflow.id, None).await.unwrap().as_ref(), Some(workflow));

    assert_eq!(store.image(&us, input.hash).await.unwrap(), None);
    assert_eq!(store.image(&[], input.hash).await.unwrap(), None);
    assert_eq!(world.balance(&ours).await, 30);
    let entries = store.entries(ours.org, Window::default()).await.unwrap();
    assert!(entries.entries.iter().all(|entry| entry.org == ours.org && entry.run.is_none()));
    let mut stolen = world.new_run(&ours);
    stolen.run.id = id;
    assert!(matches!(store.accept(&stolen).await, Err(StoreError::Conflict(_))));
    assert_eq!(world.balance(&ours).await, 30);

    let page = store.orgs(&us, Window::default()).await.unwrap();
    assert_eq!((page.total, page.entries[0].id), (1, ours.org));
    assert_eq!(store.orgs(&[], Window::default()).await.unwrap().total, 0);
    assert_eq!(store.memberships(&UserId("nobody".to_owned())).await.unwrap(), []);
    assert!(matches!(store.balance(OrgId(EventId(world.id()).0)).await, Err(StoreError::Missing(_))));
}

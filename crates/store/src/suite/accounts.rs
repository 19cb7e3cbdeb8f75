//! Behaviours of sessions, members, invitations, listed connections, and of the audit that tells of them.

use std::sync::Arc;

use domain::access::{ConnectionKind, Consent, Role};
use domain::account::{Invitation, InvitationState, Session};
use domain::id::{AuditId, ConnectionId, InvitationId, UserId};
use domain::time::Millis;
use tokio::task::JoinSet;

use super::Empty;
use super::fixture::{Tenant, World};
use crate::{Joined, Joining, Keeping, MemberChange, NewUser, StoreError, Swept};

const IDLE: Millis = Millis::seconds(12 * 3600);
const MINUTE: Millis = Millis::seconds(60);

fn session(world: &World, user: &UserId) -> Session {
    Session {
        secret: world.secret(),
        user: user.clone(),
        org: None,
        made_at: world.now(),
        last_seen_at: world.now(),
        expires_at: world.now() + Millis::seconds(30 * 24 * 3600),
    }
}

fn invitation(world: &World, tenant: &Tenant, email: Option<&str>) -> Invitation {
    Invitation {
        id: InvitationId(world.id()),
        secret: world.secret(),
        org: tenant.org,
        role: Role::Operator,
        email: email.map(str::to_owned),
        invited_by: tenant.user.clone(),
        created_at: world.now(),
        expires_at: world.now() + Millis::seconds(7 * 24 * 3600),
        state: InvitationState::Open,
    }
}

/// One more member.
async fn member(world: &World, tenant: &Tenant, role: Role) -> NewUser {
    let new = world.user(&format!("{}@example.test", world.id()));
    world.store.add_member(tenant.org, &new, role, Some(&tenant.user)).await.unwrap();
    new
}

/// What was done in an organization, newest first.
async fn actions(world: &World, tenant: &Tenant) -> Vec<String> {
    let entries = world.store.audit(tenant.org, None, 100).await.unwrap();
    entries.into_iter().map(|entry| entry.action).collect()
}

/// Good while it is used, over when it is not, and over in the end whatever happens.
pub async fn a_session_lasts_while_it_is_used(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let made = session(&world, &tenant.user);
    world.store.open_session(&made).await.unwrap();
    let find = || async { world.store.session(made.secret, IDLE).await.unwrap() };
    assert_eq!(find().await, Some(made.clone()));
    world.clock.advance(Millis(59_999));
    assert_eq!(find().await.unwrap().last_seen_at, made.made_at, "noted once a minute");
    world.clock.advance(Millis(1));
    assert_eq!(find().await.unwrap().last_seen_at, world.now());
    world.clock.advance(Millis(IDLE.0 - 1));
    assert!(find().await.is_some(), "the hours count from when it was seen last");
    world.clock.advance(IDLE);
    assert_eq!(find().await, None);
    assert_eq!(world.store.session(world.secret(), IDLE).await.unwrap(), None);

    let busy = session(&world, &tenant.user);
    world.store.open_session(&busy).await.unwrap();
    for _ in 0..90 {
        world.clock.advance(Millis::seconds(8 * 3600 - 1));
        assert!(world.store.session(busy.secret, IDLE).await.unwrap().is_some());
    }
    world.clock.advance(Millis::seconds(90));
    assert_eq!(world.store.session(busy.secret, IDLE).await.unwrap(), None, "thirty days are enough");
    let nobody = session(&world, &UserId("nobody".to_owned()));
    assert!(matches!(world.store.open_session(&nobody).await, Err(StoreError::Missing(_))));
}

/// One, or all of a user's but one; nobody else's.
pub async fn sessions_are_closed(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let mine: Vec<_> = (0..3).map(|_| session(&world, &tenant.user)).collect();
    let theirs = session(&world, &other.user);
    for each in mine.iter().chain([&theirs]) {
        world.store.open_session(each).await.unwrap();
    }
    let is_open = |session: &Session| {
        let (store, secret) = (Arc::clone(&world.store), session.secret);
        async move { store.session(secret, IDLE).await.unwrap().is_some() }
    };
    world.store.close_session(mine[0].secret).await.unwrap();
    world.store.close_session(mine[0].secret).await.unwrap();
    assert!(!is_open(&mine[0]).await && is_open(&mine[1]).await);
    assert_eq!(world.store.close_sessions(&tenant.user, Some(mine[1].secret)).await.unwrap(), 1);
    assert!(is_open(&mine[1]).await && !is_open(&mine[2]).await && is_open(&theirs).await);
    assert_eq!(world.store.close_sessions(&tenant.user, None).await.unwrap(), 1);
    assert!(!is_open(&mine[1]).await && is_open(&theirs).await);
}

/// A new password shuts out whoever was signed in with the old one.
pub async fn a_new_password_closes_the_other_sessions(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let (here, there) = (session(&world, &tenant.user), session(&world, &tenant.user));
    for each in [&here, &there] {
        world.store.open_session(each).await.unwrap();
    }
    let set = |keep, user: UserId| {
        let store = Arc::clone(&world.store);
        async move { store.set_password(&user, "$argon2id$new", keep, Some(&user)).await.unwrap() }
    };
    assert!(set(Some(here.secret), tenant.user.clone()).await);
    assert!(world.store.session(here.secret, IDLE).await.unwrap().is_some());
    assert!(world.store.session(there.secret, IDLE).await.unwrap().is_none());
    assert_eq!(world.store.user(&tenant.user).await.unwrap().unwrap().password_hash, "$argon2id$new");
    assert!(!set(None, UserId("nobody".to_owned())).await);
    assert_eq!(actions(&world, &tenant).await, ["user.password_changed"]);

    assert!(world.store.set_names(&tenant.user, Some("Mara"), None).await.unwrap());
    let user = world.store.user(&tenant.user).await.unwrap().unwrap().user;
    assert_eq!((user.given_name.as_deref(), user.family_name), (Some("Mara"), None));
    assert!(!world.store.set_names(&UserId("nobody".to_owned()), None, None).await.unwrap());
    assert!(world.store.user(&UserId("nobody".to_owned())).await.unwrap().is_none());
}

/// Only one that its user belongs to, and no longer than that.
pub async fn a_session_looks_at_an_organization_of_its_user(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let new = member(&world, &tenant, Role::Operator).await;
    let made = session(&world, &new.user.id);
    world.store.open_session(&made).await.unwrap();
    assert!(!world.store.select_org(made.secret, other.org).await.unwrap());
    assert!(!world.store.select_org(world.secret(), tenant.org).await.unwrap());
    assert!(world.store.select_org(made.secret, tenant.org).await.unwrap());
    let selected = || async { world.store.session(made.secret, IDLE).await.unwrap().unwrap().org };
    assert_eq!(selected().await, Some(tenant.org));
    world.store.remove_member(tenant.org, &new.user.id, None).await.unwrap();
    assert_eq!(selected().await, None);
}

/// By a new user or a known one, once; the audit tells of it.
pub async fn an_invitation_is_accepted_once(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let (first, second) = (invitation(&world, &tenant, None), invitation(&world, &tenant, None));
    for each in [&first, &second] {
        world.store.invite(each).await.unwrap();
    }
    assert_eq!(world.store.invitations(tenant.org).await.unwrap(), [first.clone(), second.clone()]);
    assert!(world.store.invitations(other.org).await.unwrap().is_empty());
    assert_eq!(world.store.invitation(first.secret).await.unwrap(), Some(first.clone()));

    let mut joining = JoinSet::new();
    for _ in 0..6 {
        let (store, secret) = (Arc::clone(&world.store), first.secret);
        let new = Joining::New(world.user(&format!("{}@example.test", world.id())));
        joining.spawn(async move { store.accept_invitation(secret, &new).await.unwrap() });
    }
    let joined = joining.join_all().await;
    let (yes, gone): (Vec<_>, Vec<_>) =
        joined.into_iter().partition(|joined| *joined == Joined::Yes { org: tenant.org });
    assert_eq!((yes.len(), gone), (1, vec![Joined::Gone; 5]));
    let org = world.store.org(tenant.org).await.unwrap().unwrap();
    assert_eq!(org.members.len(), 2);
    assert_eq!(org.members[1].role, Role::Operator);

    let known = Joining::Known(other.user.clone());
    let accept = |who| {
        let store = Arc::clone(&world.store);
        async move { store.accept_invitation(second.secret, &who).await.unwrap() }
    };
    assert_eq!(accept(Joining::Known(tenant.user.clone())).await, Joined::Already);
    assert_eq!(accept(known.clone()).await, Joined::Yes { org: tenant.org });
    assert_eq!(accept(known).await, Joined::Gone);
    let memberships = world.store.memberships(&other.user).await.unwrap();
    assert_eq!(memberships, [(other.org, Role::Admin), (tenant.org, Role::Operator)]);
    assert!(world.store.invitations(tenant.org).await.unwrap().is_empty());
    let told = ["invitation.accepted", "invitation.accepted", "invitation.made", "invitation.made"];
    assert_eq!(actions(&world, &tenant).await, told);
}

/// Revoked, expired, another's, or a sign-in name that is taken.
pub async fn an_invitation_is_good_for_whom_and_while_it_says(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let named = invitation(&world, &tenant, Some("Grace@example.test"));
    let (revoked, late) = (invitation(&world, &tenant, None), invitation(&world, &tenant, None));
    for each in [&named, &revoked, &late] {
        world.store.invite(each).await.unwrap();
    }
    let accept = |invitation: &Invitation, who: Joining| {
        let (store, secret) = (Arc::clone(&world.store), invitation.secret);
        async move { store.accept_invitation(secret, &who).await }
    };
    let known = || Joining::Known(other.user.clone());
    assert_eq!(accept(&named, known()).await.unwrap(), Joined::NotForThem);
    let taken = Joining::New(world.user("ADA@example.test"));
    assert!(matches!(accept(&late, taken).await, Err(StoreError::Conflict(_))));
    let grace = Joining::New(world.user("grace@EXAMPLE.test"));
    assert_eq!(accept(&named, grace).await.unwrap(), Joined::Yes { org: tenant.org });

    let revoke = |org| world.store.revoke_invitation(org, revoked.id, Some(&tenant.user));
    assert!(!revoke(other.org).await.unwrap());
    assert!(revoke(tenant.org).await.unwrap());
    assert!(!revoke(tenant.org).await.unwrap());
    assert_eq!(accept(&revoked, known()).await.unwrap(), Joined::Gone);
    assert_eq!(world.store.invitation(revoked.secret).await.unwrap(), None);
    assert_eq!(world.store.invitations(tenant.org).await.unwrap(), std::slice::from_ref(&late));
    world.clock.advance(Millis::seconds(7 * 24 * 3600));
    assert_eq!(accept(&late, known()).await.unwrap(), Joined::Gone);
    assert!(world.store.invitations(tenant.org).await.unwrap().is_empty());
    assert!(!world.store.revoke_invitation(tenant.org, late.id, None).await.unwrap());
    assert_eq!(world.store.memberships(&other.user).await.unwrap().len(), 1);
}

/// The last one can neither go nor step down, also of two who do so at once.
pub async fn an_organization_keeps_an_administrator(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let store = &world.store;
    let (org, ada) = (tenant.org, tenant.user.clone());
    assert_eq!(store.remove_member(org, &ada, Some(&ada)).await.unwrap(), MemberChange::LastAdmin);
    let role = |user: UserId, role| async move { store.set_role(org, &user, role, None).await.unwrap() };
    assert_eq!(role(ada.clone(), Role::Operator).await, MemberChange::LastAdmin);
    assert_eq!(role(ada.clone(), Role::Admin).await, MemberChange::Done, "nothing to change");
    assert_eq!(role(UserId("nobody".to_owned()), Role::Admin).await, MemberChange::Missing);
    let version = store.org(org).await.unwrap().unwrap().version;
    let grace = member(&world, &tenant, Role::Operator).await.user.id;
    assert_eq!(role(ada.clone(), Role::Operator).await, MemberChange::LastAdmin, "an operator is none");
    assert_eq!(role(grace.clone(), Role::Admin).await, MemberChange::Done);
    assert_ne!(store.org(org).await.unwrap().unwrap().version, version, "the record was saved");
    let (one, other) = tokio::join!(
        store.remove_member(org, &ada, Some(&ada)),
        store.set_role(org, &grace, Role::Operator, Some(&grace)),
    );
    let mut ends = [one.unwrap(), other.unwrap()];
    ends.sort_by_key(|end| *end == MemberChange::LastAdmin);
    assert_eq!(ends, [MemberChange::Done, MemberChange::LastAdmin]);
    let admins = store.org(org).await.unwrap().unwrap();
    assert_eq!(admins.members.iter().filter(|member| member.role == Role::Admin).count(), 1);
    let new = world.user("ada@EXAMPLE.test");
    assert!(matches!(store.add_member(org, &new, Role::Admin, None).await, Err(StoreError::Conflict(_))));
}

/// Or a removed administrator would come back by a link of their own, and one who stepped down would step up.
pub async fn who_may_not_invite_any_more_has_no_open_invitations(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let store = &world.store;
    let removed = member(&world, &tenant, Role::Admin).await;
    let demoted = member(&world, &tenant, Role::Admin).await;
    store.add_member(other.org, &removed, Role::Admin, None).await.unwrap();
    let of = |at: &Tenant, user: &UserId| {
        let by = Tenant { user: user.clone(), ..at.clone() };
        Invitation { role: Role::Admin, ..invitation(&world, &by, None) }
    };
    let by_removed = [of(&tenant, &removed.user.id), of(&tenant, &removed.user.id)];
    let by_demoted = of(&tenant, &demoted.user.id);
    let (by_other, elsewhere) = (of(&tenant, &tenant.user), of(&other, &removed.user.id));
    for each in by_removed.iter().chain([&by_demoted, &by_other, &elsewhere]) {
        store.invite(each).await.unwrap();
    }
    let by = Some(&tenant.user);
    let id = &removed.user.id;
    assert_eq!(store.set_role(tenant.org, id, Role::Admin, by).await.unwrap(), MemberChange::Done);
    assert_eq!(store.invitations(tenant.org).await.unwrap().len(), 4, "nothing changed");

    assert_eq!(store.remove_member(tenant.org, id, by).await.unwrap(), MemberChange::Done);
    for each in &by_removed {
        let back = store.accept_invitation(each.secret, &Joining::Known(id.clone())).await.unwrap();
        assert_eq!(back, Joined::Gone);
    }
    assert_eq!(store.memberships(id).await.unwrap(), [(other.org, Role::Admin)]);
    assert_eq!(store.invitations(other.org).await.unwrap(), [elsewhere]);
    let told = store.audit(tenant.org, None, 2).await.unwrap();
    for (entry, invitation) in told.iter().zip(by_removed.iter().rev()) {
        assert_eq!(
            (entry.action.as_str(), &entry.subject),
            ("invitation.revoked", &invitation.id.to_string())
        );
        assert_eq!(entry.actor, Some(tenant.user.clone()));
    }

    let id = &demoted.user.id;
    assert_eq!(store.set_role(tenant.org, id, Role::Operator, by).await.unwrap(), MemberChange::Done);
    assert_eq!(store.invitation(by_demoted.secret).await.unwrap(), None);
    assert_eq!(store.invitations(tenant.org).await.unwrap(), [by_other]);
    assert_eq!(actions(&world, &tenant).await[..2], ["invitation.revoked", "member.role_changed"]);
    let late = store.invite(&of(&tenant, id)).await;
    assert!(matches!(late, Err(StoreError::Missing(_))), "{late:?}");
}

/// Connections, and sign-ins that were confirmed and not fetched.
pub async fn who_leaves_loses_what_acts_for_them_there(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    world
        .store
        .add_member(other.org, &member(&world, &tenant, Role::Operator).await, Role::Operator, None)
        .await
        .unwrap();
    let org = world.store.org(tenant.org).await.unwrap().unwrap();
    let user = org.members[1].user.id.clone();
    let (here, there) =
        (Tenant { user: user.clone(), ..tenant.clone() }, Tenant { user: user.clone(), ..other });
    let (lost, kept) = (world.connection(&here), world.connection(&there));
    for each in [&lost, &kept] {
        world.store.connect(each).await.unwrap();
    }
    let grant = world.grant("KDRT-PWMN");
    world.store.begin_grant(&grant).await.unwrap();
    let yes = Consent::Yes { user: user.clone(), org: tenant.org };
    assert!(world.store.decide_grant(grant.id, &yes).await.unwrap());
    let left = world.store.remove_member(tenant.org, &user, Some(&tenant.user)).await.unwrap();
    assert_eq!(left, MemberChange::Done);
    assert_eq!(world.store.connection_by_refresh_token(lost.refresh_token).await.unwrap(), None);
    assert!(world.store.connection_by_refresh_token(kept.refresh_token).await.unwrap().is_some());
    let offered = world.connection(&here);
    let answer = world.store.poll_grant(grant.device_code, Millis(0), &offered).await.unwrap();
    assert_eq!(answer, None);
    let told = world.store.audit(tenant.org, None, 1).await.unwrap().remove(0);
    assert_eq!((told.action.as_str(), &told.subject), ("member.removed", &user.0));
    assert_eq!((told.actor, told.at), (Some(tenant.user), world.now()));
}

/// In an organization or a user's own; with when they were used; until they are ended.
pub async fn connections_are_listed_renamed_and_ended(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let grace = member(&world, &tenant, Role::Operator).await.user.id;
    let theirs = Tenant { user: grace.clone(), ..tenant.clone() };
    let store = &world.store;
    let mut mine = world.connection(&tenant);
    mine.kind = ConnectionKind::ApiKey;
    mine.api_key = Some(world.secret());
    store.connect(&mine).await.unwrap();
    world.clock.advance(MINUTE);
    let graces = world.connection(&theirs);
    store.connect(&graces).await.unwrap();
    store.connect(&world.connection(&other)).await.unwrap();
    let list = |of: Option<UserId>| async move {
        let found = store.connections(&[tenant.org], of.as_ref(), None, 10).await.unwrap();
        found.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(list(None).await, [graces.id, mine.id]);
    assert_eq!(list(Some(grace.clone())).await, [graces.id]);
    assert!(store.connections(&[], None, None, 10).await.unwrap().is_empty());

    let one = || async { store.connection(mine.id).await.unwrap() };
    let listed = one().await.unwrap();
    assert_eq!((listed.kind, listed.last_used_at), (ConnectionKind::ApiKey, None));
    assert_eq!((listed.user.id, listed.created_at), (tenant.user.clone(), mine.created_at));
    let first = world.now();
    store.connection_by_api_key(mine.api_key.unwrap()).await.unwrap();
    assert_eq!(one().await.unwrap().last_used_at, Some(first));
    world.clock.advance(Millis(59_999));
    store.connection_by_refresh_token(mine.refresh_token).await.unwrap();
    assert_eq!(one().await.unwrap().last_used_at, Some(first), "noted once a minute");
    world.clock.advance(Millis(1));
    store.connection_by_refresh_token(mine.refresh_token).await.unwrap();
    assert_eq!(one().await.unwrap().last_used_at, Some(world.now()));

    let by = Some(&tenant.user);
    assert!(!store.rename_connection(other.org, mine.id, "stolen", by).await.unwrap());
    assert!(store.rename_connection(tenant.org, mine.id, "till", by).await.unwrap());
    assert_eq!(one().await.unwrap().name, "till");
    assert!(!store.end_connection(other.org, mine.id, by).await.unwrap());
    assert!(store.end_connection(tenant.org, mine.id, by).await.unwrap());
    assert!(!store.end_connection(tenant.org, mine.id, by).await.unwrap());
    assert!(!store.rename_connection(tenant.org, mine.id, "late", by).await.unwrap());
    assert_eq!(one().await, None);
    assert_eq!(list(None).await, [graces.id]);
    assert_eq!(store.connection_by_api_key(mine.api_key.unwrap()).await.unwrap(), None);
    assert_eq!(store.connection_by_refresh_token(mine.refresh_token).await.unwrap(), None);
    assert_eq!(actions(&world, &tenant).await[..2], ["connection.revoked", "connection.renamed"]);
}

/// Newest first, page after page, also those of one moment; a page begins after one that was revoked, too.
pub async fn connections_are_listed_page_by_page(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let store = &world.store;
    let mut all = Vec::new();
    for at in 0..5 {
        // The second and the third, and the fourth and the fifth, are of one moment.
        world.clock.advance(Millis(at % 2));
        let made = world.connection(&tenant);
        store.connect(&made).await.unwrap();
        all.insert(0, made.id);
    }
    let theirs = world.connection(&other);
    store.connect(&theirs).await.unwrap();
    let list = |before, limit| async move {
        let found = store.connections(&[tenant.org], None, before, limit).await.unwrap();
        found.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    let mut read = Vec::new();
    let mut before = None;
    loop {
        let page = list(before, 2).await;
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        before = Some(*last);
        read.extend(page);
    }
    assert_eq!(read, all);
    assert!(store.end_connection(tenant.org, all[1], None).await.unwrap());
    assert_eq!(list(Some(all[1]), 10).await, all[2..]);
    assert!(list(Some(theirs.id), 10).await.is_empty());
    assert!(list(Some(ConnectionId(world.id())), 10).await.is_empty());
}

/// Newest first, page after page, each organization its own; also of what people say to devices.
pub async fn the_audit_is_read_page_by_page(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    for (at, code) in ["KDRT-PWMN", "KDRT-PWMM", "KDRT-PWMP"].into_iter().enumerate() {
        let grant = world.grant(code);
        world.store.begin_grant(&grant).await.unwrap();
        let consent = match at {
            0 => Consent::Yes { user: tenant.user.clone(), org: tenant.org },
            1 => Consent::No { by: Some((tenant.user.clone(), tenant.org)) },
            _ => Consent::No { by: None },
        };
        assert!(world.store.decide_grant(grant.id, &consent).await.unwrap());
    }
    let made = world.connection(&tenant);
    world.store.connect(&made).await.unwrap();
    world.store.revoke(made.refresh_token).await.unwrap();
    world.store.connect(&world.connection(&other)).await.unwrap();
    let all = ["connection.revoked", "connection.made", "device.denied", "device.confirmed"];
    assert_eq!(actions(&world, &tenant).await, all);
    let mut read = Vec::new();
    let mut before = None;
    loop {
        let page = world.store.audit(tenant.org, before, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        assert!(
            page.iter().all(|entry| entry.org == tenant.org && entry.actor.as_ref() == Some(&tenant.user))
        );
        read.extend(page.into_iter().map(|entry| entry.action));
    }
    assert_eq!(read, all);
    let theirs = world.store.audit(other.org, None, 10).await.unwrap();
    assert_eq!(theirs[0].action, "connection.made");
    assert!(world.store.audit(tenant.org, Some(theirs[0].id), 10).await.unwrap().is_empty());
    assert!(world.store.audit(tenant.org, Some(AuditId(world.id())), 10).await.unwrap().is_empty());
}

/// Connections, invitations and sessions that have long been over; what is open stays, and so does the audit of all.
pub async fn access_that_is_long_over_is_forgotten(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let store = &world.store;
    let (kept, ended) = (world.connection(&tenant), world.connection(&tenant));
    for connection in [&kept, &ended] {
        store.connect(connection).await.unwrap();
    }
    store.revoke(ended.refresh_token).await.unwrap();
    let (mut open, over, taken_back) = (
        invitation(&world, &tenant, None),
        invitation(&world, &tenant, None),
        invitation(&world, &tenant, None),
    );
    let keeping = Keeping { deliveries: MINUTE, access: Millis::seconds(90 * 24 * 3600) };
    open.expires_at = world.now() + keeping.access + keeping.access;
    for each in [&open, &over, &taken_back] {
        store.invite(each).await.unwrap();
    }
    store.revoke_invitation(tenant.org, taken_back.id, Some(&tenant.user)).await.unwrap();
    store.open_session(&session(&world, &tenant.user)).await.unwrap();
    let audit = actions(&world, &tenant).await;
    world.clock.advance(keeping.access);
    assert_eq!(store.sweep(keeping).await.unwrap(), Swept::default());
    world.clock.advance(Millis(1));
    assert_eq!(
        store.sweep(keeping).await.unwrap(),
        Swept { connections: 1, invitations: 1, ..Swept::default() }
    );
    world.clock.advance(Millis::seconds(30 * 24 * 3600));
    assert_eq!(
        store.sweep(keeping).await.unwrap(),
        Swept { invitations: 1, sessions: 1, ..Swept::default() }
    );
    assert_eq!(store.sweep(keeping).await.unwrap(), Swept::default());
    assert!(store.connection_by_refresh_token(kept.refresh_token).await.unwrap().is_some());
    assert_eq!(store.invitations(tenant.org).await.unwrap(), [open]);
    assert_eq!(actions(&world, &tenant).await, audit);
}

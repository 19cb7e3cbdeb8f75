//! Behaviours of lists: filters, orders and cursors find what the same rows give without a database.

use std::collections::BTreeSet;
use std::fmt::Debug;

use domain::asset::{Asset, AssetSource, Folder, StoredFile};
use domain::batch::BatchRef;
use domain::delivery::{About, DeliveryFilter, Disposition, Report as Answer};
use domain::evaluation::{Asked, Evaluation, EvaluationState, Opinion, Report};
use domain::event;
use domain::filter::{
    Cursor, Decimal, Direction, Expr, Kind, Leaf, Listing, Pattern, Relation, Sort, Test, Value,
};
use domain::id::{
    AssetId, EntryId, EvaluationId, EventId, FolderId, LeaseToken, OrgId, RunId, SecretId, SubscriptionId,
};
use domain::image::FileName;
use domain::page::Window;
use domain::request::{Face, From, Origin, Request, Source};
use domain::run::{Failure, Fault, Feedback, Outcome, RetryPolicy, State, Status, StepReport, Terms};
use domain::subscription::{CallbackSecret, Subscription};
use domain::time::{Millis, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::Empty;
use super::fixture::{LEASE, Tenant, World};
use crate::{
    Admitted, AssetField, AttemptField, BatchField, DeliveryField, EvaluationField, Filed, Filing,
    FolderField, Listed, ListedAttempt, ListedStep, LogField, Measured, NewBatch, NewEvaluation, NewRun,
    REFERENCE, RunField, SecretField, Settlement, StepField, SubscriptionField, Taking,
};

/// More than there are of anything here.
const ALL: u32 = 200;

/// What a filter may compare a field with: values that are there, and one that is not.
fn values<T: Listed>(rows: &[T], field: T::Field, kind: Kind) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for value in rows.iter().filter_map(|row| row.value(field)) {
        assert!(value.is_of(kind), "{value:?} is no {kind:?}");
        if values.len() < 5 && !values.contains(&value) {
            values.push(value);
        }
    }
    values.push(match kind {
        Kind::Text | Kind::Status => Value::Text("mug".to_owned()),
        Kind::Number => Value::Number("0.5".parse::<Decimal>().unwrap()),
        Kind::Time => Value::Time(Timestamp(1)),
        Kind::Bool => Value::Bool(true),
        Kind::Id => Value::Id(Uuid::from_u128(1)),
    });
    values
}

/// Every test of one field.
fn tests(values: &[Value], kind: Kind) -> Vec<Test> {
    let ordered = !matches!(kind, Kind::Bool | Kind::Status);
    let relations = Relation::ALL.into_iter().filter(|relation| ordered || relation.is_equality());
    let mut tests: Vec<Test> = relations
        .flat_map(|relation| values.iter().map(move |value| Test::Is(relation, value.clone())))
        .collect();
    tests.extend([
        Test::IsNull,
        Test::In(values.to_vec()),
        Test::In(values[..1].to_vec()),
        Test::In(Vec::new()),
    ]);
    if kind == Kind::Text {
        tests.extend(["%a%", "_u%", "", "a\\%%"].map(|pattern| Test::Like(Pattern::parse(pattern))));
    }
    tests
}

/// Holds a list against the rows that it is of: every filter on every field, every order, both ways, page by page.
async fn compare<T>(
    rows: Vec<T>,
    fields: &[T::Field],
    kind: impl Fn(T::Field) -> Kind,
    list: impl AsyncFn(Listing<T::Field>) -> Leaf<T>,
) where
    T: Listed + Clone + PartialEq + Debug,
    T::Field: PartialEq + Debug,
{
    assert!(!rows.is_empty() && rows.len() < ALL as usize, "there is something to list: {}", rows.len());
    let meant = |listing: &Listing<T::Field>| {
        listing.of_all(rows.clone(), T::list_id, |row, field| row.value(*field))
    };
    let ids = |leaf: &Leaf<T>| leaf.entries.iter().map(T::list_id).collect::<Vec<_>>();
    let by = |field: T::Field, descending| Sort { field, kind: kind(field), descending };
    let (first, last) = (fields[0], fields[fields.len() - 1]);
    let whole = Listing { filter: None, sorts: vec![by(first, false)], from: None, limit: ALL };
    assert_eq!(list(whole.clone()).await, meant(&whole), "entries read back as they are");

    for field in fields {
        for test in tests(&values(&rows, *field, kind(*field)), kind(*field)) {
            let expr = Expr::Compare { field: *field, test };
            let other = Expr::none_of(Expr::is(last, values(&rows, last, kind(last)).remove(0)));
            let among = Expr::And(vec![other.clone(), expr.clone()]);
            for filter in [expr.clone(), Expr::none_of(expr.clone()), among, Expr::Or(vec![expr, other])] {
                // Two pages of it, which is where an order that no index has would show.
                for descending in [false, true] {
                    let filter = Some(filter.clone());
                    let mut listing =
                        Listing { filter, sorts: vec![by(last, descending)], from: None, limit: 3 };
                    for _ in 0..2 {
                        let (found, wanted) = (list(listing.clone()).await, meant(&listing));
                        assert_eq!(ids(&found), ids(&wanted), "{listing:?}");
                        assert_eq!(
                            (&found.next, &found.previous),
                            (&wanted.next, &wanted.previous),
                            "{listing:?}"
                        );
                        listing.from = found.next;
                        if listing.from.is_none() {
                            break;
                        }
                    }
                }
            }
        }
    }

    for field in fields {
        for sorts in [
            vec![by(*field, false)],
            vec![by(*field, true)],
            vec![by(last, true), by(*field, false)],
            vec![by(*field, true), by(first, false)],
        ] {
            walk(&rows, sorts, &list).await;
        }
    }
    walk(&rows, Vec::new(), &list).await;
}

/// To the end of a list and back.
async fn walk<T>(rows: &[T], sorts: Vec<Sort<T::Field>>, list: &impl AsyncFn(Listing<T::Field>) -> Leaf<T>)
where
    T: Listed + Clone + PartialEq + Debug,
    T::Field: PartialEq + Debug,
{
    let mut listing = Listing { filter: None, sorts, from: None, limit: 4 };
    let mut pages = Vec::new();
    loop {
        let leaf = list(listing.clone()).await;
        let wanted = listing.of_all(rows.to_vec(), T::list_id, |row, field| row.value(*field));
        assert_eq!(leaf, wanted, "{listing:?}");
        pages.push(leaf.entries);
        listing.from = leaf.next;
        if listing.from.is_none() {
            listing.from = leaf.previous;
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).sum::<usize>(), rows.len());
    pages.pop();
    while listing.from.is_some() {
        let leaf = list(listing.clone()).await;
        assert_eq!(Some(leaf.entries), pages.pop(), "{listing:?}");
        listing.from = leaf.previous;
    }
    assert!(pages.is_empty());
}

fn request(target: &str) -> Request {
    Request {
        face: Face("runflow".to_owned()),
        target: target.to_owned(),
        input: json!({ "image_url": "https://img.test/1.jpg" }),
        metadata: json!({ "sku": 17 }),
        origin: Origin::Single,
        request_id: None,
        repeats: None,
        before: Vec::new(),
        evaluate: false,
    }
}

fn step(component: &str, millis: f64, cached: bool) -> StepReport {
    let notes = if cached { Vec::new() } else { vec![format!("{component} is not sure")] };
    StepReport {
        label: component.to_owned(),
        component: component.to_owned(),
        version: 1,
        millis,
        cached,
        notes,
        ..StepReport::default()
    }
}

fn outcome(world: &World, millis: f64) -> Settlement {
    let made_by =
        vec![step("input", 0.0, true), step("dropShadow", millis, false), step("export", 12.5, false)];
    Settlement::Succeeded(Outcome { made_by, ..world.outcome() })
}

fn failed_at_export() -> Settlement {
    let error = Some("it is too large".to_owned());
    let made_by = vec![step("input", 0.5, false), StepReport { error, ..step("export", 3.0, false) }];
    let failure = Failure { made_by, ..Failure::new("result_too_large", "it is too large", Fault::Input) };
    Settlement::Failed { failure, policy: RetryPolicy::default(), chance: 0.5 }
}

/// A batch of four runs that is asked for as a whole; the last of them failed before it began.
fn filing(world: &World, tenant: &Tenant) -> Filing {
    let handle = world.id();
    let runs = (0..4).map(|place| {
        let mut new = world.new_run(tenant);
        new.run.place = Some(place);
        new.run.terms = Terms::ForSuccess;
        new.run.request = Some(Request { origin: Origin::Batch, ..request("runflow/b") });
        new.failure = (place == 3).then(|| Failure::new("validation", "it says nothing", Fault::Input));
        new
    });
    let batch = NewBatch {
        handle,
        name: "mugs".to_owned(),
        request: request("runflow/b"),
        webhooks: vec!["https://a.test/batch".to_owned()],
        event: EventId(world.id()),
    };
    Filing { at: world.now(), runs: runs.collect(), batch: Some(batch), answer: None }
}

/// Runs in every status, with and without what may be missing, some of them made at the same moment.
async fn history(world: &World, tenant: &Tenant) -> Vec<RunId> {
    let mut reviewing = tenant.clone();
    reviewing.workflow = world.workflow(tenant.org, &tenant.user, "With a check", 10);
    reviewing.workflow.version.needs_review = true;
    world.store.save_workflow(&reviewing.workflow).await.unwrap();
    let mut runs = Vec::new();
    for nth in 0..12_usize {
        if nth % 3 == 0 {
            world.clock.advance(Millis(10));
        }
        let mut new: NewRun = world.new_run(if nth % 4 == 3 { &reviewing } else { tenant });
        if nth % 3 == 1 {
            new.run.input_name = FileName::clean("Mug a%b.png");
        }
        if let Some(reference) = [Some("a"), None, Some("a'b"), Some("mug")][nth % 4] {
            new.run.labels.insert(REFERENCE.to_owned(), reference.to_owned());
            new.run.labels.insert("other".to_owned(), "a".to_owned());
        }
        if nth % 4 != 1 {
            new.run.request = Some(request(["runflow/a", "runflow/b"][nth % 2]));
        }
        if nth % 5 < 2 {
            let id = ["order 7", "0195f000-0000-7000-8000-00000000000a"][nth % 2].to_owned();
            new.batch = Some(BatchRef { id, name: format!("order {nth}"), created_at: None });
        }
        new.run.webhooks = (0..nth % 3).map(|each| format!("https://{each}.test/")).collect();
        world.store.accept(&new).await.unwrap();
        runs.push(new.run.id);
    }
    for nth in [0, 3, 7] {
        let feedback = Feedback { thumbs_up: nth > 0, expected: Vec::new(), reason: None };
        assert!(world.store.give_feedback(&[tenant.org], runs[nth], &feedback).await.unwrap());
    }
    world.clock.advance(Millis(100));
    let mut millis = 0.4;
    for claim in world.claim(8).await {
        world.clock.advance(Millis(7));
        match runs.iter().position(|run| *run == claim.run.id) {
            Some(4) => drop(world.settle(claim.token, &failed_at_export()).await),
            Some(5) => {}
            _ => drop(world.settle(claim.token, &outcome(world, millis)).await),
        }
        millis *= 2.0;
    }
    let cancelled = EventId(world.id());
    world.store.cancel(&[tenant.org], runs[8], &tenant.user, Some("by mistake"), cancelled).await.unwrap();
    world.store.grant(tenant.org, EntryId(world.id()), 60).await.unwrap();
    for _ in 0..2 {
        world.clock.advance(Millis(3));
        let filing = filing(world, tenant);
        assert_eq!(world.store.file(&filing).await.unwrap(), Filed::Done);
        runs.extend(filing.runs.iter().map(|new| new.run.id));
    }
    runs
}

/// Two organizations with such a history each, and with credits for ten runs at its beginning.
async fn two(make: impl Fn() -> Empty) -> (World, [(Tenant, Vec<RunId>); 2]) {
    let (world, ours) = World::founded(make(), 10).await;
    subscribe(&world, &ours).await;
    let our_runs = history(&world, &ours).await;
    while !world.claim(20).await.is_empty() {}
    let theirs = world.tenant("Other", 10).await;
    subscribe(&world, &theirs).await;
    let their_runs = history(&world, &theirs).await;
    (world, [(ours, our_runs), (theirs, their_runs)])
}

async fn subscribe(world: &World, tenant: &Tenant) {
    let kinds = [
        BTreeSet::from([event::Kind::RunSucceeded, event::Kind::RunFailed]),
        BTreeSet::from([event::Kind::RunSucceeded, event::Kind::RunInReview, event::Kind::RunUnpaid]),
        BTreeSet::from([event::Kind::RunCancelled]),
    ];
    for (nth, kinds) in (0..).zip(kinds) {
        let disabled_at = (nth == 2).then(|| world.now() + Millis(5));
        let subscription = Subscription {
            id: SubscriptionId(world.id()),
            org: tenant.org,
            face: Face("runflow".to_owned()),
            address: format!("https://hooks.test/a{}", nth % 2),
            kinds,
            secret: vec![1, 2, 3],
            fingerprint: "f00d".to_owned(),
            disabled_at,
            last_event_at: None,
            created_at: world.now(),
            updated_at: world.now(),
        };
        world.store.subscribe(&subscription, &tenant.user).await.unwrap();
    }
}

/// What an organization's lists are asked for.
fn plain<F>(sorts: Vec<Sort<F>>) -> Listing<F> {
    Listing { filter: None, sorts, from: None, limit: ALL }
}

/// Every field of a run, in every status there is.
pub async fn runs_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, tenants) = two(make).await;
    for (tenant, ids) in &tenants {
        let mut runs = Vec::new();
        for id in ids {
            runs.push(world.run(tenant, *id).await);
        }
        let statuses: BTreeSet<_> = runs.iter().map(|run| run.state.status()).collect();
        if tenant.org == tenants[1].0.org {
            assert_eq!(statuses, BTreeSet::from(Status::ALL), "one in each status");
        }
        compare(runs, RunField::ALL, RunField::kind, async |listing| {
            world.store.list_runs(tenant.org, &listing).await.unwrap()
        })
        .await;
    }
}

/// Every field of a batch: of those that may grow, and of those that are whole.
pub async fn batches_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, tenants) = two(make).await;
    for (tenant, _) in &tenants {
        let batches =
            world.store.batches(tenant.org, None, Window { limit: ALL, offset: 0 }).await.unwrap().entries;
        assert!(batches.len() >= 4 && batches.iter().any(|batch| batch.size.is_some()));
        compare(batches, BatchField::ALL, BatchField::kind, async |listing| {
            world.store.list_batches(tenant.org, &listing).await.unwrap()
        })
        .await;
    }
}

/// A batch is queued until one of its runs is not, and running until none of them is under way.
pub async fn a_batch_is_found_by_where_it_stands(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 30).await;
    let ended = |failing: usize, cancelling: usize| {
        let (world, tenant) = (&world, &tenant);
        async move {
            let mut filing = filing(world, tenant);
            filing.runs.pop();
            let handle = filing.batch.as_ref().unwrap().handle;
            world.store.file(&filing).await.unwrap();
            let status = async || {
                let one = Some(Expr::is(BatchField::Id, Value::Id(handle)));
                let listing = Listing { filter: one, ..plain(Vec::new()) };
                let found = world.store.list_batches(tenant.org, &listing).await.unwrap().entries.remove(0);
                let named = Value::Text(found.status().as_str().to_owned());
                assert_eq!(found.value(BatchField::Status), Some(named.clone()));
                let filter = Some(Expr::And(vec![
                    Expr::is(BatchField::Id, Value::Id(handle)),
                    Expr::is(BatchField::Status, named),
                ]));
                let listing = Listing { filter, ..plain(Vec::new()) };
                assert_eq!(
                    world.store.list_batches(tenant.org, &listing).await.unwrap().entries,
                    std::slice::from_ref(&found)
                );
                found.status().as_str()
            };
            let mut seen = vec![status().await];
            for (nth, new) in filing.runs.iter().enumerate() {
                if nth < cancelling {
                    let event = EventId(world.id());
                    world.store.cancel(&[tenant.org], new.run.id, &tenant.user, None, event).await.unwrap();
                }
            }
            for (nth, claim) in world.claim(10).await.into_iter().enumerate() {
                seen.push(status().await);
                let how = if nth < failing { world.failure(Fault::Input) } else { world.success() };
                world.settle(claim.token, &how).await;
            }
            seen.push(status().await);
            seen.dedup();
            seen
        }
    };
    assert_eq!(ended(0, 0).await, ["queued", "running", "succeeded"]);
    assert_eq!(ended(1, 0).await, ["queued", "running", "partly_succeeded"]);
    assert_eq!(ended(0, 2).await, ["queued", "running", "partly_succeeded"]);
    assert_eq!(ended(3, 0).await, ["queued", "running", "failed"]);
    assert_eq!(ended(1, 2).await, ["queued", "running", "failed"]);
    assert_eq!(ended(0, 3).await, ["queued", "cancelled"]);
}

async fn evaluations(world: &World, tenant: &Tenant, runs: &[RunId]) -> Vec<EvaluationId> {
    world.store.grant(tenant.org, EntryId(world.id()), 100).await.unwrap();
    let mut ids = Vec::new();
    for nth in 0..9_usize {
        world.clock.advance(Millis((nth % 2) as i64));
        let picture = Source {
            slot: String::new(),
            from: From::Address("https://img.test/1.jpg".to_owned()),
            member: None,
        };
        let evaluation = Evaluation {
            id: EvaluationId(world.id()),
            org: tenant.org,
            user: tenant.user.clone(),
            run: (nth % 3 > 0).then(|| runs[nth % 3]),
            asked: Asked {
                task: ["product_photography", "mug"][nth % 2].to_owned(),
                picture,
                references: Vec::new(),
                details: json!({}),
                limits: json!({}),
            },
            face: Face("runflow".to_owned()),
            client_ref: [None, Some("a"), Some("mug")][nth % 3].map(str::to_owned),
            webhooks: Vec::new(),
            price: 1,
            charged: 0,
            created_at: world.now(),
            updated_at: world.now(),
            opinion: None,
            state: EvaluationState::Pending,
        };
        ids.push(evaluation.id);
        let new = NewEvaluation { evaluation, entry: EntryId(world.id()), answer: None };
        assert_eq!(world.store.accept_evaluation(&new).await.unwrap(), Admitted::Pending);
    }
    let tokens: Vec<_> = (0..6).map(|_| LeaseToken(world.id())).collect();
    let events: Vec<_> = (0..6).map(|_| EventId(world.id())).collect();
    let policy = RetryPolicy::default();
    let claims =
        world.store.claim_evaluations(&world.worker(), LEASE, policy, &tokens, &events).await.unwrap();
    assert_eq!(claims.len(), 6);
    for (nth, claim) in claims.into_iter().enumerate() {
        world.clock.advance(Millis(5));
        let how = match nth {
            0 => continue,
            1 => {
                let failure = Failure::new("no_picture", "it is gone", Fault::Input);
                Measured::Failed { failure, policy, chance: 0.5 }
            }
            _ => {
                let score = [0.0, 1.0, 0.62, 0.1 + 0.2, 2.0 / 3.0, 0.007_812_5][nth];
                Measured::Completed(Box::new(Report { passed: nth % 2 == 0, score, ..Report::default() }))
            }
        };
        world.store.settle_evaluation(claim.token, EventId(world.id()), &how).await.unwrap();
        if nth > 3 {
            let opinion = Opinion { is_positive: nth == 4, reason: None };
            world.store.give_opinion(tenant.org, claim.evaluation.id, Some(&opinion)).await.unwrap();
        }
    }
    ids
}

/// Every field of an evaluation, in every state.
pub async fn evaluations_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, ours) = World::founded(make(), 10).await;
    let theirs = world.tenant("Other", 10).await;
    for tenant in [&ours, &theirs] {
        let runs = [world.accepted(tenant).await, world.accepted(tenant).await, world.accepted(tenant).await];
        let ids = evaluations(&world, tenant, &runs).await;
        let mut all = Vec::new();
        for id in ids {
            all.push(world.store.evaluation(tenant.org, id).await.unwrap().expect("it is there"));
        }
        compare(all, EvaluationField::ALL, EvaluationField::kind, async |listing| {
            world.store.list_evaluations(tenant.org, &listing).await.unwrap()
        })
        .await;
        // What is claimed of one organization is out of the way of the other.
        world.clock.advance(Millis(1));
        let tokens: Vec<_> = (0..20).map(|_| LeaseToken(world.id())).collect();
        let policy = RetryPolicy::default();
        let events: Vec<_> = (0..20).map(|_| EventId(world.id())).collect();
        world.store.claim_evaluations(&world.worker(), LEASE, policy, &tokens, &events).await.unwrap();
    }
}

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

/// Every field of a subscription and of a secret.
pub async fn subscriptions_and_secrets_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, ours) = World::founded(make(), 3).await;
    let theirs = world.tenant("Other", 3).await;
    for tenant in [&ours, &theirs] {
        subscribe(&world, tenant).await;
        world.clock.advance(Millis(3));
        world.accepted(tenant).await;
        let claim = world.claim_one().await;
        world.settle(claim.token, &world.success()).await;
        let mut secrets = Vec::new();
        for nth in 0..5_usize {
            let secret = CallbackSecret {
                id: SecretId(world.id()),
                org: tenant.org,
                label: [None, Some("mug"), Some("A")][nth % 3].map(str::to_owned),
                prefix: format!("whsec_a{nth}"),
                secret: vec![7],
                is_current: false,
                last_used_at: None,
                created_at: world.now(),
                updated_at: world.now(),
            };
            secrets.push(world.store.add_secret(&secret, &tenant.user).await.unwrap());
            world.clock.advance(Millis((nth % 2) as i64));
        }
        compare(secrets, SecretField::ALL, SecretField::kind, async |listing| {
            world.store.list_secrets(tenant.org, &listing).await.unwrap()
        })
        .await;
        let all = world.store.list_subscriptions(tenant.org, &plain(Vec::new())).await.unwrap().entries;
        assert_eq!((all.len(), all.iter().filter(|each| each.last_event_at.is_some()).count()), (3, 2));
        for each in &all {
            let read = world.store.subscription(tenant.org, each.id).await.unwrap();
            assert_eq!(read.as_ref(), Some(each));
        }
        compare(all, SubscriptionField::ALL, SubscriptionField::kind, async |listing| {
            world.store.list_subscriptions(tenant.org, &listing).await.unwrap()
        })
        .await;
    }
}

/// Takes every delivery that is due; some are taken, some are not, some are given up.
async fn send(world: &World) {
    for _ in 0..3 {
        world.clock.advance(Millis::seconds(60));
        let tokens = (0..200).map(|_| LeaseToken(world.id())).collect();
        let taking = Taking {
            tokens,
            lease: LEASE,
            per_org: 500,
            per_receiver: 500,
            busy: std::collections::BTreeMap::new(),
            after: None,
        };
        for (nth, taken) in world.store.take_deliveries(&taking).await.unwrap().into_iter().enumerate() {
            world.clock.advance(Millis((nth % 2) as i64));
            let (status, error, disposition) = match nth % 4 {
                0 => (Some(200), None, Disposition::Delivered),
                1 => (Some(500), Some("http_error"), Disposition::Again(Millis::seconds(30))),
                2 => (None, Some("timed_out"), Disposition::GivenUp),
                _ => continue,
            };
            let error = error.map(str::to_owned);
            let answer = Answer { took: Millis(nth as i64), status, error, answer: "said".to_owned() };
            assert!(world.store.settle_delivery(taken.token, &answer, disposition).await.unwrap());
        }
    }
}

/// Every field of a delivery and of an attempt, of all subscriptions and of one; callbacks are not among them.
pub async fn deliveries_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, tenants) = two(make).await;
    send(&world).await;
    let mut waiting = 0;
    for (tenant, runs) in &tenants {
        let listed = world.store.deliveries(tenant.org, &DeliveryFilter::default(), ALL, None).await.unwrap();
        let (mut all, mut attempts, mut callbacks) = (Vec::new(), Vec::new(), Vec::new());
        for delivery in listed.entries {
            let (delivery, made) =
                world.store.delivery(&[tenant.org], delivery.id).await.unwrap().expect("there");
            if delivery.subscription.is_none() {
                callbacks.push((delivery, made));
                continue;
            }
            let last = made.len();
            for (nth, attempt) in made.into_iter().enumerate() {
                let next_at = match delivery.state {
                    domain::delivery::DeliveryState::Pending { due_at } if nth + 1 == last => Some(due_at),
                    _ => None,
                };
                attempts.push(ListedAttempt { delivery: delivery.id, attempt, next_at });
            }
            all.push(delivery);
        }
        assert!(!callbacks.is_empty());
        waiting += attempts.iter().filter(|attempt| attempt.next_at.is_some()).count();
        let of = all[0].subscription.expect("of a subscription");
        let of_one: Vec<_> =
            all.iter().filter(|delivery| delivery.subscription == Some(of)).cloned().collect();
        for (subscription, rows) in [(None, all.clone()), (Some(of), of_one)] {
            compare(rows, DeliveryField::ALL, DeliveryField::kind, async |listing| {
                world.store.list_deliveries(tenant.org, subscription, &listing).await.unwrap()
            })
            .await;
        }
        let most = all.iter().max_by_key(|delivery| delivery.attempts).expect("some").id;
        let of_one: Vec<_> = attempts.iter().filter(|attempt| attempt.delivery == most).cloned().collect();
        for (delivery, rows) in [(None, attempts.clone()), (Some(most), of_one)] {
            compare(rows, AttemptField::ALL, AttemptField::kind, async |listing| {
                world.store.list_attempts(tenant.org, delivery, &listing).await.unwrap()
            })
            .await;
        }
        let mut told = Vec::new();
        for run in runs {
            let about = world.store.callbacks(tenant.org, About::Run(*run)).await.unwrap();
            assert!(about.is_sorted_by_key(|(delivery, _)| (delivery.event.at, delivery.id)));
            told.extend(about);
        }
        callbacks.sort_by_key(|(delivery, _)| delivery.id);
        told.sort_by_key(|(delivery, _)| delivery.id);
        assert_eq!(told, callbacks);
    }
    assert!(waiting > 0, "some are tried again");
    let [(ours, _), (theirs, their_runs)] = &tenants;
    for run in their_runs {
        assert_eq!(world.store.callbacks(ours.org, About::Run(*run)).await.unwrap(), []);
    }
    let listed = world.store.list_deliveries(theirs.org, None, &plain(Vec::new())).await.unwrap().entries;
    for delivery in listed {
        let found = world.store.list_attempts(ours.org, Some(delivery.id), &plain(Vec::new())).await.unwrap();
        assert_eq!(found.entries, []);
        let found =
            world.store.list_deliveries(ours.org, delivery.subscription, &plain(Vec::new())).await.unwrap();
        assert_eq!(found.entries, []);
    }
}

/// The end of a batch is told once, and that is among its callbacks.
pub async fn a_batch_has_its_callback(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 10).await;
    let filing = filing(&world, &tenant);
    let handle = filing.batch.as_ref().unwrap().handle;
    world.store.file(&filing).await.unwrap();
    assert_eq!(world.store.callbacks(tenant.org, About::Batch(handle)).await.unwrap(), []);
    for claim in world.claim(10).await {
        world.settle(claim.token, &world.success()).await;
    }
    let told = world.store.callbacks(tenant.org, About::Batch(handle)).await.unwrap();
    let addresses: Vec<_> = told.iter().map(|(delivery, _)| delivery.address.as_str()).collect();
    assert_eq!(addresses, ["https://a.test/batch"]);
    assert_eq!(world.store.callbacks(OrgId(world.id()), About::Batch(handle)).await.unwrap(), []);
}

/// Every field of a line, of all runs and of one.
pub async fn logs_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, tenants) = two(make).await;
    for (tenant, runs) in &tenants {
        let all = world.store.list_logs(tenant.org, None, &plain(Vec::new())).await.unwrap().entries;
        assert!(all.iter().all(|line| line.org == tenant.org && runs.contains(&line.run)));
        assert!(all.iter().any(|line| line.message == "cancelled"));
        let run = all.iter().find(|line| line.message == "made its result").expect("of a result").run;
        let of_one: Vec<_> = all.iter().filter(|line| line.run == run).cloned().collect();
        assert!(of_one.len() >= 3, "one for each note and one for the result");
        for (run, rows) in [(None, all.clone()), (Some(run), of_one)] {
            compare(rows, LogField::ALL, LogField::kind, async |listing| {
                world.store.list_logs(tenant.org, run, &listing).await.unwrap()
            })
            .await;
        }
    }
    let [(ours, _), (_, their_runs)] = &tenants;
    for run in their_runs {
        assert_eq!(
            world.store.list_logs(ours.org, Some(*run), &plain(Vec::new())).await.unwrap().entries,
            []
        );
    }
}

/// Every field of a step, of all runs that succeeded or failed and of one.
pub async fn steps_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, tenants) = two(make).await;
    for (tenant, runs) in &tenants {
        let mut all = Vec::new();
        for run in runs {
            let (started_at, finished_at, made_by) = match world.run(tenant, *run).await.state {
                State::Succeeded { started_at, finished_at, result } => {
                    (started_at, finished_at, result.made_by)
                }
                State::Failed { started_at, finished_at, failure } => {
                    (started_at, finished_at, failure.made_by)
                }
                _ => continue,
            };
            all.extend((0..).zip(made_by).map(|(place, report)| ListedStep {
                run: *run,
                place,
                started_at,
                finished_at,
                report,
            }));
        }
        assert!(all.iter().any(|step| step.report.error.is_some()), "one of a failure");
        let run = all[0].run;
        let of_one: Vec<_> = all.iter().filter(|step| step.run == run).cloned().collect();
        for (run, rows) in [(None, all.clone()), (Some(run), of_one)] {
            compare(rows, StepField::ALL, StepField::kind, async |listing| {
                world.store.list_steps(tenant.org, run, &listing).await.unwrap()
            })
            .await;
        }
    }
    let [(ours, _), (_, their_runs)] = &tenants;
    for run in their_runs {
        assert_eq!(
            world.store.list_steps(ours.org, Some(*run), &plain(Vec::new())).await.unwrap().entries,
            []
        );
    }
}

/// Who walks a list while others are added meets everything that was there, once and in order; a way back shows what came
/// before.
pub async fn a_walk_goes_on_while_others_come(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 100).await;
    let mut there = Vec::new();
    for _ in 0..10 {
        there.push(world.accepted(&tenant).await);
    }
    for descending in [true, false] {
        let sorts = vec![Sort { field: RunField::CreatedAt, kind: Kind::Time, descending }];
        let mut listing = Listing { limit: 3, ..plain(sorts) };
        let mut seen: Vec<RunId> = Vec::new();
        let first = world.store.list_runs(tenant.org, &listing).await.unwrap();
        let mut leaf = first.clone();
        loop {
            seen.extend(leaf.entries.iter().map(|run| run.id));
            let Some(next) = leaf.next else { break };
            if there.len() < 16 {
                world.clock.advance(Millis(1));
                there.push(world.accepted(&tenant).await);
            }
            listing.from = Some(next);
            leaf = world.store.list_runs(tenant.org, &listing).await.unwrap();
        }
        let mut expected = there.clone();
        if descending {
            expected.truncate(10);
            expected.reverse();
        }
        assert_eq!(seen, expected, "{descending}");
        if descending {
            // What has come since lies before the first page.
            let position = listing.position(first.entries[0].id.0, &|field| first.entries[0].value(*field));
            listing.from = Some(Cursor { position, direction: Direction::Backward });
            let back = world.store.list_runs(tenant.org, &listing).await.unwrap();
            let newer: Vec<_> = there[10..].iter().rev().copied().collect();
            let shown: Vec<_> = back.entries.iter().map(|run| run.id).collect();
            assert_eq!(shown, newer[newer.len().saturating_sub(3)..]);
        }
    }
}

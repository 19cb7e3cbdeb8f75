//! Random histories against a model in memory: whatever is asked in whatever order, the store does what the rules say.

use std::collections::BTreeMap;

use domain::id::{EntryId, EventId, LeaseToken, RunId};
use domain::ledger::Kind;
use domain::page::Window;
use domain::run::{Failure, Fault, RetryPolicy, Status};
use domain::time::{Millis, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::Empty;
use super::fixture::{LEASE, PRICE, Tenant, World};
use crate::{Depth, NewRun, Retried, Settled, Settlement};

const POLICY: RetryPolicy = RetryPolicy {
    max_attempts: 3,
    max_crashes: 2,
    first_pause: Millis::seconds(2),
    longest_pause: Millis::seconds(60),
};

/// One thing asked of the store. Numbers choose among what there is at that moment.
#[derive(Clone, Debug)]
enum Ask {
    Accept { org: usize, delay: i64 },
    AcceptAgain { run: usize },
    Grant { org: usize, credits: u32 },
    Claim { many: usize },
    Renew { lease: usize },
    Settle { lease: usize, how: Option<Fault> },
    HandBack { lease: usize },
    Retry { run: usize, org: usize },
    Pass { millis: i64 },
}

fn ask() -> impl Strategy<Value = Ask> {
    let any = || 0..64_usize;
    let fault = prop_oneof![Just(Fault::Input), Just(Fault::Ours), Just(Fault::Crash)];
    prop_oneof![
        6 => (0..2_usize, prop_oneof![Just(0), 1..3000_i64]).prop_map(|(org, delay)| Ask::Accept { org, delay }),
        1 => any().prop_map(|run| Ask::AcceptAgain { run }),
        2 => (0..2_usize, 1..4 * PRICE).prop_map(|(org, credits)| Ask::Grant { org, credits }),
        6 => (1..5_usize).prop_map(|many| Ask::Claim { many }),
        2 => any().prop_map(|lease| Ask::Renew { lease }),
        6 => (any(), proptest::option::of(fault)).prop_map(|(lease, how)| Ask::Settle { lease, how }),
        1 => any().prop_map(|lease| Ask::HandBack { lease }),
        3 => (any(), 0..2_usize).prop_map(|(run, org)| Ask::Retry { run, org }),
        4 => prop_oneof![1..5000_i64, Just(LEASE.0), Just(LEASE.0 - 1)].prop_map(|millis| Ask::Pass { millis }),
    ]
}

/// A run as the rules have it.
struct Known {
    new: NewRun,
    org: usize,
    accepted: Status,
    status: Status,
    charged: u32,
    events: usize,
    place: Option<Place>,
}

/// Its place in the queue.
#[derive(Clone, Copy)]
struct Place {
    due_at: Timestamp,
    ready_at: Timestamp,
    attempts: u32,
    crashes: u32,
    lease: Option<LeaseToken>,
}

impl Place {
    fn new(due_at: Timestamp) -> Self {
        Self { due_at, ready_at: due_at, attempts: 0, crashes: 0, lease: None }
    }
}

struct Model {
    world: World,
    tenants: Vec<Tenant>,
    balances: Vec<i64>,
    runs: BTreeMap<RunId, Known>,
    /// Every token ever given, the old ones too.
    tokens: Vec<LeaseToken>,
}

/// Checks random histories, each on a store of its own.
pub fn random_histories_follow_the_model(make: impl Fn() -> Empty) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() });
    let histories = proptest::collection::vec(ask(), 1..90);
    let checked = runner.run(&histories, |history| {
        runtime.block_on(async {
            let mut model = Model::begin(make()).await;
            for ask in history {
                model.ask(ask).await;
            }
            model.compare().await;
        });
        Ok(())
    });
    if let Err(failed) = checked {
        panic!("{failed}");
    }
}

impl Model {
    async fn begin(empty: Empty) -> Self {
        let (world, first) = World::founded(empty, 3).await;
        let second = world.tenant("Second", 3).await;
        let (tenants, balances) = (vec![first, second], vec![i64::from(3 * PRICE); 2]);
        Self { world, tenants, balances, runs: BTreeMap::new(), tokens: Vec::new() }
    }

    fn nth_run(&self, number: usize) -> Option<RunId> {
        self.runs.keys().nth(number.checked_rem(self.runs.len())?).copied()
    }

    /// A token by number, and the run it holds at this moment, if it is not an old one.
    fn nth_lease(&self, number: usize) -> Option<(LeaseToken, Option<RunId>)> {
        // The latest ones more often: they are the live ones.
        let token = *self.tokens.iter().rev().nth(number.checked_rem(self.tokens.len().clamp(1, 12))?)?;
        let holder =
            self.runs.iter().find(|(_, run)| run.place.is_some_and(|place| place.lease == Some(token)));
        Some((token, holder.map(|(id, _)| *id)))
    }

    async fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Accept { org, delay } => self.accept(org, delay).await,
            Ask::AcceptAgain { run } => self.accept_again(run).await,
            Ask::Grant { org, credits } => {
                self.balances[org] += i64::from(credits);
                let entry = EntryId(self.world.id());
                let after = self.world.store.grant(self.tenants[org].org, entry, credits).await.unwrap();
                assert_eq!(after, self.balances[org]);
            }
            Ask::Claim { many } => self.claim(many).await,
            Ask::Renew { lease } => self.renew(lease).await,
            Ask::Settle { lease, how } => self.settle(lease, how).await,
            Ask::HandBack { lease } => self.hand_back(lease).await,
            Ask::Retry { run, org } => self.retry(run, org).await,
            Ask::Pass { millis } => self.world.clock.advance(Millis(millis)),
        }
    }

    async fn accept(&mut self, org: usize, delay: i64) {
        let mut new = self.world.new_run(&self.tenants[org]);
        new.delay = Millis(delay);
        new.run.webhooks.push("https://example.test/hook".to_owned());
        new.run.created_at = self.world.now();
        let paid = self.balances[org] >= i64::from(PRICE);
        let status = if paid { Status::Queued } else { Status::Unpaid };
        if paid {
            self.balances[org] -= i64::from(PRICE);
        }
        let accepted = self.world.store.accept(&new).await.unwrap();
        assert_eq!((accepted.status, accepted.created_at), (status, self.world.now()));
        let known = Known {
            org,
            accepted: status,
            status,
            charged: if paid { PRICE } else { 0 },
            events: usize::from(!paid),
            place: paid.then(|| Place::new(self.world.now() + Millis(delay))),
            new,
        };
        self.runs.insert(known.new.run.id, known);
    }

    async fn accept_again(&mut self, run: usize) {
        let Some(known) = self.nth_run(run).map(|id| &self.runs[&id]) else {
            return;
        };
        let again = self.world.store.accept(&known.new).await.unwrap();
        assert_eq!((again.status, again.created_at), (known.accepted, known.new.run.created_at));
    }

    async fn claim(&mut self, many: usize) {
        let now = self.world.now();
        let tokens: Vec<_> = (0..many).map(|_| LeaseToken(self.world.id())).collect();
        let events: Vec<_> = (0..many).map(|_| EventId(self.world.id())).collect();
        let by = self.world.worker();
        let claims = self.world.store.claim(&by, LEASE, POLICY, &tokens, &events).await.unwrap();
        assert!(claims.len() <= many);
        self.tokens.extend(&tokens);
        for (claim, token) in claims.iter().zip(&tokens) {
            assert_eq!(claim.token, *token, "tokens are used in their order");
            let known = self.runs.get_mut(&claim.run.id).expect("a run that was accepted");
            let place = known.place.as_mut().expect("a run in the queue");
            assert!(place.due_at <= now, "claimed before it was due");
            place.crashes += u32::from(place.lease.is_some());
            let poison = POLICY.pause(Fault::Crash, place.attempts, place.crashes, 0.5).is_none();
            assert!(place.lease.is_none() || !poison, "poison was given out");
            place.attempts += 1;
            assert_eq!((claim.attempt, claim.crashes), (place.attempts, place.crashes));
            (place.lease, place.due_at) = (Some(*token), now + LEASE);
            assert_eq!(claim.lease_ends, place.due_at);
            known.status = Status::Running;
        }
        // Which of the poisonous ones were met on the way is the store's choice; that they failed is not.
        let mut failed = 0;
        let mut left = 0;
        for (id, known) in &mut self.runs {
            let Some(place) = known.place.filter(|place| place.due_at <= now) else {
                continue;
            };
            left += 1;
            let abandoned = place.lease.is_some();
            if abandoned && POLICY.pause(Fault::Crash, place.attempts, place.crashes + 1, 0.5).is_none() {
                let status = self.world.status(&self.tenants[known.org], *id).await;
                if status == Status::Failed {
                    (known.status, known.place) = (status, None);
                    known.events += 1;
                    failed += 1;
                    left -= 1;
                }
            }
        }
        assert!(failed <= many, "one event id for each");
        assert!(claims.len() == many || failed == many || left == 0, "{left} due runs were left behind");
    }

    async fn renew(&mut self, lease: usize) {
        let Some((token, holder)) = self.nth_lease(lease) else {
            return;
        };
        let lost = self.world.store.renew(&self.world.worker(), &[token], LEASE).await.unwrap();
        match holder {
            Some(id) => {
                assert!(lost.is_empty());
                let due_at = self.world.now() + LEASE;
                if let Some(place) = self.runs.get_mut(&id).and_then(|run| run.place.as_mut()) {
                    place.due_at = due_at;
                }
            }
            None => assert_eq!(lost, [token]),
        }
    }

    async fn settle(&mut self, lease: usize, how: Option<Fault>) {
        let Some((token, holder)) = self.nth_lease(lease) else {
            return;
        };
        let settlement = match how {
            None => self.world.success(),
            Some(fault) => {
                let failure = Failure::new("test", "test", fault);
                Settlement::Failed { failure, policy: POLICY, chance: 0.5 }
            }
        };
        let settled = self.world.settle(token, &settlement).await;
        let Some(id) = holder else {
            assert_eq!(settled, Settled::LeaseLost);
            return;
        };
        let now = self.world.now();
        let known = self.runs.get_mut(&id).expect("the holder");
        let mut place = known.place.expect("a leased run is in the queue");
        place.crashes += u32::from(how == Some(Fault::Crash));
        let pause = how.and_then(|fault| POLICY.pause(fault, place.attempts, place.crashes, 0.5));
        known.status = match (how, pause) {
            (None, _) => Status::Succeeded,
            (Some(_), None) => Status::Failed,
            (Some(_), Some(_)) => Status::Queued,
        };
        known.events += usize::from(pause.is_none());
        known.place =
            pause.map(|pause| Place { due_at: now + pause, ready_at: now + pause, lease: None, ..place });
        assert_eq!(settled, Settled::Now(known.status));
    }

    async fn hand_back(&mut self, lease: usize) {
        let Some((token, holder)) = self.nth_lease(lease) else {
            return;
        };
        self.world.store.hand_back(&[token]).await.unwrap();
        let Some(known) = holder.and_then(|id| self.runs.get_mut(&id)) else {
            return;
        };
        known.status = Status::Queued;
        if let Some(place) = &mut known.place {
            (place.lease, place.due_at) = (None, place.ready_at);
            place.attempts -= 1;
        }
        self.compare_queue().await;
    }

    async fn retry(&mut self, run: usize, org: usize) {
        let Some(id) = self.nth_run(run) else { return };
        let entry = EntryId(self.world.id());
        let retried = self.world.store.retry(&[self.tenants[org].org], id, entry, Millis(0)).await.unwrap();
        let known = self.runs.get_mut(&id).expect("chosen among them");
        let owed = i64::from(PRICE - known.charged);
        let expected = match known.status {
            _ if known.org != org => Retried::Missing,
            Status::Failed | Status::Unpaid if self.balances[org] < owed => Retried::StillUnpaid,
            Status::Failed | Status::Unpaid => Retried::Queued,
            other => Retried::Refused(other),
        };
        assert_eq!(retried, expected);
        if expected == Retried::Queued {
            self.balances[org] -= owed;
            (known.status, known.charged) = (Status::Queued, PRICE);
            known.place = Some(Place::new(self.world.now()));
        }
    }

    /// Everything that can be read says what the model says.
    async fn compare(&self) {
        let store = &self.world.store;
        let all = Window { limit: 10_000, offset: 0 };
        for (number, tenant) in self.tenants.iter().enumerate() {
            assert_eq!(store.balance(tenant.org).await.unwrap(), self.balances[number]);
            let mut entries = store.entries(tenant.org, all).await.unwrap().entries;
            entries.reverse();
            let mut sum = 0;
            let mut charged = BTreeMap::<RunId, i64>::new();
            for entry in &entries {
                sum += entry.amount;
                assert_eq!(entry.balance, sum);
                assert!(sum >= 0);
                if entry.kind == Kind::Charge {
                    let run = entry.run.expect("a charge is for a run");
                    assert_eq!(charged.insert(run, -entry.amount), None, "charged twice");
                }
            }
            assert_eq!(sum, self.balances[number]);
            let known = self.runs.values().filter(|run| run.org == number);
            let expected: BTreeMap<_, _> = known
                .clone()
                .filter(|run| run.charged > 0)
                .map(|run| (run.new.run.id, i64::from(run.charged)))
                .collect();
            assert_eq!(charged, expected);
            let listed = store.runs(tenant.org, &Default::default(), all).await.unwrap();
            assert_eq!((listed.total, listed.entries.len()), (known.clone().count() as u64, known.count()));
            for run in &listed.entries {
                let known = &self.runs[&run.id];
                assert_eq!(
                    (run.state.status(), run.charged),
                    (known.status, known.charged),
                    "run {}",
                    run.id
                );
                let told = store.outbox(tenant.org, run.id).await.unwrap();
                assert_eq!(told.len(), known.events, "run {} is {:?}", run.id, known.status);
            }
        }
        self.compare_queue().await;
    }

    async fn compare_queue(&self) {
        let now = self.world.now();
        let places: Vec<_> = self.runs.values().filter_map(|run| run.place).collect();
        let first = places.iter().map(|place| place.due_at).min();
        let count =
            |wanted: &dyn Fn(&Place) -> bool| places.iter().filter(|place| wanted(place)).count() as u64;
        let expected = Depth {
            ready: count(&|place| place.due_at <= now),
            waiting: count(&|place| place.due_at > now && place.lease.is_none()),
            leased: count(&|place| place.due_at > now && place.lease.is_some()),
            oldest: Millis(first.map_or(0, |first| (now - first).0.max(0))),
        };
        assert_eq!(self.world.store.depth().await.unwrap(), expected);
        assert_eq!(self.world.store.next_due().await.unwrap(), first);
    }
}

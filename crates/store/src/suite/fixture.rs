//! What the behaviours begin with: organizations with credits, workflows and runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::access::{Author, Connection, ConnectionKind, DeviceGrant, GrantState, Org, SecretHash, User};
use domain::evaluation::{Asked, Evaluation, EvaluationState, Reference};
use domain::event::Kind;
use domain::id::{
    ConnectionId, EntryId, EvaluationId, EventId, GrantId, LeaseToken, OrgId, OrgVersion, RunId,
    SubscriptionId, UserId, VersionId, WorkflowId,
};
use domain::image::{ContentHash, FileName, Image};
use domain::repeat::{KeptAnswer, Slot};
use domain::request::{Face, From, Origin, Request, Source};
use domain::run::{Failure, Fault, NamedImage, Outcome, RetryPolicy, Run, State, Status, StepReport, Terms};
use domain::subscription::Subscription;
use domain::time::{Clock, Millis, Timestamp};
use domain::workflow::{Step, Version, Workflow};
use serde_json::json;
use uuid::Uuid;

use super::{Empty, ManualClock};
use crate::{
    Claim, Filed, Filing, Founding, NewBatch, NewEvaluation, NewRun, NewUser, Settled, Settlement,
    SigningKey, Store, WorkerId,
};

/// Credits one run of a fixture's workflow costs.
pub const PRICE: u32 = 10;

/// Credits a fixture's evaluation costs.
pub const EVALUATION_PRICE: u32 = 2;

/// How long a fixture's leases last.
pub const LEASE: Millis = Millis::seconds(30);

/// A store in use.
pub struct World {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    ids: AtomicU64,
}

/// An organization with one member and one workflow.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id.
    pub org: OrgId,
    /// Its administrator.
    pub user: UserId,
    /// Its workflow.
    pub workflow: Workflow,
}

impl World {
    /// A store nobody has used.
    pub fn empty((store, clock): Empty) -> Self {
        Self { store, clock, ids: AtomicU64::new(1) }
    }

    /// A store with its first organization, which has credits for `runs` runs.
    pub async fn founded(empty: Empty, runs: u32) -> (Self, Tenant) {
        let world = Self::empty(empty);
        let (founding, tenant) = world.founding(runs * PRICE);
        assert!(world.store.found(&founding).await.unwrap(), "an empty store can be founded");
        (world, tenant)
    }

    /// An id that was not given before and sorts after those that were.
    pub fn id(&self) -> Uuid {
        let number = self.ids.fetch_add(1, Ordering::SeqCst);
        Uuid::from_u128(0x0195_0000_0000_7000_8000_0000_0000_0000 + u128::from(number))
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A founding with these credits.
    pub fn founding(&self, credits: u32) -> (Founding, Tenant) {
        let (org, admin) = (self.org("Studio"), self.user("ada@example.test"));
        let workflow = self.workflow(org.id, &admin.user.id, "White packshot", PRICE);
        let tenant = Tenant { org: org.id, user: admin.user.id.clone(), workflow: workflow.clone() };
        let signing_key =
            SigningKey { kid: "first".to_owned(), private: vec![1, 2, 3], created_at: self.now() };
        let workflows = vec![workflow];
        let grant = EntryId(self.id());
        (Founding { org, admin, workflows, credits, grant, signing_key }, tenant)
    }

    /// One more organization, with credits for `runs` runs.
    pub async fn tenant(&self, name: &str, runs: u32) -> Tenant {
        let (org, admin) = (self.org(name), self.user(&format!("{}@example.test", self.id())));
        self.store.add_org(&org, &admin, &[], None).await.unwrap();
        let workflow = self.workflow(org.id, &admin.user.id, "White packshot", PRICE);
        self.store.save_workflow(&workflow).await.unwrap();
        if runs > 0 {
            self.store.grant(org.id, EntryId(self.id()), runs * PRICE).await.unwrap();
        }
        Tenant { org: org.id, user: admin.user.id, workflow }
    }

    /// An organization without members.
    pub fn org(&self, name: &str) -> Org {
        Org {
            id: OrgId(self.id()),
            version: OrgVersion(self.id()),
            name: name.to_owned(),
            members: Vec::new(),
        }
    }

    /// A user.
    pub fn user(&self, email: &str) -> NewUser {
        let user = User {
            id: UserId(format!("packshot|{}", self.id())),
            email: email.to_owned(),
            given_name: Some("Ada".to_owned()),
            family_name: None,
            picture: None,
        };
        NewUser { user, password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned() }
    }

    /// A workflow at its first version.
    pub fn workflow(&self, org: OrgId, user: &UserId, name: &str, price: u32) -> Workflow {
        Workflow {
            id: WorkflowId(self.id()),
            org,
            name: name.to_owned(),
            author: Author {
                id: user.clone(),
                given_name: Some("Ada".to_owned()),
                family_name: None,
                email: None,
            },
            model: None,
            archived_at: None,
            version: self.version(price, 90),
        }
    }

    /// A version whose export has that quality.
    pub fn version(&self, price: u32, quality: u32) -> Version {
        let step = |kind: &str, settings| Step { kind: kind.to_owned(), label: kind.to_owned(), settings };
        let steps =
            vec![step("input", json!({})), step("export", json!({ "quality": quality, "format": "jpeg" }))];
        Version { id: VersionId(self.id()), saved_at: self.now(), steps, price, needs_review: false }
    }

    /// A picture with bytes of its own.
    pub fn image(&self) -> Image {
        let mut hash = [7; 32];
        hash[..16].copy_from_slice(self.id().as_bytes());
        let media_type = "image/jpeg".to_owned();
        Image { hash: ContentHash(hash), media_type, bytes: 1_234_567, width: 4000, height: 3000 }
    }

    /// A run of the organization's workflow, to be accepted.
    pub fn new_run(&self, tenant: &Tenant) -> NewRun {
        let run = Run {
            id: RunId(self.id()),
            org: tenant.org,
            workflow: tenant.workflow.id,
            version: tenant.workflow.version.id,
            workflow_name: tenant.workflow.name.clone(),
            user: tenant.user.clone(),
            created_at: Timestamp(0),
            input: Some(self.image()),
            input_name: FileName::clean("shoe 01.jpg"),
            more_inputs: Vec::new(),
            sources: Vec::new(),
            batch: None,
            place: None,
            labels: BTreeMap::new(),
            overrides: json!({}),
            steps: None,
            request: None,
            webhooks: Vec::new(),
            price: tenant.workflow.version.price,
            terms: Terms::AtAcceptance,
            charged: 0,
            feedback: None,
            review: None,
            state: State::Queued,
        };
        let (entry, event) = (EntryId(self.id()), EventId(self.id()));
        NewRun { run, batch: None, delay: Millis(0), entry, event, failure: None }
    }

    /// What a face asked for.
    pub fn request(&self, origin: Origin) -> Request {
        Request {
            face: Face("runflow".to_owned()),
            target: "acme/white".to_owned(),
            input: json!({ "image_url": "https://pictures.test/a.jpg", "z": 1, "a": null }),
            metadata: json!({ "order": 7 }),
            origin,
            request_id: Some("asked-1".to_owned()),
            repeats: None,
            before: Vec::new(),
            evaluate: false,
        }
    }

    /// A run that is paid for its success only, whose picture is fetched later.
    pub fn new_later(&self, tenant: &Tenant) -> NewRun {
        let mut new = self.new_run(tenant);
        let from = From::Address("https://pictures.test/a.jpg".to_owned());
        new.run.input = None;
        new.run.sources = vec![Source { slot: "image_url".to_owned(), from, member: None }];
        new.run.terms = Terms::ForSuccess;
        new.run.request = Some(self.request(Origin::Single));
        new
    }

    /// One run to be filed alone.
    pub fn filing_of(&self, new: NewRun) -> Filing {
        Filing { at: self.now(), runs: vec![new], batch: None, answer: None }
    }

    /// A batch of so many runs, to be filed as a whole.
    pub fn filing(&self, tenant: &Tenant, many: u32) -> Filing {
        let handle = self.id();
        let runs = (0..many).map(|place| {
            let mut new = self.new_later(tenant);
            (new.run.batch, new.run.place) = (Some(handle.to_string()), Some(place));
            new.run.request = Some(self.request(Origin::Batch));
            new
        });
        let batch = NewBatch {
            handle,
            name: "Drop 3".to_owned(),
            request: self.request(Origin::Batch),
            webhooks: vec!["https://hooks.test/batch".to_owned()],
            event: EventId(self.id()),
        };
        Filing { at: self.now(), runs: runs.collect(), batch: Some(batch), answer: None }
    }

    /// Files one run that is paid for its success only.
    pub async fn filed(&self, tenant: &Tenant) -> RunId {
        let filing = self.filing_of(self.new_later(tenant));
        assert_eq!(self.store.file(&filing).await.unwrap(), Filed::Done);
        filing.runs[0].run.id
    }

    /// Fetches a claimed run's picture, and ends the attempt with a result.
    pub async fn succeed(&self, claim: &Claim) -> Settled {
        if claim.run.input.is_none() {
            assert!(self.store.supply(claim.token, &self.image(), &[], None).await.unwrap());
        }
        self.settle(claim.token, &self.success()).await
    }

    /// The failure of a picture that cannot be worked on.
    pub fn bad_input(&self) -> Failure {
        Failure::new("image_unreadable", "the picture cannot be read", Fault::Input)
    }

    /// A subscription to everything.
    pub fn subscription(&self, tenant: &Tenant) -> Subscription {
        Subscription {
            id: SubscriptionId(self.id()),
            org: tenant.org,
            face: Face("runflow".to_owned()),
            address: "https://hooks.test/all".to_owned(),
            kinds: Kind::ALL.into_iter().collect(),
            secret: vec![1, 2, 3],
            fingerprint: "a1b2c3d4".to_owned(),
            disabled_at: None,
            last_event_at: None,
            created_at: self.now(),
            updated_at: self.now(),
        }
    }

    /// An evaluation to be accepted, which costs [`EVALUATION_PRICE`].
    pub fn new_evaluation(&self, tenant: &Tenant) -> NewEvaluation {
        let picture = Source { slot: "image_url".to_owned(), from: From::Stored(self.image()), member: None };
        let reference = Reference { picture: picture.clone(), kind: Some("input".to_owned()) };
        let evaluation = Evaluation {
            id: EvaluationId(self.id()),
            org: tenant.org,
            user: tenant.user.clone(),
            run: None,
            asked: Asked {
                task: "product_photography".to_owned(),
                picture,
                references: vec![reference],
                details: json!({ "prompt": "on white", "z": 1, "a": [] }),
                limits: json!({ "background_purity": { "least": 0.9 } }),
            },
            face: Face("runflow".to_owned()),
            client_ref: Some("sku-7".to_owned()),
            webhooks: vec!["https://hooks.test/evaluation".to_owned()],
            price: EVALUATION_PRICE,
            charged: EVALUATION_PRICE,
            created_at: self.now(),
            updated_at: self.now(),
            opinion: None,
            state: EvaluationState::Pending,
        };
        NewEvaluation { evaluation, entry: EntryId(self.id()), answer: None }
    }

    /// A slot for a request that may be repeated, and an answer to be kept in it.
    pub fn answer(&self, tenant: &Tenant, key: &str) -> (Slot, KeptAnswer) {
        let slot = Slot { org: tenant.org, user: tenant.user.clone(), key: key.to_owned() };
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        (slot, KeptAnswer { status: 202, headers, body: b"{\"status\":\"queued\"}".to_vec() })
    }

    /// Accepts a run that is paid for.
    pub async fn accepted(&self, tenant: &Tenant) -> RunId {
        let new = self.new_run(tenant);
        assert_eq!(self.store.accept(&new).await.unwrap().status, Status::Queued);
        new.run.id
    }

    /// Accepts `many` runs that are paid for, at once.
    pub async fn accepted_many(&self, tenant: &Tenant, many: usize) -> Vec<RunId> {
        let mut accepting = tokio::task::JoinSet::new();
        for _ in 0..many {
            let (store, new) = (Arc::clone(&self.store), self.new_run(tenant));
            accepting.spawn(async move {
                assert_eq!(store.accept(&new).await.unwrap().status, Status::Queued);
                new.run.id
            });
        }
        accepting.join_all().await
    }

    /// The worker the fixture's claims are for, unless another is named.
    pub fn worker(&self) -> WorkerId {
        WorkerId("worker 1".to_owned())
    }

    /// Claims up to `many` runs.
    pub async fn claim(&self, many: usize) -> Vec<Claim> {
        self.claim_by(&self.worker(), many).await
    }

    /// Claims up to `many` runs for that worker.
    pub async fn claim_by(&self, by: &WorkerId, many: usize) -> Vec<Claim> {
        let tokens: Vec<_> = (0..many).map(|_| LeaseToken(self.id())).collect();
        let events: Vec<_> = (0..many).map(|_| EventId(self.id())).collect();
        self.store.claim(by, LEASE, RetryPolicy::default(), &tokens, &events).await.unwrap()
    }

    /// Claims the one run that is due.
    pub async fn claim_one(&self) -> Claim {
        let mut claims = self.claim(5).await;
        assert_eq!(claims.len(), 1, "one run is due");
        claims.remove(0)
    }

    /// Ends an attempt.
    pub async fn settle(&self, token: LeaseToken, how: &Settlement) -> Settled {
        self.store.settle(token, EventId(self.id()), how).await.unwrap()
    }

    /// A result.
    pub fn outcome(&self) -> Outcome {
        let report = StepReport {
            label: "export".to_owned(),
            component: "export".to_owned(),
            version: 1,
            millis: 12.5,
            ..StepReport::default()
        };
        let web = NamedImage { image: self.image(), name: FileName::clean("shoe 01 white_web.jpg") };
        Outcome {
            image: self.image(),
            name: FileName::clean("shoe 01 white.jpg"),
            more: BTreeMap::from([("web".to_owned(), web)]),
            made_by: vec![report],
        }
    }

    /// A success.
    pub fn success(&self) -> Settlement {
        Settlement::Succeeded(self.outcome())
    }

    /// A failure by that fault, under the default policy.
    pub fn failure(&self, fault: Fault) -> Settlement {
        let failure = Failure::new("test_failure", "it did not work", fault);
        Settlement::Failed { failure, policy: RetryPolicy::default(), chance: 0.5 }
    }

    /// One run of an organization.
    pub async fn run(&self, tenant: &Tenant, id: RunId) -> Run {
        self.store.run(&[tenant.org], id).await.unwrap().expect("the run is there")
    }

    /// Its status.
    pub async fn status(&self, tenant: &Tenant, id: RunId) -> Status {
        self.run(tenant, id).await.state.status()
    }

    /// An organization's credits.
    pub async fn balance(&self, tenant: &Tenant) -> i64 {
        self.store.balance(tenant.org).await.unwrap()
    }

    /// A secret's hash of its own.
    pub fn secret(&self) -> SecretHash {
        let mut hash = [3; 32];
        hash[..16].copy_from_slice(self.id().as_bytes());
        SecretHash(hash)
    }

    /// A connection of an organization's member.
    pub fn connection(&self, tenant: &Tenant) -> Connection {
        Connection {
            id: ConnectionId(self.id()),
            user: tenant.user.clone(),
            org: tenant.org,
            kind: ConnectionKind::Device,
            name: "camera room".to_owned(),
            created_at: self.now(),
            scope: "offline_access".to_owned(),
            refresh_token: self.secret(),
            api_key: None,
        }
    }

    /// A device sign-in that lasts a quarter of an hour.
    pub fn grant(&self, user_code: &str) -> DeviceGrant {
        DeviceGrant {
            id: GrantId(self.id()),
            device_code: self.secret(),
            user_code: user_code.to_owned(),
            client: "camera".to_owned(),
            scope: "offline_access".to_owned(),
            created_at: self.now(),
            expires_at: self.now() + Millis::seconds(900),
            state: GrantState::Pending { last_poll: None },
        }
    }
}

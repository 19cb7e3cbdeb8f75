//! The front of the house on a loopback socket: SQLite, a folder of blobs, a clock moved by hand. The workshop is
//! played: runs are claimed and settled through the store's verbs, with real bytes.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use api::{ApiSettings, Check, Readiness, Serving};
use async_trait::async_trait;
use blob::Blobs;
use bytes::Bytes;
use domain::access::{Author, Connection, ConnectionKind, Org, Role, SecretHash, User};
use domain::component::{Catalogue, Changes, Description, Place};
use domain::evaluation::CheckLimits;
use domain::id::{
    ConnectionId, EntryId, EventId, Ids, LeaseToken, OrgId, OrgVersion, RunId, UserId, VersionId, WorkflowId,
};
use domain::image::{ContentHash, Facts, FileName, Image, Inspect, Thumbnail, Thumbnailer, Unusable};
use domain::run::{Failure, Fault, ModelUse, NamedImage, Outcome, RetryPolicy, StepReport};
use domain::seal::Seal;
use domain::time::{Clock, Millis, Timestamp};
use domain::workflow::{Step, Version, Workflow};
use outbound::{Outbound, Rules};
use serde_json::{Value, json};
use service::{FoundingPlan, LinkKey, Parts, Service, ServiceSettings};
use sha2::{Digest, Sha256};
use store::{NewUser, Settlement, Store, WorkerId};
use store_sqlite::Sqlite;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::http::{self, Answer};

pub const CLIENT: &str = "V8EkfbxtBi93cAySTVWAecEum4d6pt4J";
/// Largest upload in these tests.
pub const UPLOAD_MAX: u64 = 300_000;
pub const EMAIL: &str = "mara@nordlicht.example";

/// A clock that stands still until it is moved.
pub struct HandClock(AtomicI64);

impl HandClock {
    pub fn advance(&self, span: Millis) {
        self.0.fetch_add(span.0, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Ids that count.
pub struct Counting {
    next: AtomicU64,
    /// Makes the next one panic.
    pub broken: AtomicBool,
}

impl Ids for Counting {
    fn next(&self) -> Uuid {
        assert!(!self.broken.swap(false, Ordering::SeqCst), "broken on purpose");
        let count = self.next.fetch_add(1, Ordering::SeqCst);
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(count))
    }
}

/// Knows the formats by their first bytes, and the size of a PNG.
struct Headers;

impl Inspect for Headers {
    fn inspect(&self, path: &Path) -> Result<Facts, Unusable> {
        let bytes = std::fs::read(path).map_err(|error| Unusable(error.to_string()))?;
        assert!(!bytes.starts_with(b"PANIC"), "broken on purpose");
        let number =
            |at: usize| bytes.get(at..at + 4).map(|four| four.iter().fold(0, |n, b| n << 8 | u32::from(*b)));
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            let (Some(width), Some(height)) = (number(16), number(20)) else {
                return Err(Unusable("the PNG file ends within its header; send the whole file".to_owned()));
            };
            if width > 10_000 || height > 10_000 {
                return Err(Unusable(format!(
                    "the picture is {width} by {height}; at most 10000 by 10000 pixels are allowed"
                )));
            }
            Ok(Facts { media_type: "image/png".to_owned(), width, height })
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            Ok(Facts { media_type: "image/jpeg".to_owned(), width: 64, height: 48 })
        } else {
            Err(Unusable("the file is not a JPEG, PNG, WebP or TIFF picture; send one of these".to_owned()))
        }
    }
}

/// Small pictures of pictures that are heads without a body: the head of a PNG of 32 by 32 pixels.
struct Small;

impl Thumbnailer for Small {
    fn thumbnail(&self, bytes: &[u8]) -> Result<Thumbnail, Unusable> {
        if !bytes.starts_with(b"\x89PNG") {
            return Err(Unusable("the file is no picture".to_owned()));
        }
        let facts = Facts { media_type: "image/png".to_owned(), width: 32, height: 32 };
        Ok(Thumbnail { bytes: png(32, 32, b"small"), facts })
    }
}

/// Keeps what secrets are bound to, and does not hide them.
struct Bound;

impl Seal for Bound {
    fn close(&self, secret: &[u8], context: &[u8]) -> Vec<u8> {
        [context, secret].concat()
    }

    fn open(&self, closed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        closed.strip_prefix(context).map(<[u8]>::to_vec)
    }
}

/// Takes every limit.
struct AnyLimits;

impl CheckLimits for AnyLimits {
    fn check(&self, _: &Value) -> Result<(), String> {
        Ok(())
    }
}

/// A server that is ready but for its models.
pub struct Ready;

#[async_trait]
impl Readiness for Ready {
    async fn check(&self) -> Vec<Check> {
        vec![
            Check { name: "store", ok: true, detail: "answers".to_owned() },
            Check { name: "models", ok: false, detail: "isnet-1024 is not loaded".to_owned() },
        ]
    }
}

/// A PNG's head of that size, followed by bytes that make it different from others.
pub fn png(width: u32, height: u32, salt: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR".to_vec();
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(salt);
    bytes
}

pub fn sha256(bytes: &[u8]) -> ContentHash {
    ContentHash(Sha256::digest(bytes).into())
}

fn component(kind: &'static str, place: Place, credits: u32) -> Description {
    Description {
        kind,
        title: kind,
        summary: kind,
        version: 1,
        credits,
        place,
        joins: kind == "combine",
        changes: Changes::NONE,
        schema: json!({ "properties": { "targetFormat": {}, "quality": {} } }),
        defaults: json!({}),
        check: |given| match given.get("quality").and_then(Value::as_i64) {
            Some(quality) if !(1..=100).contains(&quality) => {
                Err(format!("`quality` is {quality}, 1 to 100 are allowed"))
            }
            _ => Ok(given.clone()),
        },
        // Any component may name a picture here.
        images: |given| {
            given
                .get("imageHash")
                .and_then(Value::as_str)
                .and_then(|hash| hash.parse().ok())
                .into_iter()
                .collect()
        },
    }
}

pub fn step(kind: &str, settings: Value) -> Step {
    Step { kind: kind.to_owned(), label: kind.to_owned(), settings }
}

/// How a played attempt ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Success,
    BadInput,
}

/// Everything a test needs.
pub struct House {
    pub at: SocketAddr,
    pub service: Service,
    pub store: Arc<Sqlite>,
    pub blobs: Blobs,
    pub clock: Arc<HandClock>,
    pub ids: Arc<Counting>,
    pub password: String,
    /// What conversations call by name.
    pub names: HashMap<String, Vec<u8>>,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl House {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A house with other settings.
    pub async fn with(change: impl FnOnce(&mut ServiceSettings)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(HandClock(AtomicI64::new(1_772_442_845_120)));
        let ids = Arc::new(Counting { next: AtomicU64::new(1), broken: AtomicBool::new(false) });
        let store =
            Arc::new(Sqlite::open(&folder.path().join("test.db"), clock.clone()).expect("a database"));
        let blobs = Blobs::folder(&folder.path().join("blobs")).expect("a folder of blobs");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let mut settings = ServiceSettings {
            public_url: format!("http://{at}"),
            upload_bytes_max: UPLOAD_MAX,
            look_again: Duration::from_millis(20),
            ..ServiceSettings::default()
        };
        change(&mut settings);
        let service = Self::service_over(&store, &blobs, &ids, settings);
        let plan = FoundingPlan {
            org_name: "Nordlicht Fashion".to_owned(),
            admin_email: EMAIL.to_owned(),
            workflows: vec![
                ("Export only".to_owned(), vec![step("input", json!({})), step("export", json!({}))]),
                (
                    "Packshot white".to_owned(),
                    vec![
                        step("input", json!({})),
                        step("removeBackground", json!({})),
                        step("export", json!({ "targetFormat": "PNG" })),
                    ],
                ),
            ],
            credits: 1000,
        };
        let founded = service.found(plan).await.expect("founded").expect("an empty system");
        let settings = ApiSettings { heartbeat: Duration::from_millis(30), ..ApiSettings::default() };
        let router = api::router(service.clone(), settings, Arc::new(Ready));
        let serving = tokio::spawn(async move {
            api::serve(listener, router, Serving::default(), std::future::pending()).await.expect("served");
        });
        let mut house = Self {
            at,
            service,
            store,
            blobs,
            clock,
            ids,
            password: founded.admin_password.clone(),
            names: HashMap::new(),
            serving,
            _folder: folder,
        };
        house.name("org", founded.org);
        house.name("user", &founded.admin);
        house.fill().await;
        house
    }

    /// A second service over the same store, as another program would have it.
    pub fn service_over(
        store: &Arc<Sqlite>,
        blobs: &Blobs,
        ids: &Arc<Counting>,
        settings: ServiceSettings,
    ) -> Service {
        Service::new(Parts {
            store: store.clone(),
            blobs: blobs.clone(),
            catalogue: Arc::new(Catalogue::new(vec![
                component("input", Place::First, 0),
                component("removeBackground", Place::Middle, 5),
                component("combine", Place::Middle, 0),
                component("export", Place::Last, 10),
            ])),
            ids: ids.clone(),
            inspect: Arc::new(Headers),
            thumbnailer: Arc::new(Small),
            outbound: Outbound::new(Rules {
                allow: vec!["127.0.0.1".parse().expect("a rule")],
                ..Rules::default()
            })
            .expect("good rules"),
            seal: Arc::new(Bound),
            link_key: LinkKey([7; 32]),
            check_limits: Arc::new(AnyLimits),
            settings,
        })
    }

    pub fn name(&mut self, name: &str, value: impl ToString) {
        self.names.insert(name.to_owned(), value.to_string().into_bytes());
    }

    pub fn get(&self, name: &str) -> String {
        String::from_utf8(self.names.get(name).unwrap_or_else(|| panic!("no `{name}`")).clone())
            .expect("text")
    }

    /// An access token of a new operator of our organization.
    pub async fn operator(&self) -> String {
        let made = self.service.create_user("olga@nordlicht.example", Role::Operator).await.expect("a user");
        let refresh_token = "v1.operator".to_owned();
        let connection = Connection {
            id: ConnectionId(self.ids.next()),
            user: made.user,
            org: made.org,
            kind: ConnectionKind::Device,
            name: "the operator's".to_owned(),
            created_at: self.clock.now(),
            scope: "offline_access".to_owned(),
            refresh_token: SecretHash(sha256(refresh_token.as_bytes()).0),
            api_key: None,
        };
        store::Access::connect(&*self.store, &connection).await.expect("a connection");
        self.service.refresh(CLIENT, &refresh_token).await.expect("tokens").access_token
    }

    /// Names what conversations speak of.
    async fn fill(&mut self) {
        let credentials = self.service.create_credentials("tests").await.expect("credentials");
        let tokens = self.service.refresh(CLIENT, &credentials.refresh_token).await.expect("tokens");
        self.name("token", tokens.access_token);
        self.name("refresh_token", credentials.refresh_token);
        self.name("api_key", credentials.api_key);
        self.name("client", CLIENT);
        let org: OrgId = self.get("org").parse().expect("an id");
        let workflows = store::Workflows::workflows(&*self.store, org, domain::page::Window::default()).await;
        for (name, workflow) in ["export_only", "packshot"].iter().zip(workflows.expect("workflows").entries)
        {
            self.name(name, workflow.id);
            self.name(&format!("{name}_version"), workflow.version.id);
        }
        let shoe = png(640, 480, b"a shoe");
        self.name("shoe", sha256(&shoe));
        self.names.insert("shoe.png".to_owned(), shoe);
        let huge = png(30_000, 30_000, b"too many pixels");
        self.names.insert("huge.png".to_owned(), huge);
        self.shop().await;
        self.add_neighbour().await;
    }

    /// A web shop on a loopback port, which the house may fetch pictures from.
    async fn shop(&mut self) {
        let (shoe, hat) = (self.names["shoe.png"].clone(), png(64, 48, b"a hat"));
        self.name("hat", sha256(&hat));
        self.names.insert("hat.png".to_owned(), hat.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        self.name("shop", format!("http://{}", listener.local_addr().expect("an address")));
        let ok = |bytes: Vec<u8>| {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
            [head.into_bytes(), bytes].concat()
        };
        let short = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nnot all of it".to_vec();
        let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![7; UPLOAD_MAX as usize + 1]].concat();
        let moved =
            b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n".to_vec();
        let pages = HashMap::from([
            ("/shoe.png", ok(shoe)),
            ("/hat.png", ok(hat)),
            ("/text", ok(b"hello".to_vec())),
            ("/empty", ok(Vec::new())),
            ("/large", ok(vec![7; UPLOAD_MAX as usize + 1])),
            ("/endless", endless),
            ("/short", short),
            ("/moved", moved),
        ]);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = vec![0; 4096];
                let read = stream.read(&mut asked).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&asked[..read]).into_owned();
                let path = asked.split(' ').nth(1).unwrap_or_default();
                let missing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec();
                stream.write_all(pages.get(path).unwrap_or(&missing)).await.ok();
            }
        });
    }

    /// A second organization with a user, a workflow and a picture of its own.
    async fn add_neighbour(&mut self) {
        let org = OrgId(self.ids.next());
        let user = UserId("google-oauth2|1090".to_owned());
        let record = Org {
            id: org,
            version: OrgVersion(self.ids.next()),
            name: "Sonnwend".to_owned(),
            members: Vec::new(),
        };
        let admin = NewUser {
            user: User {
                id: user.clone(),
                email: "tom@sonnwend.example".to_owned(),
                given_name: Some("Tom".to_owned()),
                family_name: None,
                picture: None,
            },
            password_hash: "not used".to_owned(),
        };
        store::Access::add_org(&*self.store, &record, &admin, &[], None)
            .await
            .expect("a second organization");
        let workflow = Workflow {
            id: WorkflowId(self.ids.next()),
            org,
            name: "Theirs".to_owned(),
            author: Author { id: user.clone(), given_name: None, family_name: None, email: None },
            model: None,
            archived_at: None,
            version: Version {
                needs_review: false,
                id: VersionId(self.ids.next()),
                saved_at: self.clock.now(),
                steps: vec![step("input", json!({})), step("export", json!({}))],
                price: 10,
            },
        };
        store::Workflows::save_workflow(&*self.store, &workflow).await.expect("a workflow");
        let refresh_token = "v1.neighbour".to_owned();
        let connection = Connection {
            id: ConnectionId(self.ids.next()),
            user,
            org,
            kind: ConnectionKind::Device,
            name: "theirs".to_owned(),
            created_at: self.clock.now(),
            scope: "offline_access".to_owned(),
            refresh_token: SecretHash(sha256(refresh_token.as_bytes()).0),
            api_key: None,
        };
        store::Access::connect(&*self.store, &connection).await.expect("a connection");
        let tokens = self.service.refresh(CLIENT, &refresh_token).await.expect("tokens");
        self.name("their_token", tokens.access_token);
        self.name("their_org", org);
        self.name("their_workflow", workflow.id);
    }

    /// Claims that run, however long it is delayed, and ends the attempt so.
    pub async fn work(&self, run: RunId, end: End) {
        self.clock.advance(Millis::seconds(3600));
        self.work_on(|id| id == run, end).await;
    }

    /// Claims what is due and ends the attempts at those that are wanted so. Answers how many there were.
    pub async fn work_on(&self, wanted: impl Fn(RunId) -> bool, end: End) -> usize {
        let worker = WorkerId("played".to_owned());
        let tokens: Vec<_> = (0..50).map(|_| LeaseToken(self.ids.next())).collect();
        let events: Vec<_> = (0..50).map(|_| EventId(self.ids.next())).collect();
        let policy = RetryPolicy::default();
        let store: &dyn Store = &*self.store;
        let claims =
            store.claim(&worker, Millis::seconds(30), policy, &tokens, &events).await.expect("claims");
        let mut done = 0;
        for claim in claims {
            if !wanted(claim.run.id) {
                store.hand_back(&[claim.token]).await.expect("handed back");
                continue;
            }
            let how = match end {
                End::Success => Settlement::Succeeded(
                    self.outcome(claim.run.input.as_ref().expect("its picture"), &claim.run.input_name).await,
                ),
                End::BadInput => Settlement::Failed {
                    failure: Failure::new("image_unreadable", "the picture cannot be decoded", Fault::Input),
                    policy,
                    chance: 0.5,
                },
            };
            store.settle(claim.token, EventId(self.ids.next()), &how).await.expect("settled");
            done += 1;
        }
        done
    }

    async fn outcome(&self, input: &Image, name: &FileName) -> Outcome {
        let bytes = png(32, 32, &[b"result of ".as_slice(), &input.hash.0].concat());
        let len = bytes.len() as u64;
        let hash = self.blobs.put(Bytes::from(bytes)).await.expect("stored");
        let mask = png(16, 16, &[b"mask of ".as_slice(), &input.hash.0].concat());
        let mask_len = mask.len() as u64;
        let mask_hash = self.blobs.put(Bytes::from(mask)).await.expect("stored");
        let mask = NamedImage {
            image: Image {
                hash: mask_hash,
                media_type: "image/png".to_owned(),
                bytes: mask_len,
                width: 16,
                height: 16,
            },
            name: FileName::clean(&format!("{}_mask.png", name.stem())),
        };
        Outcome {
            more: BTreeMap::from([("mask".to_owned(), mask)]),
            image: Image { hash, media_type: "image/png".to_owned(), bytes: len, width: 32, height: 32 },
            name: FileName::clean(&format!("{}.png", name.stem())),
            made_by: vec![StepReport {
                label: "removeBackground".to_owned(),
                component: "removeBackground".to_owned(),
                version: 1,
                millis: 12.0,
                cached: false,
                model: Some(ModelUse {
                    id: "u2netp".to_owned(),
                    sha256: None,
                    backend: "rten".to_owned(),
                    precision: "f32".to_owned(),
                    fallback: Some("`isnet-1024` is not there".to_owned()),
                }),
                ..StepReport::default()
            }],
        }
    }

    /// Gives the organization credits.
    pub async fn top_up(&self, credits: u32) {
        self.grant("org", credits).await;
    }

    /// Gives the other organization credits.
    pub async fn top_up_theirs(&self, credits: u32) {
        self.grant("their_org", credits).await;
    }

    async fn grant(&self, org: &str, credits: u32) {
        let org = self.get(org).parse().expect("an id");
        let entry = EntryId(self.ids.next());
        store::Ledger::grant(&*self.store, org, entry, credits).await.expect("granted");
    }

    pub async fn get_with(&self, path: &str, token: &str) -> Answer {
        http::send(self.at, "GET", path, &[("authorization", &format!("Bearer {token}"))], b"").await
    }

    /// A GET as the organization's administrator.
    pub async fn ask(&self, path: &str) -> Answer {
        self.get_with(path, &self.get("token")).await
    }

    /// A form, posted without a token.
    pub async fn post_form(&self, path: &str, form: &str) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        http::send(self.at, "POST", path, &headers, form.as_bytes()).await
    }

    /// Uploads those bytes, as the administrator.
    pub async fn upload(&self, bytes: &[u8]) -> Answer {
        let token = format!("Bearer {}", self.get("token"));
        let headers =
            [("authorization", token.as_str()), ("content-type", "multipart/form-data; boundary=q7")];
        let body = [
            b"--q7\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n",
            bytes,
            b"\r\n--q7--\r\n",
        ]
        .concat();
        http::send(self.at, "POST", "/upload", &headers, &body).await
    }

    /// Creates an execution of the cheapest workflow on the shoe, which must be uploaded. Answers its id.
    pub async fn create(&self) -> RunId {
        let token = format!("Bearer {}", self.get("token"));
        let body =
            json!({ "image": { "name": "shoe.png", "contentHash": self.get("shoe"), "contentType": null } });
        let path = format!("/v1/workflow/execution/create?workflow={}", self.get("export_only"));
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        let answer = http::send(self.at, "POST", &path, &headers, body.to_string().as_bytes()).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.text().parse().expect("an id alone")
    }
}

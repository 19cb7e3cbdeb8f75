//! Runs from the queue to their end, over a real store, real files and real sockets: pictures that are fetched first, work that
//! is stopped, results that are evaluated.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blob::Blobs;
use bytes::Bytes;
use components::{StepCache, Toolbox};
use domain::evaluation::{Evaluation, EvaluationState};
use domain::id::{self, EvaluationId, EventId, RunId};
use domain::image::{Facts, Image, Inspect, Unusable};
use domain::request::{From, Origin, Source};
use domain::run::{Failure, RetryPolicy, Run, State, Status, Terms};
use domain::time::Millis;
use domain::workflow::Step;
use engine::{Engine, FetchSettings, Parts, Settings};
use serde_json::{Value, json};
use store::suite::ManualClock;
use store::suite::fixture::{PRICE, Tenant, World};
use store::{Cancelled, NewRun, WorkerId};
use store_sqlite::{Sqlite, SystemClock};
use support::{Fresh, Reply, Server, outbound, until};
use zip::write::SimpleFileOptions;

/// Credits that the organization begins with.
const CREDITS: i64 = 100 * PRICE as i64;

struct Headers;

impl Inspect for Headers {
    fn inspect(&self, path: &Path) -> Result<Facts, Unusable> {
        let bytes = std::fs::read(path).unwrap();
        let header =
            pixels::probe(&bytes, &pixels::Limits::default()).map_err(|error| Unusable(error.to_string()))?;
        let media_type = header.format.mime().to_owned();
        Ok(Facts { media_type, width: header.width, height: header.height })
    }
}

struct House {
    world: World,
    tenant: Tenant,
    blobs: Blobs,
    engine: Engine,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        Self::with(FetchSettings {
            bytes_max: 1 << 20,
            archive_bytes_max: 8 << 20,
            ..FetchSettings::default()
        })
        .await
    }

    async fn with(fetch: FetchSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock::new());
        let store = Arc::new(Sqlite::open(&folder.path().join("packshot.db"), clock).unwrap());
        let (world, tenant) = World::founded((store.clone(), Arc::new(ManualClock::default())), 100).await;
        let blobs = Blobs::folder(&folder.path().join("blobs")).unwrap();
        let engine = Engine::start(
            Parts {
                store,
                blobs: blobs.clone(),
                toolbox: Arc::new(Toolbox::new(None, StepCache::none())),
                catalogue: Arc::new(components::catalogue()),
                ids: Arc::new(Fresh),
                outbound: outbound(),
                inspect: Arc::new(Headers),
            },
            Settings {
                worker: WorkerId("the worker".to_owned()),
                concurrency: 2,
                memory_budget: 2 << 30,
                lease: Millis::seconds(30),
                poll: Duration::from_millis(20),
                retry: RetryPolicy { first_pause: Millis(20), ..RetryPolicy::default() },
                fetch,
                evaluations: 1,
            },
        );
        Self { world, tenant, blobs, engine, _folder: folder }
    }

    /// A run of these steps on these sources, not filed yet.
    fn commission(&self, sources: Vec<Source>, steps: Vec<Step>) -> NewRun {
        let mut new = self.world.new_run(&self.tenant);
        new.run.input = None;
        new.run.sources = sources;
        new.run.steps = Some(steps);
        new.run.terms = Terms::ForSuccess;
        new.run.request = Some(self.world.request(Origin::Single));
        new
    }

    async fn file(&self, new: NewRun) -> RunId {
        let id = new.run.id;
        self.world.store.file(&self.world.filing_of(new)).await.unwrap();
        id
    }

    /// The run, once it is over.
    async fn over(&self, id: RunId) -> Run {
        until(async || {
            let run = self.world.run(&self.tenant, id).await;
            run.state.status().is_final().then_some(run)
        })
        .await
    }

    /// The run of one source through the plainest steps, once it is over.
    async fn run_of(&self, from: From, member: Option<&str>) -> Run {
        let source = Source { slot: String::new(), from, member: member.map(str::to_owned) };
        let id = self.file(self.commission(vec![source], plain())).await;
        self.over(id).await
    }

    async fn stored(&self, bytes: Vec<u8>, media_type: &str, size: (u32, u32)) -> Image {
        let length = bytes.len() as u64;
        let hash = self.blobs.put(Bytes::from(bytes)).await.unwrap();
        let media_type = media_type.to_owned();
        Image { hash, media_type, bytes: length, width: size.0, height: size.1 }
    }

    async fn balance(&self) -> i64 {
        self.world.balance(&self.tenant).await
    }

    async fn evaluation(&self, id: EvaluationId) -> Evaluation {
        until(async || {
            let found = self.world.store.evaluation(self.tenant.org, id).await.unwrap()?;
            let is_over = !matches!(found.state, EvaluationState::Pending | EvaluationState::Running { .. });
            is_over.then_some(found)
        })
        .await
    }
}

fn step(kind: &str, settings: Value) -> Step {
    Step { kind: kind.to_owned(), label: kind.to_owned(), settings }
}

fn plain() -> Vec<Step> {
    vec![step("input", json!({})), step("export", json!({ "targetFormat": "png" }))]
}

/// A dark disc on white, as a file.
fn picture(side: u32) -> Vec<u8> {
    let middle = side as f32 / 2.0;
    let mut rgb = Vec::with_capacity((side * side * 3) as usize);
    for y in 0..side {
        for x in 0..side {
            let far = ((x as f32 - middle).powi(2) + (y as f32 - middle).powi(2)).sqrt();
            let value = if far < middle * 0.7 { 60 + ((x * 7 + y * 3) % 40) as u8 } else { 255 };
            rgb.extend_from_slice(&[value, value, value]);
        }
    }
    let bitmap = pixels::Bitmap::from_u8(side, side, pixels::Channels::Rgb, rgb).unwrap();
    let encoding = pixels::Encoding::Png { compression: pixels::PngCompression::Auto };
    pixels::encode(&bitmap, &pixels::EncodeOptions::new(encoding)).unwrap()
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn failure(run: &Run) -> &Failure {
    match &run.state {
        State::Failed { failure, .. } => failure,
        other => panic!("it has not failed: {other:?}"),
    }
}

fn at(server: &Server, path: &str) -> From {
    From::Address(format!("{}{path}", server.address))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_fetched_worked_on_and_paid_for() {
    let house = House::new().await;
    let file = picture(64);
    let server = Server::start(move |_, _| Reply::file(file.clone())).await;
    let run = house.run_of(at(&server, "/disc.png?key=secret"), None).await;
    assert_eq!(run.state.status(), Status::Succeeded, "{:?}", run.state);
    let input = run.input.as_ref().expect("it is there");
    assert_eq!((input.width, input.height, input.media_type.as_str()), (64, 64, "image/png"));
    assert!(run.sources.is_empty());
    assert_eq!(house.blobs.len(input.hash).await.unwrap(), input.bytes);
    let seen = house.world.store.image(&[house.tenant.org], input.hash).await.unwrap();
    assert_eq!(seen.as_ref(), Some(input), "its organization may see it");
    assert_eq!(house.balance().await, CREDITS - i64::from(PRICE));
    house.engine.drain(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sender_did_wrong_fails_once_and_costs_nothing() {
    let house = House::new().await;
    let server = Server::start(|path, _| match path {
        "/missing" => Reply::status(404),
        "/moved" => Reply { headers: vec![("location", "/there".to_owned())], ..Reply::status(302) },
        "/text?key=secret" => Reply::file(b"this is no picture".to_vec()),
        "/empty" => Reply::status(200),
        "/large" => Reply::file(vec![0; (1 << 20) + 1]),
        _ => Reply::status(500),
    })
    .await;
    for (path, code, said) in [
        ("/missing", "image_not_fetched", "answers with status 404"),
        ("/moved", "image_not_fetched", "redirects, which is not followed"),
        ("/text?key=secret", "image_unusable", "cannot be worked on"),
        ("/empty", "image_not_fetched", "answers with nothing"),
        ("/large", "image_not_fetched", "larger than 1048576 bytes"),
    ] {
        let run = house.run_of(at(&server, path), None).await;
        let failure = failure(&run);
        assert_eq!(failure.code, code, "{path}: {}", failure.message);
        assert!(failure.message.contains(said), "{path}: {}", failure.message);
        assert!(!failure.message.contains("secret"), "{}", failure.message);
    }
    let run = house.run_of(From::Address("http://10.0.0.1/a.png".to_owned()), None).await;
    assert!(failure(&run).message.contains("not a public address"), "{}", failure(&run).message);
    // Each was asked for once: trying again cannot help; and nobody followed the redirect.
    assert_eq!(server.asked().len(), 5);
    assert_eq!(house.balance().await, CREDITS);
    house.engine.drain(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_for_a_moment_is_asked_again() {
    let house = House::new().await;
    let file = picture(48);
    let server = Server::start(
        move |_, before| if before < 2 { Reply::status(500) } else { Reply::file(file.clone()) },
    )
    .await;
    let run = house.run_of(at(&server, "/disc.png"), None).await;
    assert_eq!(run.state.status(), Status::Succeeded, "{:?}", run.state);
    assert_eq!(server.asked().len(), 3);
    house.engine.drain(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_taken_out_of_an_archive_that_is_fetched_once() {
    let house = House::new().await;
    let (disc, mark) = (picture(64), picture(16));
    let zipped = archive(&[("folder/disc.png", &disc), ("mark.png", &mark), ("notes.txt", b"hello")]);
    let served = zipped.clone();
    let server = Server::start(move |_, _| Reply::file(served.clone())).await;
    let source = |slot: &str, member: &str| Source {
        slot: slot.to_owned(),
        from: at(&server, "/all.zip"),
        member: Some(member.to_owned()),
    };
    let mut steps = plain();
    steps.insert(1, step("watermark", json!({ "image": "slot:mark" })));
    let sources = vec![source("", "disc.png"), source("slot:mark", "mark.png")];
    let id = house.file(house.commission(sources, steps)).await;
    let run = house.over(id).await;
    assert_eq!(run.state.status(), Status::Succeeded, "{:?}", run.state);
    assert_eq!(run.input.as_ref().map(|input| (input.width, input.bytes)), Some((64, disc.len() as u64)));
    assert_eq!(server.asked().len(), 1, "one download for both");

    // From the library, and what is not in it.
    let stored = house.stored(zipped, "application/zip", (0, 0)).await;
    let run = house.run_of(From::Stored(stored.clone()), Some("mark.png")).await;
    assert_eq!(run.input.map(|input| input.width), Some(16));
    for (member, code, said) in [
        ("nothing.png", "image_not_fetched", "has no file `nothing.png`"),
        ("../disc.png", "image_not_fetched", "has no file"),
        ("notes.txt", "image_unusable", "`notes.txt` in the stored archive cannot be worked on"),
    ] {
        let run = house.run_of(From::Stored(stored.clone()), Some(member)).await;
        let failure = failure(&run);
        assert_eq!(failure.code, code, "{member}: {}", failure.message);
        assert!(failure.message.contains(said), "{member}: {}", failure.message);
    }
    let no_archive = house.stored(disc, "image/png", (64, 64)).await;
    let run = house.run_of(From::Stored(no_archive), Some("disc.png")).await;
    assert!(failure(&run).message.contains("cannot be read"), "{}", failure(&run).message);
    house.engine.drain(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_does_not_go_off() {
    let house = House::new().await;
    // 64 MiB of nothing in 64 KiB, where 1 MiB is taken.
    let bomb = archive(&[("disc.png", &vec![0; 64 << 20])]);
    assert!(bomb.len() < 128 << 10);
    // The same, with sizes that say otherwise: the local and the central header's, at their places of APPNOTE 4.3.7 and 4.3.12.
    let mut lying = bomb.clone();
    let size = (64u32 << 20).to_le_bytes();
    let places: Vec<usize> =
        lying.windows(4).enumerate().filter(|(_, four)| *four == size).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for place in places {
        lying[place..place + 4].copy_from_slice(&1000u32.to_le_bytes());
    }
    for bytes in [bomb, lying] {
        let stored = house.stored(bytes, "application/zip", (0, 0)).await;
        let run = house.run_of(From::Stored(stored), Some("disc.png")).await;
        let failure = failure(&run);
        assert_eq!(failure.code, "image_not_fetched", "{}", failure.message);
        assert!(
            failure.message.contains("unpacks to more") || failure.message.contains("cannot be read"),
            "{}",
            failure.message
        );
    }
    house.engine.drain(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_under_way_is_dropped_when_its_run_is_cancelled_and_keeps_no_worker_from_working() {
    let house = House::new().await;
    let file = picture(64);
    let server = Server::start(move |path, _| match path {
        "/hangs" => Reply { hangs: true, ..Reply::file(vec![0; 100]) },
        _ => Reply::file(file.clone()),
    })
    .await;
    let hangs = || Source { slot: String::new(), from: at(&server, "/hangs"), member: None };
    let mut hanging = Vec::new();
    for _ in 0..4 {
        hanging.push(house.file(house.commission(vec![hangs()], plain())).await);
    }
    // More of them than there are workers.
    server.asked_times(4).await;
    let run = house.run_of(at(&server, "/disc.png"), None).await;
    assert_eq!(run.state.status(), Status::Succeeded, "{:?}", run.state);
    let began = Instant::now();
    for id in hanging {
        let event = EventId(house.world.id());
        let among = [house.tenant.org];
        let cancelled = house.world.store.cancel(&among, id, &house.tenant.user, None, event).await;
        assert_eq!(cancelled.unwrap(), Cancelled::Now);
    }
    assert_eq!(house.balance().await, CREDITS - i64::from(PRICE), "only what succeeded is paid");
    // Nothing is under way any more: nothing has to be handed back.
    assert_eq!(house.engine.drain(Duration::from_secs(30)).await, 0);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_run_that_is_cancelled_stops_and_costs_nothing() {
    let house = House::new().await;
    let side = 2400;
    let stored = house.stored(picture(side), "image/png", (side, side)).await;
    // Long enough to be caught at it.
    let mut steps = plain();
    for nth in 0..12 {
        let label = format!("denoise {nth}");
        let settings = json!({ "luma": 100, "chroma": 100 });
        steps.insert(1, Step { kind: "denoise".to_owned(), label, settings });
    }
    let source = Source { slot: String::new(), from: From::Stored(stored), member: None };
    let id = house.file(house.commission(vec![source], steps)).await;
    until(async || {
        let status = house.world.status(&house.tenant, id).await;
        assert!(!status.is_final(), "{status:?} before it was caught");
        (status == Status::Running).then_some(())
    })
    .await;
    let event = EventId(house.world.id());
    let cancelled = house.world.store.cancel(&[house.tenant.org], id, &house.tenant.user, None, event).await;
    assert_eq!(cancelled.unwrap(), Cancelled::Now);
    assert_eq!(house.balance().await, CREDITS);
    let House { world, tenant, engine, .. } = house;
    assert_eq!(engine.drain(Duration::from_secs(30)).await, 0);
    assert_eq!(world.status(&tenant, id).await, Status::Cancelled);
    assert_eq!(world.balance(&tenant).await, CREDITS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_evaluated_where_its_run_asked_for_that() {
    let house = House::new().await;
    let file = picture(400);
    let server = Server::start(move |_, _| Reply::file(file.clone())).await;
    let source = Source { slot: String::new(), from: at(&server, "/disc.png"), member: None };
    let mut new = house.commission(vec![source.clone()], plain());
    new.run.request.as_mut().unwrap().evaluate = true;
    let asked = house.file(new).await;
    let not_asked = house.file(house.commission(vec![source], plain())).await;
    let run = house.over(asked).await;
    house.over(not_asked).await;
    let of = |run: RunId| EvaluationId(id::derived(run.0, 0x6576_616c));
    let evaluation = house.evaluation(of(asked)).await;
    let EvaluationState::Completed { report, .. } = &evaluation.state else {
        panic!("it has no report: {:?}", evaluation.state)
    };
    assert!(!report.findings.is_empty() && (0.0..=1.0).contains(&report.score), "{report:?}");
    assert_eq!(evaluation.run, Some(asked));
    assert_eq!(evaluation.asked.task, "product_photography");
    assert_eq!(evaluation.asked.references[0].picture.from, From::Stored(run.input.unwrap()));
    assert_eq!((evaluation.price, evaluation.charged), (0, 0));
    assert_eq!(house.balance().await, CREDITS - 2 * i64::from(PRICE));
    let none = house.world.store.evaluation(house.tenant.org, of(not_asked)).await.unwrap();
    assert_eq!(none, None);
    house.engine.drain(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluation_fetches_its_picture_and_fails_without_it() {
    let house = House::new().await;
    let file = picture(400);
    let server = Server::start(move |path, _| match path {
        "/disc.png" => Reply::file(file.clone()),
        _ => Reply::status(404),
    })
    .await;
    let mut made = Vec::new();
    for path in ["/disc.png", "/missing.png"] {
        let mut new = house.world.new_evaluation(&house.tenant);
        new.evaluation.asked.picture.from = at(&server, path);
        new.evaluation.asked.references.clear();
        new.evaluation.asked.limits = json!({});
        house.world.store.accept_evaluation(&new).await.unwrap();
        made.push(new.evaluation.id);
    }
    let measured = house.evaluation(made[0]).await;
    assert!(matches!(measured.state, EvaluationState::Completed { .. }), "{:?}", measured.state);
    let failed = house.evaluation(made[1]).await;
    let EvaluationState::Failed { failure, .. } = &failed.state else {
        panic!("it has not failed: {:?}", failed.state)
    };
    assert_eq!(failure.code, "image_not_fetched", "{}", failure.message);
    assert_eq!(failed.charged, 0, "what came to nothing costs nothing");
    house.engine.drain(Duration::from_secs(5)).await;
}

/// How long cancelled work goes on at 24 megapixels, by component and by how far it had come. Run it alone, built for release.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, and takes minutes"]
async fn cancelled_work_ends_within_two_seconds_at_24_megapixels() {
    let house = House::with(FetchSettings::default()).await;
    let side = 4900;
    let stored = house.stored(picture(side), "image/png", (side, side)).await;
    let boxes = json!([{ "x": 0.3, "y": 0.3, "width": 0.2, "height": 0.2 }]);
    let mut slowest = Duration::ZERO;
    for (kind, settings) in [
        ("removeBackground", json!({})),
        ("denoise", json!({ "luma": 100, "chroma": 100 })),
        ("removeObject", json!({ "boxes": boxes })),
        ("clean", json!({})),
        ("sharpen", json!({})),
        ("color", json!({ "exposure": 1 })),
        ("skinRetouch", json!({ "marked": { "boxes": boxes } })),
    ] {
        for wait_ms in [300, 900, 1800, 3600] {
            let steps = vec![
                step("input", json!({})),
                step(kind, settings.clone()),
                step("export", json!({ "targetFormat": "png" })),
            ];
            let source = Source { slot: String::new(), from: From::Stored(stored.clone()), member: None };
            let id = house.file(house.commission(vec![source], steps)).await;
            let admission = house.engine.admission();
            let all = admission.budget_bytes();
            until(async || (admission.free_bytes() < all).then_some(())).await;
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            let event = EventId(house.world.id());
            let among = [house.tenant.org];
            let cancelled = house.world.store.cancel(&among, id, &house.tenant.user, None, event).await;
            let began = Instant::now();
            if cancelled.unwrap() != Cancelled::Now {
                println!("{kind} was over after {wait_ms} ms: {:?}", house.over(id).await.state.status());
                continue;
            }
            until(async || (admission.free_bytes() == all).then_some(())).await;
            println!("{kind}, cancelled after {wait_ms} ms, went on for {:?}", began.elapsed());
            slowest = slowest.max(began.elapsed());
        }
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}

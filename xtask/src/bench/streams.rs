//! A thousand event streams open at once: what each costs while it waits, and how soon it is told.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::client::Client;
use super::server::Server;
use super::{at_share, load};

/// Streams open at once.
const STREAMS: usize = 1000;
/// How long executions are held back: time to create them all, to open the streams and to watch them wait.
const HELD: Duration = Duration::from_secs(12);
/// How long the streams are watched while they wait.
const WATCHED: Duration = Duration::from_secs(4);
/// Clients that create the executions.
const CREATORS: usize = 8;
/// Longest wait for what should have come long before.
const PATIENCE: Duration = Duration::from_secs(120);
/// Stack of a thread that reads one stream.
const STACK_BYTES: usize = 256 << 10;

/// Streams of one kind.
struct Kind {
    title: &'static str,
    /// Executions that the streams are about, in turn.
    executions: usize,
    /// The path of the stream about an execution.
    path: fn(&str) -> String,
    /// The line that tells of the end.
    line: &'static str,
    /// Whether the stream ends then.
    ends: bool,
}

const KINDS: [Kind; 3] = [
    Kind {
        title: "`…/status`, an execution each",
        executions: STREAMS,
        path: |id| format!("/v1/workflow/execution/{id}/status"),
        line: "data:COMPLETED",
        ends: true,
    },
    Kind {
        title: "`…/status`, all of one execution",
        executions: 1,
        path: |id| format!("/v1/workflow/execution/{id}/status"),
        line: "data:COMPLETED",
        ends: true,
    },
    Kind {
        title: "`/packshot/v1/events`",
        executions: 1,
        path: |_| EVENTS.to_owned(),
        line: "event: run.succeeded",
        ends: false,
    },
];

/// The feed of an organization.
const EVENTS: &str = "/packshot/v1/events";

/// One round.
struct Round {
    opened_seconds: f64,
    rss_before: u64,
    rss_open: u64,
    rss_after: u64,
    /// Share of one core that the server used while nothing happened.
    waiting_share: f64,
    /// Milliseconds from the end of its execution to each stream's event.
    lags: Vec<f64>,
}

/// Measures it and answers the text about it.
pub fn measure(binary: &Path, work: &Path, rounds: usize) -> anyhow::Result<String> {
    let mut text = format!(
        "{STREAMS} streams, each on a connection of its own, all opened at the same moment, on executions that are queued; a server\n\
         of its own for each kind, {rounds} rounds. Each stream was told of the end of its execution. Memory is that of the round\n\
         in which it grew the most; \"waiting\" is the share of one core that the server uses while nothing happens; \"told after\"\n\
         is the time from the end that the execution's record names to the event at the client, over all streams.\n\n\
         | streams | all open after (best, median) | RSS before, open, after | each | waiting | told after: median | the last |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let held = HELD.as_millis().to_string();
    for (number, kind) in KINDS.iter().enumerate() {
        let settings = [load::SETTINGS[0], ("PACKSHOT_RUNS__MINIMUM_VISIBLE_MS", held.as_str())];
        let server = Server::start(binary, &work.join(format!("streams-{number}")), &settings)?;
        if (kind.path)("") == EVENTS && server.client.open(EVENTS)?.status() == 404 {
            continue;
        }
        let (workflow, hash) = load::picture(&server)?;
        let done: Vec<_> = (0..rounds)
            .map(|_| kind.round(&server, &workflow, &hash).with_context(|| kind.title))
            .collect::<Result<_, _>>()?;
        row(&mut text, kind, &done);
    }
    Ok(text)
}

fn row(text: &mut String, kind: &Kind, rounds: &[Round]) {
    let opened: Vec<_> = rounds.iter().map(|round| round.opened_seconds).collect();
    let waiting: Vec<_> = rounds.iter().map(|round| round.waiting_share * 100.0).collect();
    let lags: Vec<_> = rounds.iter().flat_map(|round| round.lags.iter().copied()).collect();
    let Some(grown) = rounds.iter().max_by_key(|round| round.rss_open.saturating_sub(round.rss_before))
    else {
        return;
    };
    let each = grown.rss_open.saturating_sub(grown.rss_before) as f64 / STREAMS as f64 / 1000.0;
    let _ = writeln!(
        text,
        "| {} | {:.2} s, {:.2} s | {:.0}, {:.0}, {:.0} MB | {each:.1} kB | {:.0} % | {:.0} ms | {:.0} ms |",
        kind.title,
        at_share(&opened, 0.0),
        at_share(&opened, 0.5),
        load::mb(grown.rss_before),
        load::mb(grown.rss_open),
        load::mb(grown.rss_after),
        at_share(&waiting, 0.5),
        at_share(&lags, 0.5),
        at_share(&lags, 1.0),
    );
}

impl Kind {
    fn round(&self, server: &Server, workflow: &str, hash: &str) -> anyhow::Result<Round> {
        let held_to = Instant::now() + HELD;
        let executions = create(&server.client, workflow, hash, self.executions)?;
        let rss_before = server.rss();
        let began = Instant::now();
        let (tell, told) = channel();
        for number in 0..STREAMS {
            let id = executions[number % executions.len()].clone();
            let stream = Stream { client: server.client.another(), path: (self.path)(&id), id };
            let (tell, line, ends) = (tell.clone(), self.line, self.ends);
            let read = move || {
                let told = stream.read(line, ends, &tell);
                // Nobody listens any more once the round has failed.
                let _ = tell.send(told);
            };
            thread::Builder::new().stack_size(STACK_BYTES).spawn(read)?;
        }
        for _ in 0..STREAMS {
            ensure!(matches!(next(&told)?, Heard::Opened), "a stream ended before all were open");
        }
        let opened_seconds = began.elapsed().as_secs_f64();
        let (used, watched) = (server.processor_seconds(), Instant::now());
        thread::sleep(WATCHED);
        let waiting_share = (server.processor_seconds() - used) / watched.elapsed().as_secs_f64();
        let rss_open = server.rss();
        ensure!(Instant::now() < held_to, "the executions were not held back for long enough");
        let mut events = Vec::with_capacity(STREAMS);
        for _ in 0..STREAMS {
            match next(&told)? {
                Heard::Told { id, at } => events.push((id, at)),
                Heard::Opened => anyhow::bail!("more streams were opened than there are"),
            }
        }
        let rss_after = server.rss();
        let mut lags = Vec::with_capacity(STREAMS);
        for id in executions {
            let execution = server.client.execution(&id)?;
            let finished = execution["finishedAt"].as_str().context("an execution that has not ended")?;
            let finished = OffsetDateTime::parse(finished, &Rfc3339)?;
            let about_it = events.iter().filter(|(of, _)| *of == id);
            lags.extend(about_it.map(|(_, at)| (*at - finished).as_seconds_f64() * 1000.0));
        }
        ensure!(lags.len() == STREAMS, "{} of {STREAMS} streams were told", lags.len());
        Ok(Round { opened_seconds, rss_before, rss_open, rss_after, waiting_share, lags })
    }
}

/// What a stream's reader says.
enum Heard {
    /// The head of the answer is there.
    Opened,
    /// The event about the execution is there.
    Told { id: String, at: OffsetDateTime },
}

fn next(told: &Receiver<anyhow::Result<Heard>>) -> anyhow::Result<Heard> {
    told.recv_timeout(PATIENCE).context("nothing came in two minutes")?
}

/// A stream about one execution.
struct Stream {
    client: Client,
    path: String,
    id: String,
}

impl Stream {
    /// Opens it and reads until that line is there.
    fn read(self, line: &str, ends: bool, tell: &Sender<anyhow::Result<Heard>>) -> anyhow::Result<Heard> {
        let Self { client, path, id } = self;
        let mut answer = client.open(&path)?;
        ensure!(answer.status() == 200, "`{path}` answered {}", answer.status());
        // Whether anybody listens shows at the end.
        let _ = tell.send(Ok(Heard::Opened));
        let mut body = BufReader::new(answer.body_mut().as_reader());
        let mut read = String::new();
        while read.trim_end() != line {
            read.clear();
            ensure!(body.read_line(&mut read)? > 0, "`{path}` ended without `{line}`");
        }
        let at = OffsetDateTime::now_utc();
        if ends {
            read.clear();
            body.read_to_string(&mut read)?;
            ensure!(read.trim().is_empty(), "`{path}` went on with `{read}`");
        }
        Ok(Heard::Told { id, at })
    }
}

/// Creates that many executions.
fn create(client: &Client, workflow: &str, hash: &str, many: usize) -> anyhow::Result<Vec<String>> {
    let created = thread::scope(|scope| {
        let creators: Vec<_> = (0..CREATORS)
            .map(|creator| {
                scope.spawn(move || {
                    let client = client.another();
                    (creator..many)
                        .step_by(CREATORS)
                        .map(|_| client.create_from(workflow, hash))
                        .collect::<anyhow::Result<Vec<_>>>()
                })
            })
            .collect();
        creators
            .into_iter()
            .map(|creator| creator.join().expect("creators do not panic"))
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    Ok(created.concat())
}

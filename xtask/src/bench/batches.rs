//! Fifty batches of a hundred items at the same moment, while somebody looks at a run all the time.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::client::Client;
use super::server::Server;
use super::{at_share, load};

/// Batches asked for at the same moment.
const BATCHES: usize = 50;
/// Items of each.
const ITEMS: usize = 100;
/// Pause between two looks at a run.
const PAUSE: Duration = Duration::from_millis(5);
/// Longest wait for the work itself.
const PATIENCE: Duration = Duration::from_secs(1200);

/// Measures it and answers the text about it.
pub fn measure(binary: &Path, work: &Path, rounds: usize) -> anyhow::Result<String> {
    let (mut accepted, mut looks, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    let mut grown = 0;
    for round in 0..rounds {
        // A server of its own each time: the credits that all of it costs are those a new one has.
        let settings = [&load::SETTINGS[..], &[("PACKSHOT_LIMITS__RATE_CALLS", "1000000")]].concat();
        let server = Server::start(binary, &work.join(format!("batches-{round}")), &settings)?;
        let asset = asset(&server)?;
        let model = model(&server.client)?;
        let body = json!({ "input": { "image_url": asset } }).to_string();
        let first = asked(&server.client, &format!("/v1/models/{model}/runs"), &body)?;
        let run = first["id"].as_str().context("a run without an id")?.to_owned();
        let ended = |run: &Value| run["completed_at"].is_string();
        until(|| Ok(ended(&seen(&server.client, &format!("/v1/runs/{run}"))?)))?;
        server.forget_peak()?;
        let rss = server.rss();
        let body = json!({ "input": vec![json!({ "image_url": asset }); ITEMS] }).to_string();
        let (start, over) = (Barrier::new(BATCHES + 1), AtomicBool::new(false));
        let (made, looked) = thread::scope(|scope| {
            let looking = scope.spawn(|| {
                let client = server.client.another();
                let mut millis = Vec::new();
                start.wait();
                while !over.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    seen(&client, &format!("/v1/runs/{run}"))?;
                    millis.push(began.elapsed().as_secs_f64() * 1000.0);
                    thread::sleep(PAUSE);
                }
                anyhow::Ok(millis)
            });
            let asking: Vec<_> = (0..BATCHES)
                .map(|_| {
                    scope.spawn(|| {
                        let client = server.client.another();
                        start.wait();
                        let began = Instant::now();
                        let batch = asked(&client, &format!("/v1/models/{model}/batches"), &body)?;
                        anyhow::Ok((
                            batch["id"].as_str().context("a batch without an id")?.to_owned(),
                            began,
                            Instant::now(),
                        ))
                    })
                })
                .collect();
            let made = asking
                .into_iter()
                .map(|one| one.join().expect("clients do not panic"))
                .collect::<anyhow::Result<Vec<_>>>();
            over.store(true, Ordering::Relaxed);
            anyhow::Ok((made?, looking.join().expect("clients do not panic")?))
        })?;
        let first = made.iter().map(|(_, began, _)| *began).min().context("no batch was made")?;
        let last = made.iter().map(|(_, _, ended)| *ended).max().context("no batch was made")?;
        whole.push(last.duration_since(first).as_secs_f64() * 1000.0);
        accepted.extend(made.iter().map(|(_, began, ended)| (*ended - *began).as_secs_f64() * 1000.0));
        looks.extend(looked);
        for (id, _, _) in &made {
            let path =
                format!("/v1/batches/{id}?fields=items_total,items_succeeded,status_code,completed_at");
            let mut batch = Value::Null;
            until(|| {
                batch = seen(&server.client, &path)?;
                Ok(ended(&batch))
            })?;
            ensure!(batch["items_succeeded"] == json!(ITEMS), "batch {id} came to {batch}");
        }
        grown = grown.max(server.peak_rss().saturating_sub(rss));
    }
    let mut text = format!(
        "{BATCHES} clients ask for a batch of {ITEMS} runs each at the same moment, of one asset, over the Runflow interface, while\n\
         another client looks at a run every {} ms; {rounds} rounds. All were answered 201, all {} runs of a round succeeded, and the\n\
         server's memory grew by {:.0} MB at most, the work on them included.\n\n",
        PAUSE.as_millis(),
        BATCHES * ITEMS,
        load::mb(grown)
    );
    text.push_str("| ms | least | median | 99 of 100 | most |\n|---|---|---|---|---|\n");
    for (what, millis) in [("a batch is answered after", &accepted), ("a run is shown after", &looks)] {
        let [least, median, most_of_them, most] = [0.0, 0.5, 0.99, 1.0].map(|share| at_share(millis, share));
        let _ = writeln!(text, "| {what} | {least:.1} | {median:.1} | {most_of_them:.1} | {most:.1} |");
    }
    let _ = writeln!(
        text,
        "\nAll {BATCHES} were accepted within {:.0} ms (best), {:.0} ms (median).",
        at_share(&whole, 0.0),
        at_share(&whole, 0.5)
    );
    Ok(text)
}

/// A photo as an asset; answers the reference to it.
fn asset(server: &Server) -> anyhow::Result<String> {
    let made = server.client.post_file("/v1/assets", "photo.jpg", &load::photo()?)?;
    let made: Value = serde_json::from_str(&made)?;
    Ok(format!("runflow://assets/{}", made["id"].as_str().context("an asset without an id")?))
}

/// The model that only converts.
fn model(client: &Client) -> anyhow::Result<String> {
    let page = seen(client, "/v1/models?limit=100")?;
    let found = page["items"]
        .as_array()
        .is_some_and(|items| items.iter().any(|model| model["slug"] == "export-only"));
    ensure!(found, "the workflow that only converts is no model");
    Ok("my-studio/export-only".to_owned())
}

fn asked(client: &Client, path: &str, body: &str) -> anyhow::Result<Value> {
    let answer = client.post(path, "application/json", body.as_bytes())?;
    ensure!(answer.status == 201, "it was refused: {} {}", answer.status, answer.text);
    Ok(serde_json::from_str(&answer.text)?)
}

fn seen(client: &Client, path: &str) -> anyhow::Result<Value> {
    let answer = client.get(path)?;
    ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.text);
    Ok(serde_json::from_str(&answer.text)?)
}

fn until(mut done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let began = Instant::now();
    while !done()? {
        ensure!(began.elapsed() < PATIENCE, "the work did not end");
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

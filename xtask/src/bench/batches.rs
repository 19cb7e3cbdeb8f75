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
    let (mut accepted, mut whole, mut grown) = (Vec::new(), Vec::new(), 0);
    // Of a run and of a batch, each while batches come in and while they are worked on.
    let mut looks = [const { Vec::new() }; 4];
    for round in 0..rounds {
        eprintln!("batches {} of {rounds} ...", round + 1);
        // A server of its own each time: the credits that all of it costs are those a new one has.
        let settings = [&load::SETTINGS[..], &[("PACKSHOT_LIMITS__RATE_CALLS", "1000000")]].concat();
        let server = Server::start(binary, &work.join(format!("batches-{round}")), &settings)?;
        let asset = asset(&server)?;
        let model = model(&server.client)?;
        let body = json!({ "input": vec![json!({ "image_url": asset }); ITEMS] }).to_string();
        let path = format!("/v1/models/{model}/batches");
        let seen_batch = asked(&server.client, &path, &body)?;
        let pages = [
            format!(
                "/v1/runs/{}",
                seen_batch["items"][0]["run_id"].as_str().context("an item without a run")?
            ),
            format!("/v1/batches/{}", id_of(&seen_batch)?),
        ];
        ended(&server.client, &id_of(&seen_batch)?)?;
        server.forget_peak()?;
        let rss = server.rss();
        let (start, over) = (Barrier::new(BATCHES + 1), AtomicBool::new(false));
        let (made, looked) = thread::scope(|scope| {
            let looking = scope.spawn(|| {
                let client = server.client.another();
                let mut looked = Vec::new();
                start.wait();
                while !over.load(Ordering::Relaxed) {
                    for (page, path) in pages.iter().enumerate() {
                        let began = Instant::now();
                        seen(&client, path)?;
                        looked.push((page, began, began.elapsed()));
                        thread::sleep(PAUSE);
                    }
                }
                anyhow::Ok(looked)
            });
            let asking: Vec<_> = (0..BATCHES)
                .map(|_| {
                    scope.spawn(|| {
                        let client = server.client.another();
                        start.wait();
                        let began = Instant::now();
                        let batch = asked(&client, &path, &body)?;
                        anyhow::Ok((id_of(&batch)?, began, Instant::now()))
                    })
                })
                .collect();
            let made = asking
                .into_iter()
                .map(|one| one.join().expect("clients do not panic"))
                .collect::<anyhow::Result<Vec<_>>>();
            let all_ended = made
                .as_ref()
                .map_or(Ok(()), |made| made.iter().try_for_each(|(id, _, _)| ended(&server.client, id)));
            over.store(true, Ordering::Relaxed);
            all_ended?;
            anyhow::Ok((made?, looking.join().expect("clients do not panic")?))
        })?;
        let first = made.iter().map(|(_, began, _)| *began).min().context("no batch was made")?;
        let last = made.iter().map(|(_, _, ended)| *ended).max().context("no batch was made")?;
        whole.push(millis(last.duration_since(first)));
        accepted.extend(made.iter().map(|(_, began, ended)| millis(*ended - *began)));
        for (page, began, took) in looked {
            looks[page + 2 * usize::from(began > last)].push(millis(took));
        }
        grown = grown.max(server.peak_rss().saturating_sub(rss));
    }
    let mut text = format!(
        "{BATCHES} clients ask for a batch of {ITEMS} runs each at the same moment, of one asset, over the Runflow interface, while\n\
         another client looks at a run and at a batch of {ITEMS}, one after the other with pauses of {} ms; {rounds} rounds. All were\n\
         answered 201, all {} runs of a round succeeded, and the server's memory grew by {:.0} MB at most, the work on them included.\n\n",
        PAUSE.as_millis(),
        BATCHES * ITEMS,
        load::mb(grown)
    );
    text.push_str("| ms | times | least | median | 99 of 100 | most |\n|---|---|---|---|---|---|\n");
    let [run_meanwhile, batch_meanwhile, run_later, batch_later] = &looks;
    for (what, millis) in [
        ("a batch is accepted", &accepted),
        ("a run is shown while they are accepted", run_meanwhile),
        ("a batch is shown while they are accepted", batch_meanwhile),
        ("a run is shown while they are worked on", run_later),
        ("a batch is shown while they are worked on", batch_later),
    ] {
        let [least, median, most_of_them, most] = [0.0, 0.5, 0.99, 1.0].map(|share| at_share(millis, share));
        let times = millis.len();
        let _ =
            writeln!(text, "| {what} | {times} | {least:.1} | {median:.1} | {most_of_them:.1} | {most:.1} |");
    }
    let _ = writeln!(
        text,
        "\nAll {BATCHES} were accepted within {:.0} ms (best), {:.0} ms (median).",
        at_share(&whole, 0.0),
        at_share(&whole, 0.5)
    );
    Ok(text)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn id_of(object: &Value) -> anyhow::Result<String> {
    Ok(object["id"].as_str().context("an answer without an id")?.to_owned())
}

/// Waits until all runs of a batch have succeeded.
fn ended(client: &Client, batch: &str) -> anyhow::Result<()> {
    let path = format!("/v1/batches/{batch}?fields=items_total,items_succeeded,status_code,completed_at");
    let mut seen_last = Value::Null;
    until(|| {
        seen_last = seen(client, &path)?;
        Ok(seen_last["completed_at"].is_string())
    })?;
    ensure!(seen_last["items_succeeded"] == json!(ITEMS), "batch {batch} came to {seen_last}");
    Ok(())
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

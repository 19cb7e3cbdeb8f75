//! Many clients that create an execution at the same moment.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::server::Server;
use super::{at_share, load};

/// Clients, each of which creates one execution a round.
const CLIENTS: usize = 200;
/// Rounds for each one asked for: one takes less than a second.
const ROUNDS_EACH: usize = 3;

/// Measures it and answers the text about it.
pub fn measure(binary: &Path, work: &Path, rounds: usize) -> anyhow::Result<String> {
    let server = Server::start(binary, &work.join("creates"), &load::SETTINGS)?;
    let (workflow, hash) = load::picture(&server)?;
    // The first run of all brings code and statements into memory.
    let id = server.client.create_from(&workflow, &hash)?;
    server.client.result(&id)?;
    let price = charged(&server, &id)?;
    let (mut millis, mut rates) = (Vec::new(), Vec::new());
    let rounds = rounds * ROUNDS_EACH;
    let before = server.client.balance()?;
    server.forget_peak()?;
    let rss = server.rss();
    for _ in 0..rounds {
        let start = Barrier::new(CLIENTS);
        let created = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    scope.spawn(|| {
                        let client = server.client.another();
                        start.wait();
                        let began = Instant::now();
                        let id = client.create_from(&workflow, &hash)?;
                        anyhow::Ok((id, began, Instant::now()))
                    })
                })
                .collect();
            clients
                .into_iter()
                .map(|client| client.join().expect("clients do not panic"))
                .collect::<anyhow::Result<Vec<_>>>()
        })?;
        let first = created.iter().map(|(_, began, _)| *began).min().context("nothing was created")?;
        let last = created.iter().map(|(_, _, ended)| *ended).max().context("nothing was created")?;
        rates.push(CLIENTS as f64 / last.duration_since(first).as_secs_f64());
        millis.extend(created.iter().map(|(_, began, ended)| (*ended - *began).as_secs_f64() * 1000.0));
        for (id, _, _) in &created {
            ensure!(server.client.result(id)? > 0, "an empty result");
            ensure!(charged(&server, id)? == price, "execution {id} was charged otherwise");
        }
    }
    let paid = before - server.client.balance()?;
    let expected = price * (CLIENTS * rounds) as i64;
    ensure!(paid == expected, "{paid} credits were taken for executions that cost {expected}");
    let mut text = format!(
        "{CLIENTS} clients, each on a connection of its own, create an execution of one uploaded picture at the same moment;\n\
         {rounds} rounds. All were answered 201, all were completed, and the balance fell by what they cost together. The\n\
         server's memory grew by {:.0} MB at most, the work on them included.\n\n",
        load::mb(server.peak_rss().saturating_sub(rss))
    );
    text.push_str("| answered after | least | median | 95 of 100 | most |\n|---|---|---|---|---|\n");
    let [least, median, most_of_them, most] = [0.0, 0.5, 0.95, 1.0].map(|share| at_share(&millis, share));
    let _ = writeln!(text, "| ms | {least:.0} | {median:.0} | {most_of_them:.0} | {most:.0} |");
    let _ = writeln!(
        text,
        "\nCreated a second, each synced to disk before it is answered: {:.0} (best), {:.0} (median).",
        at_share(&rates, 1.0),
        at_share(&rates, 0.5)
    );
    Ok(text)
}

/// What an execution was charged.
fn charged(server: &Server, id: &str) -> anyhow::Result<i64> {
    server.client.execution(id)?["chargedCredits"].as_i64().context("an execution without its price")
}

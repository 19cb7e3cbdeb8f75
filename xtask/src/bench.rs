//! `cargo xtask bench`: what the release build does on this machine, as a table in docs/benchmarks.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::root;

/// Measures this machine and writes docs/benchmarks.md.
#[derive(clap::Args)]
pub struct Options {
    /// Photos in each measurement
    #[arg(long, default_value_t = 12)]
    photos: usize,
    /// Measurements of each kind; the fastest and the median are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print the table without writing the file
    #[arg(long)]
    dry: bool,
}

/// The workflows measured: without a network, and with one.
const WORKFLOWS: [&str; 4] = ["Export only", "White packshot", "Shadowed packshot", "Marketplace square"];

/// One way of doing a workflow, measured several times.
struct Row {
    way: &'static str,
    workflow: &'static str,
    /// Photos a second, one for each round.
    rates: Vec<f64>,
    peak_rss: u64,
    /// Mean milliseconds of each step.
    steps: Vec<(String, f64)>,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let binary = build()?;
    let work = std::env::temp_dir().join(format!("packshot-bench-{}", std::process::id()));
    fs::create_dir_all(&work)?;
    let done = measure(&binary, &work, options);
    fs::remove_dir_all(&work).ok();
    let table = page(&done?, options);
    println!("{table}");
    if !options.dry {
        fs::write(root().join("docs/benchmarks.md"), table)?;
    }
    Ok(())
}

fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--bin", "packshot", "--message-format", "json-render-diagnostics"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the release build failed");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
        .context("cargo did not say where the binary is")
}

fn measure(binary: &Path, work: &Path, options: &Options) -> anyhow::Result<Vec<Row>> {
    eprintln!("making {} photos of 12 megapixels ...", options.photos);
    let photos = make_photos(binary, work, options.photos)?;
    // The first cut-out on a machine fetches and tests the model; that is not what is measured.
    let models = Command::new(binary).args(["models", "fetch"]).stdout(Stdio::null()).status()?;
    ensure!(models.success(), "the models cannot be fetched");
    let mut rows = Vec::new();
    for workflow in WORKFLOWS {
        eprintln!("process: {workflow} ...");
        rows.push(through_process(binary, work, &photos, workflow, options)?);
    }
    for workflow in WORKFLOWS {
        eprintln!("HTTP: {workflow} ...");
        rows.push(through_http(binary, work, &photos, workflow, options)?);
    }
    Ok(rows)
}

/// Photos of 4000 by 3000 pixels from the samples, each with other bytes.
fn make_photos(binary: &Path, work: &Path, count: usize) -> anyhow::Result<Vec<PathBuf>> {
    let samples: Vec<_> = fs::read_dir(root().join("samples"))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg" || extension == "webp"))
        .collect();
    ensure!(!samples.is_empty(), "there are no samples");
    let folder = work.join("photos");
    fs::create_dir_all(&folder)?;
    let mut photos = Vec::new();
    for number in 0..count {
        let workflow = work.join("enlarge.json");
        // Another quality for each round through the samples: other bytes, so that no photo is met twice.
        let quality = 95 - (number / samples.len()).min(20);
        let steps = json!([
            { "type": "input" },
            { "type": "setOnCanvas", "settings": {
                "width": 4000, "height": 3000, "upscale": true, "reference": "original", "fit": "cover" } },
            { "type": "export", "settings": { "targetFormat": "JPEG", "quality": quality } },
        ]);
        fs::write(&workflow, steps.to_string())?;
        let sample = &samples[number % samples.len()];
        let out = work.join(format!("make-{number}"));
        let made = process_json(binary, std::slice::from_ref(sample), &workflow.display().to_string(), &out)?;
        let output = made["items"][0]["output"].as_str().context("the photo was not made")?;
        let photo = folder.join(format!("photo-{number:03}.jpg"));
        fs::rename(output, &photo)?;
        photos.push(photo);
    }
    Ok(photos)
}

fn process_json(binary: &Path, photos: &[PathBuf], workflow: &str, out: &Path) -> anyhow::Result<Value> {
    let output = Command::new(binary)
        .arg("process")
        .args(photos)
        .args(["--workflow", workflow, "--json", "--out"])
        .arg(out)
        .stderr(Stdio::null())
        .output()?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("`packshot process --workflow {workflow}` gave no report"))?;
    ensure!(output.status.success(), "`packshot process --workflow {workflow}` failed: {report}");
    Ok(report)
}

fn through_process(
    binary: &Path,
    work: &Path,
    photos: &[PathBuf],
    workflow: &'static str,
    options: &Options,
) -> anyhow::Result<Row> {
    let mut row = Row { way: "process", workflow, rates: Vec::new(), peak_rss: 0, steps: Vec::new() };
    for round in 0..options.rounds {
        let out = work.join(format!("{}-{round}", workflow.replace(' ', "-")));
        let report = process_json(binary, photos, workflow, &out)?;
        let seconds = report["seconds"].as_f64().context("the report has no time")?;
        row.rates.push(photos.len() as f64 / seconds);
        row.peak_rss = row.peak_rss.max(report["peak_memory_bytes"].as_u64().unwrap_or_default());
        let items = report["items"].as_array().context("the report has no items")?;
        row.steps = mean_steps(items.iter().filter_map(|item| item["steps"].as_array()));
        fs::remove_dir_all(&out)?;
    }
    Ok(row)
}

/// Mean milliseconds of each component, in the order of the steps.
fn mean_steps<'a>(reports: impl Iterator<Item = &'a Vec<Value>>) -> Vec<(String, f64)> {
    let mut order: Vec<String> = Vec::new();
    let mut sums: BTreeMap<String, (f64, u32)> = BTreeMap::new();
    for step in reports.flatten() {
        let name = step["component"].as_str().unwrap_or("?").to_owned();
        if !order.contains(&name) {
            order.push(name.clone());
        }
        let sum = sums.entry(name).or_default();
        sum.0 += step["millis"].as_f64().unwrap_or_default();
        sum.1 += 1;
    }
    order
        .into_iter()
        .map(|name| {
            let (sum, count) = sums[&name];
            (name, sum / f64::from(count))
        })
        .collect()
}

/// A server on a folder of its own; ended when dropped.
struct Server {
    child: Child,
    base: String,
    token: String,
    organization: String,
    agent: ureq::Agent,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Server {
    fn start(binary: &Path, data: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--data"])
            .arg(data)
            .env("PACKSHOT_RUNS__MINIMUM_VISIBLE_MS", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let Some(base) = line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned)
        else {
            child.kill().ok();
            bail!("the server did not say its address: `{line}`");
        };
        let output =
            Command::new(binary).args(["credentials", "create", "--json", "--data"]).arg(data).output()?;
        let credentials: Value = serde_json::from_slice(&output.stdout)?;
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(600))).build().into();
        let refresh = credentials["refresh_token"].as_str().context("no refresh token")?;
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "bench")];
        let token: Value = serde_json::from_str(
            &agent.post(format!("{base}/oauth/token")).send_form(form)?.body_mut().read_to_string()?,
        )?;
        let token = token["access_token"].as_str().context("no access token")?.to_owned();
        let organization = credentials["organization_id"].as_str().context("no organization")?.to_owned();
        Ok(Self { child, base, token, organization, agent })
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn workflow(&self, name: &str) -> anyhow::Result<String> {
        let path = format!("{}/v1/workflow?organization={}", self.base, self.organization);
        let mut answer = self.agent.get(path).header("authorization", self.authorization()).call()?;
        let page: Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
        let entries = page["entries"].as_array().context("no workflows")?;
        let found = entries.iter().find(|entry| entry["name"] == name).and_then(|entry| entry["id"].as_str());
        found.map(str::to_owned).with_context(|| format!("no workflow is called {name}"))
    }

    /// Creates an execution from the photo's bytes in one request.
    fn create(&self, workflow: &str, name: &str, bytes: &[u8]) -> anyhow::Result<String> {
        let boundary = "bench-7MA4YWxkTrZu0gW";
        let mut body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: image/jpeg\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let path = format!(
            "{}/v1/workflow/execution/create?workflow={workflow}&organization={}",
            self.base, self.organization
        );
        let mut answer = self
            .agent
            .post(path)
            .header("authorization", self.authorization())
            .header("content-type", format!("multipart/form-data; boundary={boundary}"))
            .send(&body[..])?;
        Ok(answer.body_mut().read_to_string()?)
    }

    fn result(&self, id: &str) -> anyhow::Result<usize> {
        let path = format!("{}/v1/workflow/execution/{id}/result/default", self.base);
        let mut answer = self.agent.get(path).header("authorization", self.authorization()).call()?;
        Ok(answer.body_mut().with_config().limit(256 << 20).read_to_vec()?.len())
    }

    fn peak_rss(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or_default() * 1024
    }
}

fn through_http(
    binary: &Path,
    work: &Path,
    photos: &[PathBuf],
    workflow: &'static str,
    options: &Options,
) -> anyhow::Result<Row> {
    let mut row = Row { way: "HTTP", workflow, rates: Vec::new(), peak_rss: 0, steps: Vec::new() };
    for round in 0..options.rounds {
        // A fresh server each round: neither the step cache nor the blobs know the photos.
        let data = work.join(format!("data-{}-{round}", workflow.replace(' ', "-")));
        let server = Server::start(binary, &data)?;
        let id = server.workflow(workflow)?;
        let began = Instant::now();
        let mut executions = Vec::new();
        for photo in photos {
            let bytes = fs::read(photo)?;
            let name = photo.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            executions.push(server.create(&id, &name, &bytes)?);
        }
        for execution in &executions {
            ensure!(server.result(execution)? > 0, "an empty result");
        }
        row.rates.push(photos.len() as f64 / began.elapsed().as_secs_f64());
        row.peak_rss = row.peak_rss.max(server.peak_rss());
        drop(server);
        fs::remove_dir_all(&data)?;
    }
    Ok(row)
}

fn page(rows: &[Row], options: &Options) -> String {
    let mut text = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench`. The machine is shared and noisy: compare ratios, not seconds.\n\n",
    );
    let _ = writeln!(text, "Machine: {}.\n", machine());
    let _ = writeln!(
        text,
        "Work: {} photos of 12 megapixels (JPEG, 4000 by 3000, made from the samples), {} rounds. \"process\" is one call of\n\
         `packshot process` over all of them, start and model loading included; \"HTTP\" is a fresh server that takes the\n\
         photos one after the other (`POST /v1/workflow/execution/create`) and gives the results back\n\
         (`/result/default`), with every write synced to disk.\n",
        options.photos, options.rounds
    );
    text.push_str(
        "| way | workflow | images/s (best) | images/s (median) | peak RSS |\n|---|---|---|---|---|\n",
    );
    for row in rows {
        let (best, median) = best_and_median(&row.rates);
        let _ = writeln!(
            text,
            "| {} | {} | {best:.2} | {median:.2} | {:.0} MB |",
            row.way,
            row.workflow,
            row.peak_rss as f64 / 1e6
        );
    }
    text.push_str(
        "\nTime of each step, in milliseconds for one photo (mean over the last round of `process`):\n\n",
    );
    text.push_str("| workflow | steps |\n|---|---|\n");
    for row in rows.iter().filter(|row| !row.steps.is_empty()) {
        let steps: Vec<_> = row.steps.iter().map(|(name, millis)| format!("{name} {millis:.1}")).collect();
        let _ = writeln!(text, "| {} | {} |", row.workflow, steps.join(", "));
    }
    text
}

fn best_and_median(rates: &[f64]) -> (f64, f64) {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted.last().copied().unwrap_or_default(), sorted.get(sorted.len() / 2).copied().unwrap_or_default())
}

/// The processor, its cores, the memory and the features that decide the network's speed.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split(':').nth(1).unwrap_or_default().trim().to_owned()
    };
    let flags = field("flags");
    let features: Vec<_> = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"]
        .into_iter()
        .filter(|feature| flags.split_whitespace().any(|flag| flag == *feature))
        .collect();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: f64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok())
        .unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{}, {cores} cores, {:.0} GiB, {}",
        field("model name"),
        kib / 1024.0 / 1024.0,
        features.join(" ")
    )
}

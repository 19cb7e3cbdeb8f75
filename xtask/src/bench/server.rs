//! A release server under measurement, and what its process uses.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};

use super::client::Client;

/// Open files that a program may have unless somebody says otherwise.
const USUAL_FILES: u32 = 1024;

/// A server on a folder of its own; ended when dropped.
pub struct Server {
    child: Child,
    /// A client that is signed in.
    pub client: Client,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Server {
    /// Starts it with those settings in its environment, under the limit of open files that most machines begin with.
    pub fn start(binary: &Path, data: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -S -n {USUAL_FILES}; exec \"$0\" \"$@\"")])
            .arg(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--data"])
            .arg(data)
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        match Self::sign_in(&mut child, binary, data) {
            Ok(client) => Ok(Self { child, client }),
            Err(error) => {
                child.kill().ok();
                child.wait().ok();
                Err(error)
            }
        }
    }

    fn sign_in(child: &mut Child, binary: &Path, data: &Path) -> anyhow::Result<Client> {
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let Some(base) = line.split_whitespace().find(|word| word.starts_with("http://")) else {
            bail!("the server did not say its address: `{line}`");
        };
        let output =
            Command::new(binary).args(["credentials", "create", "--json", "--data"]).arg(data).output()?;
        Client::sign_in(base, &serde_json::from_slice(&output.stdout)?)
    }

    /// Most memory it had, in bytes, since it began or since [`Server::forget_peak`].
    pub fn peak_rss(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// Memory it has now, in bytes.
    pub fn rss(&self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or_default() * 1024
    }

    /// Lets the peak begin anew from what it has now.
    pub fn forget_peak(&self) -> anyhow::Result<()> {
        let file = format!("/proc/{}/clear_refs", self.child.id());
        fs::write(&file, "5").with_context(|| format!("cannot reset the peak in `{file}`"))
    }

    /// Processor time it has used, in seconds.
    pub fn processor_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // The name in parentheses may hold spaces: fields are counted from behind it.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        // A hundred a second on every Linux there is.
        ticks as f64 / 100.0
    }
}

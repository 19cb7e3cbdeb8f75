//! `cargo xtask bench`: what the release build does on this machine, as tables in docs/benchmarks.md.

mod batches;
mod client;
pub mod components;
mod creates;
mod deliveries;
mod load;
mod photos;
mod server;
mod streams;
mod uploads;

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::root;

/// Measures this machine and writes docs/benchmarks.md.
#[derive(clap::Args)]
pub struct Options {
    /// Photos in each measurement of photos
    #[arg(long, default_value_t = 12)]
    photos: usize,
    /// Measurements of each kind; the fastest and the median are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measure this alone and leave the rest of the file as it is
    #[arg(long)]
    only: Option<Part>,
    /// Print the tables without writing the file
    #[arg(long)]
    dry: bool,
}

/// What is measured; each is a section of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Photos a second
    Photos,
    /// Many clients at once
    Load,
    /// Many batches at once
    Batches,
    /// Each component alone
    Components,
}

impl Part {
    const ALL: [Self; 4] = [Self::Photos, Self::Load, Self::Batches, Self::Components];

    fn heading(self) -> &'static str {
        match self {
            Self::Photos => "\n## Photos\n",
            Self::Load => "\n## Load\n",
            Self::Batches => "\n## Batches\n",
            Self::Components => "\n## Components\n",
        }
    }

    /// The section's text in a file, below its heading.
    fn of(self, text: &str) -> Option<&str> {
        let (_, rest) = text.split_once(self.heading())?;
        Some(rest.find("\n## ").map_or(rest, |end| &rest[..end]).trim())
    }
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let file = root().join("docs/benchmarks.md");
    let before = fs::read_to_string(&file).unwrap_or_default();
    let built = OnceCell::new();
    let binary = || -> anyhow::Result<&PathBuf> {
        match built.get() {
            Some(path) => Ok(path),
            None => build(&["--bin", "packshot"]).map(|path| built.get_or_init(|| path)),
        }
    };
    let work = std::env::temp_dir().join(format!("packshot-bench-{}", std::process::id()));
    fs::create_dir_all(&work)?;
    let measure = |part| match part {
        Part::Photos => photos::measure(binary()?, &work, options),
        Part::Load => load::measure(binary()?, &work, options.rounds),
        Part::Batches => batches::measure(binary()?, &work, options.rounds),
        Part::Components => components::measure(&work),
    };
    let mut page = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench`. The machine is shared and noisy: compare ratios, not seconds.\n",
    );
    let mut done = Ok(());
    for part in Part::ALL {
        let text = match options.only {
            Some(only) if only != part => part.of(&before).map(str::to_owned),
            _ => match measure(part) {
                // Sections may have been measured on different machines.
                Ok(text) => Some(format!("Machine: {}.\n\n{}", machine(), text.trim())),
                Err(error) => {
                    done = Err(error);
                    break;
                }
            },
        };
        if let Some(text) = text {
            page.extend([part.heading(), "\n", text.trim(), "\n"]);
        }
    }
    fs::remove_dir_all(&work).ok();
    done?;
    println!("{page}");
    if !options.dry {
        fs::write(file, page)?;
    }
    Ok(())
}

/// Builds one release target of the workspace and answers where it is.
fn build(target: &[&str]) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--workspace", "--message-format", "json-render-diagnostics"])
        .args(target)
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

/// The value with that share of the others below it; `share` 0.5 is the median. 0 if there are none.
fn at_share(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

/// The processor, its cores, the memory and the features that decide the network's speed.
pub fn machine() -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_found_by_its_heading() {
        let text = "# Benchmarks\n\n## Photos\n\none\n\ntwo\n\n## Load\n\nthree\n";
        assert_eq!(Part::Photos.of(text), Some("one\n\ntwo"));
        assert_eq!(Part::Load.of(text), Some("three"));
        assert_eq!(Part::Load.of("# Benchmarks\n"), None);
    }

    #[test]
    fn shares_are_between_the_least_and_the_most() {
        let values = [3.0, 1.0, 2.0, 5.0, 4.0];
        assert_eq!([0.0, 0.5, 1.0].map(|share| at_share(&values, share)), [1.0, 3.0, 5.0]);
        assert_eq!(at_share(&[], 0.5), 0.0);
    }
}

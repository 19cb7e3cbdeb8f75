//! Development commands: `cargo xtask check` is exactly what continuous integration runs.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command line talks

mod bench;
mod house;
mod page;
mod quality;
mod reference;
mod samples;
mod sheets;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Development commands of Packshot")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Import and word tables, formatting, lints, documentation, tests: everything
    Check,
    /// Everything that runs no test: import and word tables, formatting, lints, documentation
    Lint,
    /// All tests
    Test {
        /// Arguments for `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measures this machine and writes docs/benchmarks.md
    Bench(bench::Options),
    /// Cuts out real photographs and lays them side by side on sheets, to be looked at
    ContactSheets(sheets::Options),
    /// Measures one component in this process
    #[command(hide = true)]
    ComponentCost(bench::components::Child),
    /// Measures the quality of results on generated photographs and writes docs/quality.md
    Quality(quality::Options),
    /// Writes docs/components.md: every component and setting, with pictures of what they do
    Reference(reference::Options),
    /// Renders product photographs with their exact alpha, colours and shadow
    Samples(samples::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Task::Check => lint().and_then(|()| test(&[])),
        Task::Lint => lint(),
        Task::Test { arguments } => test(&arguments),
        Task::Bench(options) => bench::run(&options),
        Task::ContactSheets(options) => sheets::run(&options),
        Task::ComponentCost(options) => bench::components::run_child(&options),
        Task::Quality(options) => quality::run(&options),
        Task::Reference(options) => reference::run(&options),
        Task::Samples(options) => samples::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

fn lint() -> anyhow::Result<()> {
    let wrong = tidy::check(&root());
    if !wrong.is_empty() {
        bail!("the source breaks its own rules:\n{}", wrong.join("\n"));
    }
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])?;
    cargo(
        &["doc", "--workspace", "--no-deps", "--document-private-items"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )
}

fn test(arguments: &[String]) -> anyhow::Result<()> {
    let mut words = vec!["test", "--workspace"];
    words.extend(arguments.iter().map(String::as_str));
    cargo(&words, &[])
}

/// Runs cargo in the workspace and fails if it does.
fn cargo(words: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    eprintln!("> cargo {}", words.join(" "));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(words)
        .envs(environment.iter().copied())
        .current_dir(root())
        .status()
        .with_context(|| format!("cannot run cargo {}", words.join(" ")))?;
    if !status.success() {
        bail!("`cargo {}` failed", words.join(" "));
    }
    Ok(())
}

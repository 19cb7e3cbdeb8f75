//! Webhooks delivered a second, as the engine's own example measures them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::{at_share, build};

/// Measures it and answers the text about it.
pub fn measure(rounds: usize) -> anyhow::Result<String> {
    let example: PathBuf = build(&["--example", "deliveries"])?;
    let (mut said, mut rates) = (String::new(), Vec::new());
    for _ in 0..rounds {
        let output = Command::new(&example).output()?;
        ensure!(
            output.status.success(),
            "the deliveries failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let rate = said.rsplit(' ').next().and_then(|rate| rate.strip_suffix("/s")?.parse().ok());
        rates.push(rate.with_context(|| format!("no rate in `{said}`"))?);
    }
    let what = said.split(" in ").next().unwrap_or_default();
    Ok(format!(
        "{what} on loopback, the receivers in the same process, every attempt kept on disk: {:.0} a second (best), {:.0}\n\
         (median).\n",
        at_share(&rates, 1.0),
        at_share(&rates, 0.5)
    ))
}

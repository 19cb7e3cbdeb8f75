//! `cargo xtask quality`: how good results are on generated photographs, against named baselines, in docs/quality.md.

mod alpha;
mod baselines;
mod colour;
mod fidelity;
mod score;
mod upscale;

use std::path::PathBuf;

use crate::samples::Half;

/// Measures the quality of results on generated photographs and writes it into docs/quality.md.
#[derive(clap::Args)]
pub struct Options {
    /// Measure this alone
    #[arg(long)]
    only: Option<Part>,
    /// Which half of the set; what is published is the one that nothing was tuned on
    #[arg(long, default_value = "report")]
    half: Half,
    /// Photographs
    #[arg(long, default_value_t = 64)]
    count: usize,
    /// First seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Longer side of the photographs in pixels
    #[arg(long, default_value_t = 1024)]
    side: u32,
    /// Folder for pictures and masks, to be looked at
    #[arg(long, default_value = "results/quality")]
    out: PathBuf,
    /// Leave out the baselines that need Python
    #[arg(long)]
    no_python: bool,
    /// Leave out what needs a network besides the cut-out's
    #[arg(long)]
    no_networks: bool,
    /// Print the tables without writing the page
    #[arg(long)]
    dry: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Cut-outs: alpha and edge colour
    Alpha,
    /// White balance on known casts
    Colour,
    /// Enlarging
    Upscale,
}

impl Part {
    const ALL: [Self; 3] = [Self::Alpha, Self::Colour, Self::Upscale];

    fn name(self) -> &'static str {
        match self {
            Self::Alpha => "alpha",
            Self::Colour => "colour",
            Self::Upscale => "upscale",
        }
    }
}

/// Measures and writes.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let page = crate::root().join("docs/quality.md");
    for part in Part::ALL.into_iter().filter(|part| options.only.is_none_or(|only| only == *part)) {
        let text = match part {
            Part::Alpha => alpha::measure(options)?,
            Part::Colour => colour::measure(options)?,
            Part::Upscale => upscale::measure(options)?,
        };
        let text = format!("Machine: {}.\n\n{}", crate::bench::machine(), text.trim());
        println!("{text}");
        if !options.dry {
            crate::page::replace(&page, part.name(), &text)?;
        }
    }
    Ok(())
}

//! `cargo xtask samples`: photographs of products that were never made, with their exact alpha, colours and shadow.

mod backdrop;
mod camera;
mod chance;
mod cloth;
mod light;
mod products;
mod render;
mod scene;
mod shadow;
mod solid;
pub mod spec;
mod stroke;
#[cfg(test)]
mod tests;
mod vector;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pixels::{Bitmap, EncodeOptions, Encoding};

pub use render::{Sample, render};
pub use spec::{Ground, Half, Kind, Spec};

/// Renders product photographs with their exact truth.
#[derive(clap::Args)]
pub struct Options {
    /// Folder for the samples, one folder each
    #[arg(long, default_value = "results/samples")]
    out: PathBuf,
    /// How many
    #[arg(long, default_value_t = 32)]
    count: usize,
    /// First seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Which half of the set
    #[arg(long, default_value = "all")]
    half: Half,
    /// Longer side in pixels
    #[arg(long, default_value_t = 1280)]
    side: u32,
    /// Only this product
    #[arg(long)]
    kind: Option<Kind>,
    /// Only this backdrop
    #[arg(long)]
    backdrop: Option<Ground>,
}

/// Renders and writes them.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let fits = |spec: &Spec| {
        options.kind.is_none_or(|kind| kind == spec.kind)
            && options.backdrop.is_none_or(|ground| ground == spec.ground)
            && (options.half == Half::All || options.half == spec.half())
    };
    let specs = (0..).map(|number| Spec::numbered(options.seed, number, options.side)).filter(fits);
    for spec in specs.take(options.count) {
        let folder = options.out.join(spec.name());
        write(&spec, &render(&spec)?, &folder)?;
        println!("{}", folder.display());
    }
    Ok(())
}

/// The bytes of the photo's file.
pub fn photo_file(spec: &Spec, sample: &Sample) -> anyhow::Result<Vec<u8>> {
    encode(&sample.photo, spec.jpeg.map_or(Encoding::png(), Encoding::jpeg))
}

fn write(spec: &Spec, sample: &Sample, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let photo = if spec.jpeg.is_some() { "photo.jpg" } else { "photo.png" };
    fs::write(folder.join(photo), photo_file(spec, sample)?)?;
    fs::write(folder.join("alpha.png"), encode(&shown(&sample.alpha())?, Encoding::png())?)?;
    fs::write(folder.join("shadow.png"), encode(&shown(&sample.shadow)?, Encoding::png())?)?;
    fs::write(folder.join("foreground.png"), encode(&sample.foreground, Encoding::png())?)?;
    fs::write(folder.join("backdrop.png"), encode(&sample.backdrop, Encoding::png())?)?;
    fs::write(folder.join("truth.json"), format!("{:#}\n", spec.to_json()))?;
    Ok(())
}

fn encode(bitmap: &Bitmap, encoding: Encoding) -> anyhow::Result<Vec<u8>> {
    Ok(pixels::encode(bitmap, &EncodeOptions::new(encoding))?)
}

/// A mask as a picture.
fn shown(mask: &pixels::Mask) -> anyhow::Result<Bitmap> {
    let samples = mask.values().iter().flat_map(|&value| [value; 3]).collect();
    Ok(Bitmap::from_u8(mask.width(), mask.height(), pixels::Channels::Rgb, samples)?)
}

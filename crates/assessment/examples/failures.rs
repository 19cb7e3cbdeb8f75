//! Writes the pictures of the tests as one sheet to look at: `cargo run --example failures -- FILE.png`.

#![allow(clippy::print_stdout)]

#[path = "../tests/pictures/mod.rs"]
#[allow(dead_code, unreachable_pub)]
mod pictures;

use std::error::Error;

use pixels::{
    Bitmap, Channels, EncodeOptions, Encoding, Filter, Samples, encode, fit_inside, flatten, lay_over, place,
    resize,
};

/// Side of a cell and cells in a row.
const CELL: u32 = 300;
const COLUMNS: u32 = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name the file to write")?;
    let cases = pictures::cases();
    let rows = (cases.len() as u32).div_ceil(COLUMNS);
    let (width, height) = (COLUMNS * CELL, rows * CELL);
    // A colour that no picture has, so that white backdrops and transparency are seen as what they are.
    let ground = [120u8, 150, 120].repeat((width * height) as usize);
    let mut sheet = Bitmap::from_u8(width, height, Channels::Rgb, ground)?.into_rgba();
    for (index, case) in cases.iter().enumerate() {
        let size = (case.picture.width(), case.picture.height());
        let (w, h) = fit_inside(size, (CELL - 8, CELL - 8), false);
        let small = resize(&case.picture, w, h, Filter::Box)?.into_rgba();
        let (x, y) = (index as u32 % COLUMNS * CELL + 4, index as u32 / COLUMNS * CELL + 4);
        sheet = lay_over(&sheet, &place(width, height, &small, i64::from(x), i64::from(y))?)?;
        let start = std::time::Instant::now();
        let report = assessment::assess(
            &case.picture,
            &case.file,
            Some(&case.reference),
            &case.task,
            &Default::default(),
        );
        let values: Vec<String> = report
            .readings
            .iter()
            .map(|r| format!("{}={}", r.code, r.value.map_or("-".to_owned(), |v| format!("{v:.2}"))))
            .collect();
        println!("{} ms {}", start.elapsed().as_millis(), values.join(" "));
        println!(
            "{} {}: {}, fails {}",
            index / COLUMNS as usize,
            index % COLUMNS as usize,
            case.name,
            case.fails.unwrap_or("nothing")
        );
    }
    let sheet = flatten(&sheet, [255; 3]);
    debug_assert!(matches!(sheet.samples(), Samples::U8(_)));
    std::fs::write(path, encode(&sheet.without_alpha(), &EncodeOptions::new(Encoding::png()))?)?;
    Ok(())
}

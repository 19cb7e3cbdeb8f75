//! Prints the golden rows of a model for `models.toml`: `cargo run -p neural --example golden -- FOLDER ID`.
#![allow(clippy::print_stdout)]

use neural::ModelStore;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(id)) = (arguments.next(), arguments.next()) else {
        return Err("name the models folder and a model".into());
    };
    let store = ModelStore::new(folder);
    let values = store.golden(&id)?;
    if store.manifest().models.iter().any(|model| model.id == id && model.output.shape.is_some()) {
        values
            .chunks(8)
            .for_each(|row| println!("    {}", row.iter().map(|v| format!("{v:.4}, ")).collect::<String>()));
    } else {
        for row in values.chunks(16) {
            println!(
                "    {:?},",
                row.iter().map(|mean| (mean * 10_000.0).round() as u16).collect::<Vec<_>>()
            );
        }
    }
    Ok(())
}

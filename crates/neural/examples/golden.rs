//! Prints the golden rows of a model for `models.toml`: `cargo run -p neural --example golden -- FOLDER ID`.
#![allow(clippy::print_stdout)]

use neural::ModelStore;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(id)) = (arguments.next(), arguments.next()) else {
        return Err("name the models folder and a model".into());
    };
    for row in ModelStore::new(folder).golden(&id)? {
        println!("    {row:?},");
    }
    Ok(())
}

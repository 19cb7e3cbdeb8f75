//! Measures picture files and prints what was found: `cargo run --example assess -- TASK FILE…`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::time::Instant;

use assessment::{EncodedFile, Limits, Task, assess};
use pixels::{DecodeOptions, decode};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(task) = arguments.next().map(|name| Task::of(&name)) else {
        eprintln!("name a task, then files");
        return ExitCode::from(2);
    };
    let mut failed = false;
    for path in arguments {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                eprintln!("`{path}`: {error}");
                failed = true;
                continue;
            }
        };
        let picture = match decode(&bytes, &DecodeOptions::default()) {
            Ok(decoded) => decoded.bitmap,
            Err(error) => {
                eprintln!("`{path}`: {error}");
                failed = true;
                continue;
            }
        };
        let start = Instant::now();
        let report = assess(&picture, &EncodedFile::of(&bytes), None, &task, &Limits::default());
        let score = report.score.map_or_else(|| "none".to_owned(), |score| format!("{score:.2}"));
        let action = report.action.map_or("no verdict", |action| action.name());
        println!("{path}: {action}, score {score}, {} ms", start.elapsed().as_millis());
        for reading in &report.readings {
            let value = reading.value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
            println!("  {:<24} {value:>9} {:<14?} {}", reading.code, reading.outcome, reading.sentence);
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

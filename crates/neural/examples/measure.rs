//! Times loading and running each model that is in a folder, on each runtime: `cargo run --release -p neural
//! --example measure -- FOLDER`. Run it alone on the machine.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use neural::{BackendChoice, ModelStore, Precision, Runtime, RuntimeOptions, Status};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("name the models folder")?;
    let store = ModelStore::new(&folder);
    println!("{:<12} {:<22} {:>8} {:>8} {:>8}  peak MB", "model", "runtime", "load ms", "min ms", "med ms");
    for model in &store.manifest().models {
        if store.status(&model.id)? == Status::Absent {
            continue;
        }
        for (backend, precision) in [
            (BackendChoice::Rten, Precision::F32),
            (BackendChoice::OpenVino, Precision::F32),
            (BackendChoice::OpenVino, Precision::Bf16),
        ] {
            if precision == Precision::Bf16 && !model.bf16 {
                continue;
            }
            let options = RuntimeOptions {
                backend,
                strict: true,
                offline: true,
                prefer: Some(model.id.clone()),
                precision: Some(precision),
                ..RuntimeOptions::new(&folder)
            };
            let runtime = Runtime::new(options)?;
            // Once for the self-test that only the first use of a runtime costs, then again for the time of a start.
            if let Err(reason) = runtime.cut_out() {
                println!("{:<12} {reason}", model.id);
                continue;
            }
            let runtime = Runtime::new(RuntimeOptions { ..runtime.options().clone() })?;
            let started = Instant::now();
            let network = runtime.cut_out()?;
            let load = started.elapsed().as_millis();
            let spec = network.spec();
            let picture: Vec<u8> = (0..spec.width * spec.height * 3).map(|i| (i % 251) as u8).collect();
            let input = spec.tensor(&picture)?;
            let mut times: Vec<u128> = (0..5)
                .map(|_| {
                    let started = Instant::now();
                    network.run(&input).map(|_| started.elapsed().as_millis())
                })
                .collect::<Result<_, _>>()?;
            times.sort_unstable();
            let info = network.info();
            let name = format!("{}-{} {}", info.backend, info.backend_version, info.precision);
            println!("{:<12} {name:<22} {load:>8} {:>8} {:>8}  {}", model.id, times[0], times[2], peak_mb());
        }
    }
    Ok(())
}

/// Reads the process's peak memory; of all that was measured so far, where the system says it.
fn peak_mb() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok())
        .map_or("?".into(), |kib| (kib / 1024).to_string())
}

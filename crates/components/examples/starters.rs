//! Takes pictures through every starter workflow: `cargo run --release -p components --example starters -- MODELS OUT
//! PICTURE...`, where MODELS is a folder of models. Prints what each step took and said.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{env, fs};

use components::{CacheLimits, Input, StepCache, Toolbox, starters};
use domain::image::{ContentHash, FileName};
use neural::{Runtime, RuntimeOptions};
use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1).map(PathBuf::from);
    let (Some(models), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("name the models folder, the folder for results, and pictures".into());
    };
    let options = RuntimeOptions {
        offline: true,
        record: env::var_os("RECORD").map(PathBuf::from),
        prefer: env::var("PREFER").ok(),
        ..RuntimeOptions::new(models)
    };
    let cache = StepCache::new(CacheLimits { memory_bytes: 256 << 20, disk: None })?;
    let toolbox = Toolbox::new(Some(Arc::new(Runtime::new(options)?)), cache);
    fs::create_dir_all(&out)?;
    for path in arguments {
        let bytes = fs::read(&path)?;
        let name = FileName::clean(&path.file_name().unwrap_or_default().to_string_lossy());
        let input = Input { bytes: &bytes, hash: ContentHash(Sha256::digest(&bytes).into()), name: &name };
        for starter in starters() {
            match toolbox.process(&input, &starter.steps, &AtomicBool::new(false)) {
                Ok(product) => {
                    let slug = starter.name.to_lowercase().replace(' ', "-");
                    let file = Path::new(product.file.name.as_str()).with_extension("");
                    let extension = product.file.name.extension().unwrap_or_default();
                    fs::write(
                        out.join(format!("{}-{slug}.{extension}", file.display())),
                        &product.file.bytes,
                    )?;
                    println!("{name}: {} → {} × {}", starter.name, product.file.width, product.file.height);
                    for step in product.reports {
                        let model = step.model.map(|model| format!("{} on {}", model.id, model.backend));
                        println!(
                            "    {:<18} {:>8.1} ms {} {} {}",
                            step.component,
                            step.millis,
                            if step.cached { "cached" } else { "      " },
                            model.unwrap_or_default(),
                            step.notes.join("; ")
                        );
                    }
                }
                Err(fault) => println!("{name}: {}: {} ({})", starter.name, fault.message, fault.code),
            }
        }
    }
    Ok(())
}

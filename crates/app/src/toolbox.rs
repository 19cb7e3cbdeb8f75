//! Puts the components together with the networks, the cache and the limits that the settings name.

use std::sync::Arc;

use components::{CacheLimits, DiskTier, StepCache, Toolbox};
use neural::{BackendChoice, Runtime, RuntimeOptions};

use crate::config::{Backend, Config};
use crate::limits;

/// The networks, as the settings want them. Loads and fetches nothing yet.
pub fn networks(config: &Config) -> anyhow::Result<Arc<Runtime>> {
    let options = RuntimeOptions {
        backend: match config.models.backend {
            Backend::Auto => BackendChoice::Auto,
            Backend::Rten => BackendChoice::Rten,
            Backend::Openvino => BackendChoice::OpenVino,
        },
        strict: config.models.strict,
        offline: config.offline,
        prefer: (config.models.cut_out != "auto").then(|| config.models.cut_out.clone()),
        ..RuntimeOptions::new(&config.models_dir)
    };
    Ok(Arc::new(Runtime::new(options)?))
}

/// The toolbox of a server: step results are kept in memory and, where they were dear, on disk.
pub fn with_disk(config: &Config, networks: Arc<Runtime>) -> anyhow::Result<Arc<Toolbox>> {
    let disk = DiskTier { folder: config.data_dir.join("cache").join("steps"), bytes: config.cache.disk.0 };
    build(config, networks, (disk.bytes > 0).then_some(disk))
}

/// The toolbox of a command: every photo is seen once, so that nothing is kept.
pub fn without_disk(config: &Config) -> anyhow::Result<Arc<Toolbox>> {
    let mut toolbox = Toolbox::new(Some(networks(config)?), StepCache::none());
    equip(&mut toolbox, config);
    Ok(Arc::new(toolbox))
}

/// Refuses to begin without the network of first choice, for those who asked for no other.
pub fn require_network(toolbox: &Toolbox) -> anyhow::Result<()> {
    if let Some(networks) = &toolbox.runtime {
        networks.cut_out()?;
    }
    Ok(())
}

/// The ids of the models that are there, as one text.
pub fn models_there(toolbox: &Toolbox) -> String {
    let listed = toolbox.runtime.iter().flat_map(|networks| networks.store().list());
    let there = |status: &neural::Status| matches!(status, neural::Status::Ready | neural::Status::Unchecked);
    listed.filter(|one| there(&one.status)).map(|one| one.id).collect::<Vec<_>>().join(" ")
}

fn build(config: &Config, networks: Arc<Runtime>, disk: Option<DiskTier>) -> anyhow::Result<Arc<Toolbox>> {
    let cache = StepCache::new(CacheLimits { memory_bytes: config.cache.memory.0, disk })?;
    let mut toolbox = Toolbox::new(Some(networks), cache);
    equip(&mut toolbox, config);
    Ok(Arc::new(toolbox))
}

fn equip(toolbox: &mut Toolbox, config: &Config) {
    toolbox.limits.file = limits(config);
    toolbox.limits.working_side = config.processing.max_side;
    toolbox.strict_models = config.models.strict;
}

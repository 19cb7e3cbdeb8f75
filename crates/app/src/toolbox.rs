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

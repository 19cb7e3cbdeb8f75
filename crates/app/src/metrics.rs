//! The numbers of this process as a Prometheus page.

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Starts counting. The handle writes the page.
pub fn start() -> anyhow::Result<PrometheusHandle> {
    let seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)
        .context("the buckets are wrong")?
        .install_recorder()
        .context("cannot start counting")?;
    metrics::describe_counter!("packshot_runs_total", "Attempts that ended, by the status the run took");
    metrics::describe_histogram!("packshot_run_seconds", "Time from claim to settlement of one attempt");
    metrics::describe_histogram!("packshot_step_seconds", "Time spent in one step, by component");
    metrics::describe_counter!("packshot_cache_hits_total", "Steps whose result came from the step cache");
    metrics::describe_gauge!("packshot_memory_budget_bytes", "Memory that running work may take together");
    metrics::describe_gauge!("packshot_memory_free_bytes", "Part of the memory budget that is not taken");
    metrics::describe_histogram!("packshot_admission_seconds", "Time a run waited for memory");
    metrics::describe_gauge!(
        "packshot_queue_depth",
        "Runs in the queue: ready, waiting for a pause, or leased"
    );
    metrics::describe_gauge!("packshot_queue_age_seconds", "How long the oldest ready run has been ready");
    metrics::describe_counter!(
        "packshot_webhook_attempts_total",
        "Attempts to deliver a webhook, by outcome: delivered, again (to be tried again) or given_up"
    );
    metrics::describe_histogram!("packshot_webhook_seconds", "Time one attempt to deliver a webhook took");
    Ok(handle)
}

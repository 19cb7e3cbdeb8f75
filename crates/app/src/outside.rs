//! The way out of the house: what the settings allow, and how webhooks are sent.

use std::time::Duration;

use anyhow::Context as _;
use domain::delivery::Schedule;
use domain::time::Millis;
use engine::DeliverySettings;
use outbound::{Allowed, Outbound, Rules};

use crate::config::Config;

/// The guarded client. Fails if the allow-list holds something that is no network and no name.
pub fn outbound(config: &Config) -> anyhow::Result<Outbound> {
    let parse = |text: &String| text.parse::<Allowed>().context("`outbound.allow` cannot be used");
    let allow = config.outbound.allow.iter().map(parse).collect::<Result<_, _>>()?;
    let user_agent = format!("Packshot/{}", env!("CARGO_PKG_VERSION"));
    Outbound::new(Rules { allow, user_agent, ..Rules::default() })
        .context("the guarded client cannot be made")
}

/// How webhooks are sent.
pub fn deliveries(config: &Config) -> DeliverySettings {
    let webhooks = &config.webhooks;
    DeliverySettings {
        concurrency: webhooks.concurrency,
        per_org: webhooks.per_organization,
        per_receiver: webhooks.per_receiver,
        timeout: Duration::from_secs(webhooks.timeout_seconds),
        schedule: Schedule {
            pauses: webhooks.pauses_ms.iter().map(|pause| Millis(i64::from(*pause))).collect(),
            ..Schedule::default()
        },
        ..DeliverySettings::default()
    }
}

//! Lists of subscriptions and of the secrets that sign callbacks.

use domain::id::SecretId;
use domain::subscription::CallbackSecret;
use domain::time::Millis;

use super::super::Empty;
use super::super::fixture::World;
use super::compare::compare;
use super::history::subscribe;
use super::plain;
use crate::{SecretField, SubscriptionField};

/// Every field of a subscription and of a secret.
pub async fn subscriptions_and_secrets_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, ours) = World::founded(make(), 3).await;
    let theirs = world.tenant("Other", 3).await;
    for tenant in [&ours, &theirs] {
        subscribe(&world, tenant).await;
        world.clock.advance(Millis(3));
        world.accepted(tenant).await;
        let claim = world.claim_one().await;
        world.settle(claim.token, &world.success()).await;
        let mut secrets = Vec::new();
        for nth in 0..5_usize {
            let secret = CallbackSecret {
                id: SecretId(world.id()),
                org: tenant.org,
                label: [None, Some("mug"), Some("A")][nth % 3].map(str::to_owned),
                prefix: format!("whsec_a{nth}"),
                secret: vec![7],
                is_current: false,
                last_used_at: None,
                created_at: world.now(),
                updated_at: world.now(),
            };
            secrets.push(world.store.add_secret(&secret, &tenant.user).await.unwrap());
            world.clock.advance(Millis((nth % 2) as i64));
        }
        compare(secrets, SecretField::ALL, SecretField::kind, async |listing| {
            world.store.list_secrets(tenant.org, &listing).await.unwrap()
        })
        .await;
        let all = world.store.list_subscriptions(tenant.org, &plain(Vec::new())).await.unwrap().entries;
        assert_eq!((all.len(), all.iter().filter(|each| each.last_event_at.is_some()).count()), (3, 2));
        for each in &all {
            let read = world.store.subscription(tenant.org, each.id).await.unwrap();
            assert_eq!(read.as_ref(), Some(each));
        }
        compare(all, SubscriptionField::ALL, SubscriptionField::kind, async |listing| {
            world.store.list_subscriptions(tenant.org, &listing).await.unwrap()
        })
        .await;
    }
}

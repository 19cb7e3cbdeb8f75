//! Lists of evaluations.

use domain::evaluation::{Asked, Evaluation, EvaluationState, Opinion, Report};
use domain::id::{EntryId, EvaluationId, EventId, LeaseToken, RunId};
use domain::request::{Face, From, Source};
use domain::run::{Failure, Fault, RetryPolicy};
use domain::time::Millis;
use serde_json::json;

use super::super::Empty;
use super::super::fixture::{LEASE, Tenant, World};
use super::compare::compare;
use crate::{Admitted, EvaluationField, Measured, NewEvaluation};

async fn evaluations(world: &World, tenant: &Tenant, runs: &[RunId]) -> Vec<EvaluationId> {
    world.store.grant(tenant.org, EntryId(world.id()), 100).await.unwrap();
    let mut ids = Vec::new();
    for nth in 0..9_usize {
        world.clock.advance(Millis((nth % 2) as i64));
        let picture = Source {
            slot: String::new(),
            from: From::Address("https://img.test/1.jpg".to_owned()),
            member: None,
        };
        let evaluation = Evaluation {
            id: EvaluationId(world.id()),
            org: tenant.org,
            user: tenant.user.clone(),
            run: (nth % 3 > 0).then(|| runs[nth % 3]),
            asked: Asked {
                task: ["product_photography", "mug"][nth % 2].to_owned(),
                picture,
                references: Vec::new(),
                details: json!({}),
                limits: json!({}),
            },
            face: Face("runflow".to_owned()),
            client_ref: [None, Some("a"), Some("mug")][nth % 3].map(str::to_owned),
            webhooks: Vec::new(),
            price: 1,
            charged: 0,
            created_at: world.now(),
            updated_at: world.now(),
            opinion: None,
            state: EvaluationState::Pending,
        };
        ids.push(evaluation.id);
        let new = NewEvaluation { evaluation, entry: EntryId(world.id()), answer: None };
        assert_eq!(world.store.accept_evaluation(&new).await.unwrap(), Admitted::Pending);
    }
    let tokens: Vec<_> = (0..6).map(|_| LeaseToken(world.id())).collect();
    let events: Vec<_> = (0..6).map(|_| EventId(world.id())).collect();
    let policy = RetryPolicy::default();
    let claims =
        world.store.claim_evaluations(&world.worker(), LEASE, policy, &tokens, &events).await.unwrap();
    assert_eq!(claims.len(), 6);
    for (nth, claim) in claims.into_iter().enumerate() {
        world.clock.advance(Millis(5));
        let how = match nth {
            0 => continue,
            1 => {
                let failure = Failure::new("no_picture", "it is gone", Fault::Input);
                Measured::Failed { failure, policy, chance: 0.5 }
            }
            _ => {
                let score = [0.0, 1.0, 0.62, 0.1 + 0.2, 2.0 / 3.0, 0.007_812_5][nth];
                Measured::Completed(Box::new(Report { passed: nth % 2 == 0, score, ..Report::default() }))
            }
        };
        world.store.settle_evaluation(claim.token, EventId(world.id()), &how).await.unwrap();
        if nth > 3 {
            let opinion = Opinion { is_positive: nth == 4, reason: None };
            world.store.give_opinion(tenant.org, claim.evaluation.id, Some(&opinion)).await.unwrap();
        }
    }
    ids
}

/// Every field of an evaluation, in every state.
pub async fn evaluations_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, ours) = World::founded(make(), 10).await;
    let theirs = world.tenant("Other", 10).await;
    for tenant in [&ours, &theirs] {
        let runs = [world.accepted(tenant).await, world.accepted(tenant).await, world.accepted(tenant).await];
        let ids = evaluations(&world, tenant, &runs).await;
        let mut all = Vec::new();
        for id in ids {
            all.push(world.store.evaluation(tenant.org, id).await.unwrap().expect("it is there"));
        }
        compare(all, EvaluationField::ALL, EvaluationField::kind, async |listing| {
            world.store.list_evaluations(tenant.org, &listing).await.unwrap()
        })
        .await;
        // What is claimed of one organization is out of the way of the other.
        world.clock.advance(Millis(1));
        let tokens: Vec<_> = (0..20).map(|_| LeaseToken(world.id())).collect();
        let policy = RetryPolicy::default();
        let events: Vec<_> = (0..20).map(|_| EventId(world.id())).collect();
        world.store.claim_evaluations(&world.worker(), LEASE, policy, &tokens, &events).await.unwrap();
    }
}

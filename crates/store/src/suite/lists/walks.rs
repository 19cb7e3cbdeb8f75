//! Walks of a list with its cursors.

use domain::filter::{Cursor, Direction, Kind, Listing, Sort};
use domain::id::RunId;
use domain::time::Millis;

use super::super::Empty;
use super::super::fixture::World;
use super::plain;
use crate::{Listed, RunField};

/// Who walks a list while others are added meets everything that was there, once and in order; a way back shows what came
/// before.
pub async fn a_walk_goes_on_while_others_come(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 100).await;
    let mut there = Vec::new();
    for _ in 0..10 {
        there.push(world.accepted(&tenant).await);
    }
    for descending in [true, false] {
        let sorts = vec![Sort { field: RunField::CreatedAt, kind: Kind::Time, descending }];
        let mut listing = Listing { limit: 3, ..plain(sorts) };
        let mut seen: Vec<RunId> = Vec::new();
        let first = world.store.list_runs(tenant.org, &listing).await.unwrap();
        let mut leaf = first.clone();
        loop {
            seen.extend(leaf.entries.iter().map(|run| run.id));
            let Some(next) = leaf.next else { break };
            if there.len() < 16 {
                world.clock.advance(Millis(1));
                there.push(world.accepted(&tenant).await);
            }
            listing.from = Some(next);
            leaf = world.store.list_runs(tenant.org, &listing).await.unwrap();
        }
        let mut expected = there.clone();
        if descending {
            expected.truncate(10);
            expected.reverse();
        }
        assert_eq!(seen, expected, "{descending}");
        if descending {
            // What has come since lies before the first page.
            let position = listing.position(first.entries[0].id.0, &|field| first.entries[0].value(*field));
            listing.from = Some(Cursor { position, direction: Direction::Backward });
            let back = world.store.list_runs(tenant.org, &listing).await.unwrap();
            let newer: Vec<_> = there[10..].iter().rev().copied().collect();
            let shown: Vec<_> = back.entries.iter().map(|run| run.id).collect();
            assert_eq!(shown, newer[newer.len().saturating_sub(3)..]);
        }
    }
}

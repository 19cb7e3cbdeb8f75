//! One page of a list that is narrowed, ordered and walked both ways.

use uuid::Uuid;

use super::sort::in_order;
use super::{Cursor, Direction, Expr, Position, Sort, Value, matches};

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<F> {
    /// What its entries must meet, if anything.
    pub filter: Option<Expr<F>>,
    /// What it is ordered by; the id decides among equals, in the direction of the last key.
    pub sorts: Vec<Sort<F>>,
    /// Where the page begins; at the start of the list if nowhere.
    pub from: Option<Cursor>,
    /// How many entries at most; at least one.
    pub limit: u32,
}

/// Part of a list, with the ways on and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf<T> {
    /// The entries, in the list's order whichever way it is walked.
    pub entries: Vec<T>,
    /// Where the page after this one begins; `None` on the last page.
    pub next: Option<Cursor>,
    /// Where the page before this one begins; `None` on the first page.
    pub previous: Option<Cursor>,
}

impl<F> Listing<F> {
    /// Which way the list is walked.
    pub fn direction(&self) -> Direction {
        self.from.as_ref().map_or(Direction::Forward, |cursor| cursor.direction)
    }

    /// How many entries to look for: one more than fit, to know whether there are more.
    pub fn ask(&self) -> usize {
        self.limit as usize + 1
    }

    /// The place of an entry in the list, given the values of its fields.
    pub fn position(&self, id: Uuid, value: &dyn Fn(&F) -> Option<Value>) -> Position {
        Position { keys: self.sorts.iter().map(|sort| value(&sort.field)).collect(), id }
    }

    /// Makes a page of what was found from the cursor on, nearest first, [one more](Self::ask) than fit if there are more.
    ///
    /// A walk that comes to nothing leads back to beside where it began: what it began at is not shown again.
    pub fn leaf<T>(&self, mut found: Vec<T>, position: impl Fn(&T) -> Position) -> Leaf<T> {
        let has_more = found.len() > self.limit as usize;
        found.truncate(self.limit as usize);
        let direction = self.direction();
        if direction == Direction::Backward {
            found.reverse();
        }
        let began = self.from.as_ref().map(|cursor| cursor.position.clone());
        let beside = |entry: Option<&T>, direction| {
            entry.map(&position).or_else(|| began.clone()).map(|position| Cursor { position, direction })
        };
        let (is_next, is_previous) = match direction {
            Direction::Forward => (has_more, self.from.is_some()),
            Direction::Backward => (true, has_more),
        };
        let next = if is_next { beside(found.last(), Direction::Forward) } else { None };
        let previous = if is_previous { beside(found.first(), Direction::Backward) } else { None };
        Leaf { entries: found, next, previous }
    }

    /// The page of a list that is all at hand, in any order.
    pub fn of_all<T>(
        &self,
        all: Vec<T>,
        id: impl Fn(&T) -> Uuid,
        value: impl Fn(&T, &F) -> Option<Value>,
    ) -> Leaf<T> {
        let position = |entry: &T| self.position(id(entry), &|field| value(entry, field));
        let is_meant = |entry: &T| {
            self.filter.as_ref().is_none_or(|filter| matches(filter, &|field| value(entry, field)))
        };
        let mut placed: Vec<_> =
            all.into_iter().filter(is_meant).map(|entry| (position(&entry), entry)).collect();
        placed.sort_by(|(a, _), (b, _)| in_order(&self.sorts, a, b));
        if self.direction() == Direction::Backward {
            placed.reverse();
        }
        let is_beyond = |at: &Position| match &self.from {
            None => true,
            Some(Cursor { position, direction: Direction::Forward }) => {
                in_order(&self.sorts, at, position).is_gt()
            }
            Some(Cursor { position, direction: Direction::Backward }) => {
                in_order(&self.sorts, at, position).is_lt()
            }
        };
        let found = placed.into_iter().filter(|(at, _)| is_beyond(at)).take(self.ask());
        self.leaf(found.map(|(_, entry)| entry).collect(), position)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Decimal, Kind};
    use super::*;

    /// An id, and two values that may be missing.
    type Row = (u8, [Option<u8>; 2]);

    fn value(row: &Row, field: &usize) -> Option<Value> {
        row.1[*field].map(|value| Value::Number(Decimal::from(i64::from(value))))
    }

    fn id(row: &Row) -> Uuid {
        Uuid::from_u128(row.0.into())
    }

    fn listing(descending: &[bool], limit: u32) -> Listing<usize> {
        let by =
            |(field, descending): (usize, &bool)| Sort { field, kind: Kind::Number, descending: *descending };
        let sorts = descending.iter().enumerate().map(by).collect();
        Listing { filter: None, sorts, from: None, limit }
    }

    #[test]
    fn what_is_missing_is_first_ascending_and_last_descending() {
        let rows = vec![(1, [Some(5), None]), (2, [None, None]), (3, [Some(7), None]), (4, [None, None])];
        let ids = |descending: &[bool]| -> Vec<u8> {
            let leaf = listing(descending, 9).of_all(rows.clone(), id, value);
            leaf.entries.iter().map(|row| row.0).collect()
        };
        assert_eq!(ids(&[false]), [2, 4, 1, 3]);
        assert_eq!(ids(&[true]), [3, 1, 4, 2]);
        assert_eq!(ids(&[]), [1, 2, 3, 4]);
    }

    #[test]
    fn a_walk_that_comes_to_nothing_leads_back() {
        let rows = vec![(1, [Some(1), None]), (2, [Some(2), None]), (3, [Some(3), None])];
        let first = listing(&[false], 2).of_all(rows.clone(), id, value);
        assert_eq!((first.entries.len(), &first.previous), (2, &None));
        let from_next = Listing { from: first.next, ..listing(&[false], 2) };
        let gone = from_next.of_all(rows[..2].to_vec(), id, value);
        assert_eq!((gone.entries.len(), &gone.next), (0, &None));
        let back = Listing { from: gone.previous, ..listing(&[false], 2) }.of_all(rows.clone(), id, value);
        assert_eq!(back.entries, rows[..1]);
        assert_eq!(back.previous, None);
        let on = Listing { from: back.next, ..listing(&[false], 2) }.of_all(rows.clone(), id, value);
        assert_eq!((on.entries.as_slice(), on.next), (&rows[1..], None));
    }

    proptest! {
        #[test]
        fn page_by_page_is_all_at_once_both_ways(
            rows in prop::collection::btree_map(any::<u8>(), prop::array::uniform2(prop::option::of(0u8..3)), 0..30),
            descending in prop::collection::vec(any::<bool>(), 0..=2),
            limit in 1u32..7,
        ) {
            let rows: Vec<Row> = rows.into_iter().collect();
            let whole = listing(&descending, 100).of_all(rows.clone(), id, value);
            prop_assert_eq!((whole.next, whole.previous), (None, None));
            let mut asked = listing(&descending, limit);
            let mut pages = Vec::new();
            loop {
                let leaf = asked.of_all(rows.clone(), id, value);
                pages.push(leaf.entries);
                asked.from = leaf.next;
                if asked.from.is_none() {
                    asked.from = leaf.previous;
                    break;
                }
            }
            prop_assert_eq!(pages.concat(), whole.entries);
            pages.pop();
            while asked.from.is_some() {
                let leaf = asked.of_all(rows.clone(), id, value);
                prop_assert_eq!(Some(leaf.entries), pages.pop());
                asked.from = leaf.previous;
            }
            prop_assert!(pages.is_empty());
        }
    }
}

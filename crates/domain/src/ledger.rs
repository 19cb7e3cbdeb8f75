//! Credits: whole numbers that move only through ledger entries. The balance is the sum of the entries, never negative.

use crate::id::{EntryId, EvaluationId, OrgId, RunId, UserId};
use crate::time::Timestamp;

/// Why credits moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Credits given: at the start, or by an administrator.
    Grant,
    /// Credits taken for a run or an evaluation, at its creation or at the retry that pays for it; at most once for each.
    Charge,
    /// The credits of a run or an evaluation given back; at most once for each.
    Refund,
}

impl Kind {
    /// Its name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Charge => "charge",
            Self::Refund => "refund",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Grant, Self::Charge, Self::Refund].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One movement of credits. Entries are only ever added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// Whose credits.
    pub org: OrgId,
    /// Why.
    pub kind: Kind,
    /// Credits in (positive) or out (negative).
    pub amount: i64,
    /// The balance after it.
    pub balance: i64,
    /// The run it is for, if it is for one.
    pub run: Option<RunId>,
    /// The evaluation it is for, if it is for one.
    pub evaluation: Option<EvaluationId>,
    /// Who gave them, where a person did.
    pub by: Option<UserId>,
    /// What for, in their words; empty if nothing was said.
    pub note: String,
    /// When.
    pub at: Timestamp,
}

/// The balance is lower than the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the balance is {balance} credits, {price} are needed; top up and retry")]
pub struct OutOfCredit {
    /// Credits there are.
    pub balance: i64,
    /// Credits needed.
    pub price: u32,
}

/// The balance after paying `price`, or a refusal that leaves it as it is.
pub fn charge(balance: i64, price: u32) -> Result<i64, OutOfCredit> {
    let after = balance - i64::from(price);
    if after < 0 { Err(OutOfCredit { balance, price }) } else { Ok(after) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_row_of_charges_makes_a_balance_negative(start in 0i64..10_000, prices in prop::collection::vec(0u32..500, 0..200)) {
            let mut balance = start;
            let mut taken = 0;
            for price in prices {
                match charge(balance, price) {
                    Ok(after) => {
                        balance = after;
                        taken += i64::from(price);
                    }
                    Err(refused) => prop_assert!(refused.balance < i64::from(price)),
                }
                prop_assert!(balance >= 0);
                prop_assert_eq!(balance, start - taken);
            }
        }
    }
}

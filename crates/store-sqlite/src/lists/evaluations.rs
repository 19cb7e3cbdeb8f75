//! Lists of evaluations.

use domain::evaluation::Evaluation;
use domain::filter::{Leaf, Listing};
use domain::id::OrgId;
use rusqlite::Connection;
use store::{EvaluationField, SCORE_PLACES, StoreError};

use super::{Noun, Way, always, blob, maybe, required};
use crate::evaluations::{EVALUATION_COLUMNS, evaluation};
use crate::filter::{Column, Kept};

fn column(field: &EvaluationField) -> Column {
    match field {
        EvaluationField::Id => always("e.id", Kept::Id),
        EvaluationField::Status => always("e.status", Kept::Text),
        EvaluationField::CreatedAt => always("e.created_at", Kept::Time),
        EvaluationField::UpdatedAt => always("e.updated_at", Kept::Time),
        EvaluationField::FinishedAt => maybe("e.finished_at", Kept::Time),
        EvaluationField::Run => maybe("e.run", Kept::Id),
        EvaluationField::Reference => maybe("e.client_ref", Kept::Text),
        EvaluationField::Task => always("(e.asked ->> '$.task')", Kept::Text),
        EvaluationField::Passed => maybe("(e.report ->> '$.passed')", Kept::Bool),
        EvaluationField::Score => {
            const { assert!(SCORE_PLACES == 6) }
            // Rounded as `Listed` rounds.
            let kept = Kept::Number { places: SCORE_PLACES };
            maybe("CAST((e.report ->> '$.score') * 1000000.0 + 0.5 AS INTEGER)", kept)
        }
        EvaluationField::Liked => maybe("(e.opinion ->> '$.is_positive')", Kept::Bool),
    }
}

pub(super) fn noun() -> Noun<EvaluationField> {
    Noun { columns: EVALUATION_COLUMNS.to_owned(), table: "evaluations e", id: "e.id", column }
}

pub(super) fn ways(
    noun: &Noun<EvaluationField>,
    org: OrgId,
    listing: &Listing<EvaluationField>,
) -> Vec<Way<EvaluationField>> {
    let org = blob(org.0);
    let by = |index: &str, column: &str| {
        format!("evaluations e INDEXED BY {index} WHERE e.org = ? AND e.{column} = ?")
    };
    if required(listing, &EvaluationField::Id).is_some() {
        vec![noun.way("evaluations e WHERE +e.org = ?", [org])]
    } else if let Some(runs) = required(listing, &EvaluationField::Run) {
        noun.ways(runs, &by("evaluations_of_run", "run"), [org])
    } else if let Some(references) = required(listing, &EvaluationField::Reference) {
        noun.ways(references, &by("evaluations_by_ref", "client_ref"), [org])
    } else {
        vec![noun.way("evaluations e INDEXED BY evaluations_of_org WHERE e.org = ?", [org])]
    }
}

pub(super) fn list(
    conn: &Connection,
    org: OrgId,
    listing: &Listing<EvaluationField>,
) -> Result<Leaf<Evaluation>, StoreError> {
    let noun = noun();
    noun.page(conn, &ways(&noun, org, listing), listing, evaluation)
}

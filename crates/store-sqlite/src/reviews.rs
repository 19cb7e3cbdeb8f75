//! What people say about results.

use async_trait::async_trait;
use domain::id::{OrgId, RunId, UserId};
use domain::review::{Review, Verdict};
use domain::run::{Failure, Fault, Feedback, Status};
use domain::time::Millis;
use rusqlite::params;
use serde_json::json;
use store::{Judged, Judgement, Reviews, Ruling, StoreError};

use crate::audit::record;
use crate::database::Sqlite;
use crate::queue::{end, give_back};
use crate::rows::{id_list, named, to_json};
use crate::runs::enqueue;
use crate::sql::Sql;
use crate::writer::Tx;

/// The failure of a run that a person gave up.
fn rejected(reason: Option<&str>) -> Failure {
    let message = match reason {
        Some(reason) => format!("rejected in the quality check: {reason}"),
        None => "rejected in the quality check".to_owned(),
    };
    Failure::new("rejected", message, Fault::Input)
}

fn judge(
    tx: &mut Tx<'_>,
    org: OrgId,
    by: &UserId,
    reason: Option<&str>,
    judgement: &Judgement,
) -> Result<Judged, StoreError> {
    let run = judgement.run;
    let found = tx.conn.one(
        "SELECT status FROM runs WHERE id = ?1 AND org = ?2",
        params![run.0.as_bytes(), org.0.as_bytes()],
        |row| named(row, 0, Status::parse),
    )?;
    let Some(status) = found else { return Ok(Judged::Missing) };
    if status != Status::InReview {
        return Ok(Judged::Refused(status));
    }
    let (verdict, next) = match judgement.what {
        Ruling::Approve => (Verdict::Approve, Status::Succeeded),
        Ruling::Reprocess { .. } => (Verdict::Reprocess, Status::Queued),
        Ruling::GiveUp => (Verdict::GiveUp, Status::Failed),
    };
    let review = Review { verdict, by: by.clone(), at: tx.now, reason: reason.map(str::to_owned) };
    let review = to_json(&review)?;
    let id = run.0.as_bytes();
    match &judgement.what {
        Ruling::Approve => tx.conn.exec(
            "UPDATE runs SET status = 'succeeded', finished_at = ?2, review = ?3 WHERE id = ?1",
            params![id, tx.now.0, review],
        )?,
        Ruling::Reprocess { overrides } => tx.conn.exec(
            "UPDATE runs SET status = 'queued', started_at = NULL, result = NULL, overrides = ?2, review = ?3
             WHERE id = ?1",
            params![id, to_json(overrides)?, review],
        )?,
        Ruling::GiveUp => tx.conn.exec(
            "UPDATE runs SET status = 'failed', finished_at = ?2, result = NULL, failure = ?3, review = ?4
             WHERE id = ?1",
            params![id, tx.now.0, to_json(&rejected(reason))?, review],
        )?,
    };
    if next == Status::Queued {
        enqueue(tx, org, run, tx.now + Millis(0))?;
    }
    let details = json!({ "reason": reason });
    let action = match verdict {
        Verdict::Approve => "run.approved",
        Verdict::Reprocess => "run.sent_back",
        Verdict::GiveUp => "run.given_up",
    };
    record(tx, org, Some(by), action, &run.to_string(), &details)?;
    if next == Status::Failed {
        give_back(tx, org, run)?;
    }
    end(tx, run, org, judgement.event, next)?;
    Ok(Judged::Now(next))
}

#[async_trait]
impl Reviews for Sqlite {
    async fn judge(
        &self,
        org: OrgId,
        by: &UserId,
        reason: Option<&str>,
        judgements: &[Judgement],
    ) -> Result<Vec<Judged>, StoreError> {
        let (by, reason, judgements) = (by.clone(), reason.map(str::to_owned), judgements.to_vec());
        self.write("judge", move |tx| {
            judgements.iter().map(|judgement| judge(tx, org, &by, reason.as_deref(), judgement)).collect()
        })
        .await
    }

    async fn give_feedback(
        &self,
        among: &[OrgId],
        run: RunId,
        feedback: &Feedback,
    ) -> Result<bool, StoreError> {
        let (among, feedback) = (id_list(among.iter().map(|org| org.0)), to_json(feedback)?);
        self.write("give_feedback", move |tx| {
            let changed = tx.conn.exec(
                "UPDATE runs SET feedback = ?3
                 WHERE id = ?1 AND org IN (SELECT unhex(value) FROM json_each(?2))",
                params![run.0.as_bytes(), among, feedback],
            )?;
            Ok(changed == 1)
        })
        .await
    }
}

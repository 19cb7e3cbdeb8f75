//! The check of results by people.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use domain::access::Caller;
use domain::id::{EventId, OrgId, RunId, VersionId};
use domain::review::Verdict;
use domain::run::{Run, RunFilter, Status};
use domain::workflow::Step;
use serde_json::Value;
use store::{Judged, Judgement, Ruling};

use crate::{OrgChoice, Refusal, Service, Thing};

/// The steps of workflow versions that were looked up.
type Versions = HashMap<VersionId, Vec<Step>>;

/// Runs judged in one transaction.
const AT_ONCE: u32 = 200;
/// Longest reason, in bytes.
const REASON_BYTES_MAX: usize = 2000;

/// What a person says about a result, or about all results of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// What is to become of it.
    pub verdict: Verdict,
    /// For [`Verdict::Reprocess`]: settings merged over the run's own overrides, keyed by step label or component; an
    /// object, or null for none.
    pub overrides: Value,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// How many runs of a batch were judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that took the verdict.
    pub judged: u64,
    /// Those that somebody else judged at the same moment.
    pub passed_over: u64,
}

impl Opinion {
    fn check(&self) -> Result<(), Refusal> {
        if self.reason.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
            return Err(Refusal::Invalid(format!("the reason is longer than {REASON_BYTES_MAX} bytes")));
        }
        match &self.overrides {
            Value::Null => Ok(()),
            Value::Object(_) if self.verdict == Verdict::Reprocess => Ok(()),
            Value::Object(overrides) if overrides.is_empty() => Ok(()),
            Value::Object(_) => {
                Err(Refusal::Invalid("overrides go with the verdict `reprocess` only".to_owned()))
            }
            _ => Err(Refusal::InvalidSettings(
                "the overrides are no object; give `{\"<component>\": {\"<setting>\": ...}}`".to_owned(),
            )),
        }
    }
}

/// One set of overrides laid over another, setting by setting.
fn merged(under: &Value, over: &Value) -> Value {
    let mut merged = under.as_object().cloned().unwrap_or_default();
    for (step, settings) in over.as_object().into_iter().flatten() {
        match (merged.get_mut(step).and_then(Value::as_object_mut), settings.as_object()) {
            (Some(known), Some(settings)) => {
                known.extend(settings.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            _ => {
                merged.insert(step.clone(), settings.clone());
            }
        }
    }
    Value::Object(merged)
}

impl Service {
    /// Judges one run that is in review; answers it as it is then. Refuses with [`Refusal::NotInReview`] any other.
    pub async fn judge(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: RunId,
        opinion: &Opinion,
    ) -> Result<Run, Refusal> {
        self.need_scope(caller, "runs:execute")?;
        opinion.check()?;
        let among = self.orgs_to_search(caller, choice);
        let run = self.read_run(&among, id).await?;
        let judgement = self.judgement(&run, opinion, &mut Versions::default()).await?;
        match self.send(caller, run.org, opinion, &[judgement]).await?.first() {
            Some(Judged::Now(status)) => {
                tracing::info!(run.id = %id, status = status.as_str(), "judged run `{id}`");
                self.read_run(&among, id).await
            }
            Some(Judged::Refused(status)) => Err(Refusal::NotInReview { status: *status }),
            Some(Judged::Missing) | None => Err(Refusal::missing(Thing::Run, id)),
        }
    }

    /// Judges every run of a batch that is in review at this moment. Those that come into review later are not touched.
    pub async fn judge_batch(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        batch: &str,
        opinion: &Opinion,
    ) -> Result<Tally, Refusal> {
        self.need_scope(caller, "runs:execute")?;
        opinion.check()?;
        let batch = self.batch(caller, choice, batch).await?;
        let filter = RunFilter {
            batch: Some(batch.id.clone()),
            statuses: vec![Status::InReview],
            ..RunFilter::default()
        };
        let mut versions = Versions::default();
        // First everything is checked, then everything is judged: an override that one run cannot take refuses all.
        if opinion.verdict == Verdict::Reprocess {
            let mut before = None;
            while let Some(part) = self.part_of(batch.org, &filter, &mut before).await? {
                for run in &part {
                    self.judgement(run, opinion, &mut versions).await?;
                }
            }
        }
        let mut tally = Tally::default();
        let mut before = None;
        while let Some(part) = self.part_of(batch.org, &filter, &mut before).await? {
            let mut judgements = Vec::with_capacity(part.len());
            for run in &part {
                judgements.push(self.judgement(run, opinion, &mut versions).await?);
            }
            for judged in self.send(caller, batch.org, opinion, &judgements).await? {
                match judged {
                    Judged::Now(_) => tally.judged += 1,
                    Judged::Refused(_) | Judged::Missing => tally.passed_over += 1,
                }
            }
        }
        tracing::info!(batch.id = %batch.id, judged = tally.judged, "judged {} runs of a batch", tally.judged);
        Ok(tally)
    }

    /// The next part of a batch's runs that match, from the run `before` on; `None` when there are no more.
    async fn part_of(
        &self,
        org: OrgId,
        filter: &RunFilter,
        before: &mut Option<RunId>,
    ) -> Result<Option<Vec<Run>>, Refusal> {
        let part = self.0.store.runs_before(org, filter, *before, AT_ONCE).await;
        let part = part.map_err(Refusal::store("list the runs"))?;
        *before = part.last().map(|run| run.id);
        Ok((!part.is_empty()).then_some(part))
    }

    async fn judgement(
        &self,
        run: &Run,
        opinion: &Opinion,
        versions: &mut Versions,
    ) -> Result<Judgement, Refusal> {
        let what = match opinion.verdict {
            Verdict::Approve => Ruling::Approve,
            Verdict::GiveUp => Ruling::GiveUp,
            Verdict::Reprocess => {
                let overrides = merged(&run.overrides, &opinion.overrides);
                let steps = match versions.entry(run.version) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(free) => {
                        let found = self.0.store.workflow(&[run.org], run.workflow, Some(run.version)).await;
                        let found = found
                            .map_err(Refusal::store("read the workflow"))?
                            .ok_or_else(|| Refusal::missing(Thing::Version, run.version))?;
                        free.insert(found.version.steps)
                    }
                };
                self.0
                    .catalogue
                    .resolve(steps, &overrides)
                    .map_err(|invalid| Refusal::InvalidSettings(invalid.0))?;
                Ruling::Reprocess { overrides }
            }
        };
        Ok(Judgement { run: run.id, what, event: EventId(self.0.ids.next()) })
    }

    async fn send(
        &self,
        caller: &Caller,
        org: OrgId,
        opinion: &Opinion,
        judgements: &[Judgement],
    ) -> Result<Vec<Judged>, Refusal> {
        let judged = self.0.store.judge(org, &caller.user, opinion.reason.as_deref(), judgements).await;
        judged.map_err(Refusal::store("record the verdict"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn overrides_are_laid_over_setting_by_setting() {
        let under = json!({ "export": { "quality": 90, "dpi": 72 }, "crop": { "ratio": "1:1" } });
        let over = json!({ "export": { "quality": 40 }, "resize": { "width": 9 } });
        let expected = json!({
            "export": { "quality": 40, "dpi": 72 }, "crop": { "ratio": "1:1" }, "resize": { "width": 9 }
        });
        assert_eq!(merged(&under, &over), expected);
        assert_eq!(merged(&Value::Null, &Value::Null), json!({}));
    }
}

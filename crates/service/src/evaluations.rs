//! Evaluations: asked for here, measured by workers; what people say about them; an organization's own limits.

use domain::access::Caller;
use domain::evaluation::{Asked, Evaluation, EvaluationState, Opinion, Reference};
use domain::id::{self, EntryId, EvaluationId, RunId};
use domain::repeat::{KeptAnswer, Slot};
use domain::request::{Face, Source};
use domain::run::Feedback;
use serde_json::Value;
use store::{Admitted, NewEvaluation};
use uuid::Uuid;

use crate::dispatch::checked_addresses;
use crate::{OrgChoice, Refusal, Service, Thing};

/// Most characters in what people say.
const REASON_MAX: usize = 2000;

/// An evaluation to be asked for.
#[derive(Clone, Debug)]
pub struct EvaluationDraft {
    /// The face it is asked through.
    pub face: Face,
    /// What the picture is for.
    pub task: String,
    /// The picture.
    pub picture: Source,
    /// Pictures it is held against.
    pub references: Vec<Reference>,
    /// The run that made it, if it is known.
    pub run: Option<RunId>,
    /// The caller's name for it.
    pub client_ref: Option<String>,
    /// Where to tell of its end.
    pub webhooks: Vec<String>,
    /// The rest, for its face to show again.
    pub details: Value,
}

impl Service {
    /// Asks for an evaluation. Its price is set aside now, and given back if nothing comes of it; refuses with
    /// [`Refusal::OutOfCredit`] if the balance is lower. Its id is `seed`.
    pub async fn evaluate(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        draft: EvaluationDraft,
        seed: Uuid,
        answer: impl FnOnce(&Evaluation) -> Option<(Slot, KeptAnswer)>,
    ) -> Result<Evaluation, Refusal> {
        self.need_scope(caller, "evaluations:create")?;
        let org = self.one_org(caller, choice)?;
        if let Some(run) = draft.run {
            self.read_run(&[org], run).await?;
        }
        let limits = self.0.store.evaluation_limits(org).await.map_err(Refusal::store("read the limits"))?;
        let (now, price) = (self.now(), self.0.settings.evaluation_price);
        let EvaluationDraft { face, task, picture, references, run, client_ref, webhooks, details } = draft;
        let evaluation = Evaluation {
            id: EvaluationId(seed),
            org,
            user: caller.user.clone(),
            run,
            asked: Asked { task, picture, references, details, limits },
            face,
            client_ref,
            webhooks: checked_addresses(webhooks)?,
            price,
            charged: price,
            created_at: now,
            updated_at: now,
            opinion: None,
            state: EvaluationState::Pending,
        };
        let answer = answer(&evaluation);
        let entry = EntryId(id::derived(seed, 1));
        let new = NewEvaluation { evaluation: evaluation.clone(), entry, answer };
        match self.0.store.accept_evaluation(&new).await.map_err(Refusal::store("file the evaluation"))? {
            Admitted::Pending => Ok(evaluation),
            Admitted::OutOfCredit(short) => Err(Refusal::OutOfCredit(short)),
        }
    }

    /// One evaluation.
    pub async fn evaluation(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: EvaluationId,
    ) -> Result<Evaluation, Refusal> {
        self.need_scope(caller, "evaluations:read")?;
        let org = self.one_org(caller, choice)?;
        let found = self.0.store.evaluation(org, id).await.map_err(Refusal::store("read the evaluation"))?;
        found.ok_or_else(|| Refusal::missing(Thing::Evaluation, id))
    }

    /// Keeps what people say about an evaluation, or takes it back. With `of`, the evaluation must be of that run.
    pub async fn give_opinion(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: EvaluationId,
        of: Option<RunId>,
        opinion: Option<Opinion>,
    ) -> Result<Evaluation, Refusal> {
        self.need_scope(caller, "evaluations:edit")?;
        let org = self.one_org(caller, choice)?;
        if let Some(reason) = opinion.as_ref().and_then(|opinion| opinion.reason.as_ref())
            && reason.chars().count() > REASON_MAX
        {
            return Err(Refusal::Invalid(format!(
                "`reason` is longer than {REASON_MAX} characters; shorten it"
            )));
        }
        let missing = || Refusal::missing(Thing::Evaluation, id);
        if of.is_some() {
            let found =
                self.0.store.evaluation(org, id).await.map_err(Refusal::store("read the evaluation"))?;
            found.filter(|found| found.run == of).ok_or_else(missing)?;
        }
        let now = self.0.store.give_opinion(org, id, opinion.as_ref()).await;
        let now = now.map_err(Refusal::store("keep the feedback"))?.ok_or_else(missing)?;
        if let (Some(run), Some(opinion)) = (now.run, &opinion) {
            // What is said of the verdict is said of the run's result, too.
            let feedback = Feedback {
                thumbs_up: opinion.is_positive,
                expected: Vec::new(),
                reason: opinion.reason.clone(),
            };
            self.0
                .store
                .give_feedback(&[org], run, &feedback)
                .await
                .map_err(Refusal::store("keep the feedback"))?;
        }
        Ok(now)
    }

    /// An organization's own limits: an object.
    pub async fn evaluation_limits(&self, caller: &Caller, choice: &OrgChoice) -> Result<Value, Refusal> {
        self.need_scope(caller, "evaluations:read")?;
        let org = self.one_org(caller, choice)?;
        self.0.store.evaluation_limits(org).await.map_err(Refusal::store("read the limits"))
    }

    /// Sets them; for administrators. They are in force for evaluations asked for from now on.
    pub async fn set_evaluation_limits(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        limits: &Value,
    ) -> Result<(), Refusal> {
        self.need_scope(caller, "evaluations:edit")?;
        let org = self.one_org(caller, choice)?;
        self.need_role_of_admin(caller, org)?;
        self.0.check_limits.check(limits).map_err(Refusal::Invalid)?;
        self.0
            .store
            .set_evaluation_limits(org, limits, &caller.user)
            .await
            .map_err(Refusal::store("set the limits"))
    }
}

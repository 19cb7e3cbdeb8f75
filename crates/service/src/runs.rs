//! Runs: asked for, read, listed, waited for, retried.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::access::Caller;
use domain::batch::BatchRef;
use domain::id::{self, EntryId, EventId, OrgId, RunId, UserId, VersionId, WorkflowId};
use domain::image::{ContentHash, FileName, Image};
use domain::page::{Page, Window};
use domain::run::{Fault, Feedback, NamedImage, Run, RunFilter, State, Status, Terms};
use domain::workflow::Workflow;
use outbound::Outbound;
use serde_json::Value;
use store::{NewRun, Retried};
use tokio::time::Instant;
use uuid::Uuid;

use crate::waiters::Seat;
use crate::{Handout, Intake, OrgChoice, Refusal, Service, Thing};

/// Most labels on one run, and most bytes in one label's name and value.
const LABELS_MAX: usize = 100;
const LABEL_NAME_BYTES_MAX: usize = 200;
const LABEL_VALUE_BYTES_MAX: usize = 2000;
/// Most addresses to tell of a run's end, and most bytes in one.
const WEBHOOKS_MAX: usize = 20;
const WEBHOOK_BYTES_MAX: usize = 2000;
/// Most pictures that go into one result.
pub const INPUTS_MAX: usize = 16;
/// Most pictures that one feedback names.
const EXPECTED_MAX: usize = 100;

/// A workflow the caller may have runs of, found before the picture is taken in.
pub struct Order {
    user: UserId,
    workflow: Workflow,
}

impl Order {
    /// Whose run it will be.
    pub fn org(&self) -> OrgId {
        self.workflow.org
    }
}

/// What a caller says about a run, beside its workflow and its picture.
#[derive(Clone, Debug, Default)]
pub struct RunDetails {
    /// The caller's own words on it.
    pub labels: BTreeMap<String, String>,
    /// Settings for this run alone, keyed by step label or component; an object, or null for none.
    pub overrides: Value,
    /// Where to tell of its end.
    pub webhooks: Vec<String>,
    /// The batch it is counted in, if any.
    pub batch: Option<BatchRef>,
}

impl RunDetails {
    /// The details in canonical form; refuses too many, too long or malformed ones. Doing it twice changes nothing more.
    pub fn check(mut self) -> Result<Self, Refusal> {
        if self.labels.len() > LABELS_MAX {
            return Err(Refusal::Invalid(format!(
                "{} labels are given, at most {LABELS_MAX} are allowed",
                self.labels.len()
            )));
        }
        for (name, value) in &self.labels {
            if name.len() > LABEL_NAME_BYTES_MAX || value.len() > LABEL_VALUE_BYTES_MAX {
                let start: String = name.chars().take(40).collect();
                return Err(Refusal::Invalid(format!(
                    "label `{start}` is too long; a name may have {LABEL_NAME_BYTES_MAX} bytes, a value {LABEL_VALUE_BYTES_MAX}"
                )));
            }
        }
        if self.webhooks.len() > WEBHOOKS_MAX {
            return Err(Refusal::Invalid(format!(
                "{} webhooks are given, at most {WEBHOOKS_MAX} are allowed",
                self.webhooks.len()
            )));
        }
        for address in &mut self.webhooks {
            // Angle brackets around an address are the delimiters of RFC 3986, appendix C; documents are copied with them.
            let bare = address.trim().trim_start_matches('<').trim_end_matches('>');
            let rest = strip_scheme(bare, "http://").or_else(|| strip_scheme(bare, "https://"));
            let host =
                rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default()).unwrap_or_default();
            let readable = !bare.chars().any(|c| c.is_whitespace() || c.is_control());
            if host.is_empty() || !readable || bare.len() > WEBHOOK_BYTES_MAX {
                let start: String = address.chars().take(100).collect();
                return Err(Refusal::Invalid(format!(
                    "webhook `{start}` is no address; give `http://...` or `https://...` with at most {WEBHOOK_BYTES_MAX} bytes"
                )));
            }
            Outbound::check_address(bare)
                .map_err(|failure| Refusal::Invalid(format!("a webhook cannot be used: {failure}")))?;
            *address = bare.to_owned();
        }
        if let Some(batch) = &self.batch
            && (batch.id.is_empty()
                || batch.id.len() > LABEL_VALUE_BYTES_MAX
                || batch.name.len() > LABEL_VALUE_BYTES_MAX)
        {
            return Err(Refusal::Invalid(format!(
                "a batch has an id and a name of at most {LABEL_VALUE_BYTES_MAX} bytes each; its id is not empty"
            )));
        }
        match self.overrides {
            Value::Object(_) => {}
            Value::Null => self.overrides = Value::Object(serde_json::Map::new()),
            _ => {
                return Err(Refusal::InvalidSettings(
                    "the settings are no object; give `{\"<component>\": {\"<setting>\": ...}}`".to_owned(),
                ));
            }
        }
        Ok(self)
    }
}

fn strip_scheme<'a>(address: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = address.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

impl Service {
    /// Finds the workflow for a run. One that names an organization must find it there; one that names none is looked
    /// for in the caller's usual organization first, then in the others.
    pub async fn order(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        workflow: WorkflowId,
        version: Option<VersionId>,
    ) -> Result<Order, Refusal> {
        self.need_scope(caller, "runs:create")?;
        self.one_org(caller, choice)?;
        let workflow = self.workflow(caller, choice, workflow, version).await?;
        if workflow.archived_at.is_some() {
            return Err(Refusal::missing(Thing::Workflow, workflow.id));
        }
        Ok(Order { user: caller.user.clone(), workflow })
    }

    /// Begins to take in the picture of an order.
    pub async fn intake_of(&self, order: &Order) -> Result<Intake, Refusal> {
        self.intake_for(order.org()).await
    }

    /// A picture that was uploaded to the order's organization before.
    pub async fn uploaded(&self, order: &Order, hash: ContentHash) -> Result<Image, Refusal> {
        let found =
            self.0.store.image(&[order.org()], hash).await.map_err(Refusal::store("look for the image"))?;
        found.ok_or(Refusal::UnknownImage { hash })
    }

    /// Files a run of the order on a picture that [`Service::admit`] or [`Service::uploaded`] gave. Too little credit is
    /// no refusal: the run is filed as unpaid.
    pub async fn submit(
        &self,
        order: Order,
        input: Image,
        input_name: FileName,
        details: RunDetails,
    ) -> Result<RunId, Refusal> {
        self.submit_together(order, NamedImage { image: input, name: input_name }, Vec::new(), details).await
    }

    /// The same on several pictures that go into one result, which is named after the first. Refuses with
    /// [`Refusal::TakesOne`] where the workflow makes one picture of one.
    pub async fn submit_together(
        &self,
        order: Order,
        first: NamedImage,
        more_inputs: Vec<NamedImage>,
        details: RunDetails,
    ) -> Result<RunId, Refusal> {
        let new = self.new_run(&order, first, more_inputs, details, self.0.ids.next())?;
        self.check_overrides(&order, &new.run.overrides).await?;
        self.file(&new).await
    }

    /// Refuses settings for one run that name a picture which the organization does not have.
    pub(crate) async fn check_overrides(&self, order: &Order, overrides: &Value) -> Result<(), Refusal> {
        let resolved = self.0.catalogue.resolve(&order.workflow.version.steps, overrides);
        let resolved = resolved.map_err(|invalid| Refusal::InvalidSettings(invalid.0))?;
        self.check_named_images(order.org(), &resolved).await
    }

    /// A run of the order, to be filed. Its ids are derived from `seed`.
    pub(crate) fn new_run(
        &self,
        order: &Order,
        first: NamedImage,
        more_inputs: Vec<NamedImage>,
        details: RunDetails,
        seed: Uuid,
    ) -> Result<NewRun, Refusal> {
        let RunDetails { labels, overrides, webhooks, batch } = details.check()?;
        let Order { user, workflow } = order;
        if !more_inputs.is_empty() && !self.0.catalogue.takes_several(&workflow.version.steps) {
            return Err(Refusal::TakesOne { given: more_inputs.len() + 1 });
        }
        if more_inputs.len() >= INPUTS_MAX {
            return Err(Refusal::Invalid(format!(
                "{} pictures are given, at most {INPUTS_MAX} go into one result",
                more_inputs.len() + 1
            )));
        }
        let NamedImage { image: input, name: input_name } = first;
        self.0
            .catalogue
            .resolve(&workflow.version.steps, &overrides)
            .map_err(|invalid| Refusal::InvalidSettings(invalid.0))?;
        let run = Run {
            id: RunId(seed),
            org: workflow.org,
            workflow: workflow.id,
            version: workflow.version.id,
            workflow_name: workflow.name.clone(),
            user: user.clone(),
            created_at: self.now(),
            input: Some(input),
            input_name,
            more_inputs,
            sources: Vec::new(),
            place: None,
            steps: None,
            request: None,
            terms: Terms::AtAcceptance,
            batch: batch.as_ref().map(|batch| batch.id.clone()),
            labels,
            overrides,
            webhooks,
            price: workflow.version.price,
            charged: 0,
            feedback: None,
            review: None,
            state: State::Queued,
        };
        Ok(NewRun {
            run,
            batch,
            delay: self.0.settings.min_visible,
            entry: EntryId(id::derived(seed, 1)),
            event: EventId(id::derived(seed, 2)),
            failure: None,
        })
    }

    /// Files a run. Filing the same one again changes nothing.
    pub(crate) async fn file(&self, new: &NewRun) -> Result<RunId, Refusal> {
        let accepted = self.0.store.accept(new).await.map_err(Refusal::store("file the run"))?;
        let id = new.run.id;
        tracing::info!(
            run.id = %id,
            org.id = %new.run.org,
            workflow.id = %new.run.workflow,
            status = accepted.status.as_str(),
            price = new.run.price,
            "accepted run `{id}`"
        );
        metrics::counter!("packshot_runs_accepted_total", "status" => accepted.status.as_str()).increment(1);
        Ok(id)
    }

    /// One run.
    pub async fn run(&self, caller: &Caller, choice: &OrgChoice, id: RunId) -> Result<Run, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let among = self.orgs_to_search(caller, choice);
        self.read_run(&among, id).await
    }

    pub(crate) async fn read_run(&self, among: &[OrgId], id: RunId) -> Result<Run, Refusal> {
        let missing = || Refusal::missing(Thing::Run, id);
        if among.is_empty() {
            return Err(missing());
        }
        self.0.store.run(among, id).await.map_err(Refusal::store("read the run"))?.ok_or_else(missing)
    }

    /// An organization's runs that match, newest first. Without a filter nothing matches.
    pub async fn runs(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        filter: Option<&RunFilter>,
        window: Window,
    ) -> Result<Page<Run>, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        match filter {
            None => Ok(Page { entries: Vec::new(), total: 0 }),
            Some(filter) => {
                self.0.store.runs(org, filter, window).await.map_err(Refusal::store("list the runs"))
            }
        }
    }

    /// Up to `limit` of an organization's runs that match and are older than the run `before`, newest first.
    pub async fn runs_before(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<Run>, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        let found = self.0.store.runs_before(org, filter, before, limit).await;
        found.map_err(Refusal::store("list the runs"))
    }

    /// The result of a run that the caller was given, if it has one.
    pub fn result_of(&self, run: &Run) -> Option<Handout> {
        run.state.result().map(|result| self.handout(result.image.clone()))
    }

    /// Keeps what the caller says about a run's result, in place of what was said before.
    pub async fn give_feedback(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: RunId,
        feedback: &Feedback,
    ) -> Result<(), Refusal> {
        self.need_scope(caller, "runs:execute")?;
        if feedback.expected.len() > EXPECTED_MAX {
            return Err(Refusal::Invalid(format!(
                "{} pictures are named, at most {EXPECTED_MAX} are allowed",
                feedback.expected.len()
            )));
        }
        let among = self.orgs_to_search(caller, choice);
        let kept = self.0.store.give_feedback(&among, id, feedback).await;
        match kept.map_err(Refusal::store("keep the feedback"))? {
            true => Ok(()),
            false => Err(Refusal::missing(Thing::Run, id)),
        }
    }

    /// Waits until a run is final: `at_most` that long, or as long as it takes. Refuses with [`Refusal::TimedOut`] when
    /// the time is over, and with [`Refusal::Unavailable`] when the program stops.
    pub async fn watch(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: RunId,
        at_most: Option<Duration>,
    ) -> Result<Run, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let among = self.orgs_to_search(caller, choice);
        let first = self.read_run(&among, id).await?;
        if first.state.status().is_final() {
            return Ok(first);
        }
        let run = self.until_final(&among, id, at_most).await?;
        // Whoever has waited may have been removed meanwhile.
        let memberships = self.0.store.memberships(&caller.user).await;
        let memberships = memberships.map_err(Refusal::store("look up your organizations"))?;
        match memberships.iter().any(|(org, _)| *org == run.org) {
            true => Ok(run),
            false => Err(Refusal::missing(Thing::Run, id)),
        }
    }

    async fn until_final(
        &self,
        among: &[OrgId],
        id: RunId,
        at_most: Option<Duration>,
    ) -> Result<Run, Refusal> {
        let place = self.0.waiters.wait_for(id, self.0.store.as_ref());
        let began = Instant::now();
        let over = at_most.map(|span| began + span);
        loop {
            let mut changed = std::pin::pin!(place.changed());
            changed.as_mut().enable();
            match self.read_run(among, id).await {
                Ok(run) if run.state.status().is_final() => return Ok(run),
                Ok(_) => {}
                // Whoever has waited so long can wait until the database answers again.
                Err(Refusal::Unavailable(_)) => {}
                Err(refusal) => return Err(refusal),
            }
            if over.is_some_and(|over| Instant::now() >= over) {
                return Err(Refusal::TimedOut { seconds: began.elapsed().as_secs() });
            }
            // Hints miss nothing within one process; others are looked after seldom, as many may wait.
            let mut look_again = Instant::now() + self.0.settings.look_again * 5;
            if let Some(over) = over {
                look_again = look_again.min(over);
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(look_again) => {}
                () = self.0.closing.cancelled() => {
                    return Err(Refusal::Unavailable("the server is stopping".to_owned()));
                }
            }
        }
    }

    /// A seat among those of an organization who wait. Refuses with [`Refusal::Unavailable`] when there are too many: one
    /// organization's waiting must not take every connection.
    pub fn seat(&self, org: OrgId) -> Result<Seat, Refusal> {
        self.0.seats.take(org, self.0.settings.waiting_max).ok_or_else(|| {
            Refusal::Unavailable("too many requests of this organization wait already".to_owned())
        })
    }

    /// Waits for a run's result. Refuses with [`Refusal::NoResult`] if the run ended without one.
    pub async fn result(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: RunId,
    ) -> Result<(Run, Handout), Refusal> {
        self.need_scope(caller, "runs:read")?;
        let among = self.orgs_to_search(caller, choice);
        let _seat = self.seat(self.read_run(&among, id).await?.org)?;
        let run = self.watch(caller, choice, id, Some(self.0.settings.max_wait)).await?;
        match run.state.result() {
            Some(result) => {
                let handout = self.handout(result.image.clone());
                Ok((run, handout))
            }
            None => Err(Refusal::NoResult { status: run.state.status(), why: why(&run.state) }),
        }
    }

    /// Waits for a run's end and hands out one of the further files it wrote, by its label, with its name. Refuses like
    /// [`Service::result`], and with [`Refusal::Missing`] when the run wrote no such file.
    pub async fn further_result(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: RunId,
        label: &str,
    ) -> Result<(FileName, Handout), Refusal> {
        let (run, _) = self.result(caller, choice, id).await?;
        let file = run.state.result().and_then(|result| result.more.get(label));
        let file = file.ok_or_else(|| Refusal::missing(Thing::Image, format!("{label} of run {id}")))?;
        Ok((file.name.clone(), self.handout(file.image.clone())))
    }

    /// Tries a failed or unpaid run again. Answers the status it has then: queued, or unpaid still.
    pub async fn retry(&self, caller: &Caller, choice: &OrgChoice, id: RunId) -> Result<Status, Refusal> {
        self.need_scope(caller, "runs:execute")?;
        let among = self.orgs_to_search(caller, choice);
        if among.is_empty() {
            return Err(Refusal::missing(Thing::Run, id));
        }
        let entry = EntryId(self.0.ids.next());
        let retried = self.0.store.retry(&among, id, entry, self.0.settings.min_visible).await;
        match retried.map_err(Refusal::store("retry the run"))? {
            Retried::Queued => {
                tracing::info!(run.id = %id, "retrying run `{id}`");
                Ok(Status::Queued)
            }
            Retried::StillUnpaid => Ok(Status::Unpaid),
            Retried::Refused(status) => Err(Refusal::NotRetryable { status }),
            Retried::Missing => Err(Refusal::missing(Thing::Run, id)),
        }
    }
}

fn why(state: &State) -> Option<String> {
    match state {
        // A bad picture does not get better by trying again.
        State::Failed { failure, .. } if failure.fault == Fault::Input => Some(failure.message.clone()),
        State::Failed { failure, .. } => Some(format!("{}; retry it", failure.message)),
        State::Unpaid => Some("the balance was too low; top up and retry".to_owned()),
        State::Queued
        | State::Running { .. }
        | State::InReview { .. }
        | State::Succeeded { .. }
        | State::Cancelled { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(change: impl FnOnce(&mut RunDetails)) -> Result<RunDetails, Refusal> {
        let mut details = RunDetails::default();
        change(&mut details);
        details.check()
    }

    #[test]
    fn addresses_are_web_addresses() {
        for good in ["https://dam.example/hooks?a=b", "http://127.0.0.1:9000", "HTTPS://DAM.EXAMPLE"] {
            let checked = check(|details| details.webhooks = vec![good.to_owned()]).expect("good");
            assert_eq!(checked.webhooks, [good]);
        }
        let printed = check(|details| details.webhooks = vec![" <https://webhook.site/x> ".to_owned()]);
        assert_eq!(printed.expect("good").webhooks, ["https://webhook.site/x"]);
        for bad in
            ["", "dam.example", "ftp://dam.example", "https://", "https:///x", "https://a b", "https://a\nb"]
        {
            let refused = check(|details| details.webhooks = vec![bad.to_owned()]).expect_err(bad);
            assert_eq!(refused.code(), "request_invalid");
        }
        assert!(check(|details| details.webhooks = vec!["https://a".to_owned(); 21]).is_err());
    }

    #[test]
    fn labels_have_a_limit() {
        let labels = |many: usize, value: usize| {
            check(|details| details.labels = (0..many).map(|n| (n.to_string(), "x".repeat(value))).collect())
        };
        assert_eq!(labels(100, 2000).expect("good").labels.len(), 100);
        assert!(labels(101, 1).is_err());
        assert!(labels(1, 2001).is_err());
    }

    #[test]
    fn settings_are_an_object_or_nothing() {
        assert_eq!(check(|_| {}).expect("good").overrides, json!({}));
        let some = json!({ "export": { "quality": 80 } });
        assert_eq!(check(|details| details.overrides = some.clone()).expect("good").overrides, some);
        let refused = check(|details| details.overrides = json!([])).expect_err("a list");
        assert_eq!(refused.code(), "settings_invalid");
    }
}

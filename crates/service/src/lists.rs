//! Lists with a filter, an order and cursors.

use domain::access::Caller;
use domain::asset::{Asset, Folder};
use domain::batch::Batch;
use domain::delivery::{Attempt, Delivery};
use domain::evaluation::Evaluation;
use domain::filter::{Leaf, Listing};
use domain::id::{DeliveryId, RunId, SubscriptionId};
use domain::log::LogLine;
use domain::run::Run;
use domain::subscription::{CallbackSecret, Subscription};
use store::{
    AssetField, AttemptField, BatchField, DeliveryField, EvaluationField, FolderField, ListedAttempt,
    ListedStep, LogField, RunField, SecretField, StepField, SubscriptionField,
};

use crate::{OrgChoice, Refusal, Service, Thing};

macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident($verb:ident, $field:ty) -> $entry:ty, scope $scope:literal;)+) => {
        impl Service {
            $(
                $(#[$doc])*
                pub async fn $name(
                    &self,
                    caller: &Caller,
                    choice: &OrgChoice,
                    listing: &Listing<$field>,
                ) -> Result<Leaf<$entry>, Refusal> {
                    self.need_scope(caller, $scope)?;
                    let org = self.one_org(caller, choice)?;
                    self.0.store.$verb(org, listing).await.map_err(Refusal::store("list them"))
                }
            )+
        }
    };
}

lists! {
    /// Runs of an organization.
    list_runs(list_runs, RunField) -> Run, scope "runs:read";
    /// Batches of an organization.
    list_batches(list_batches, BatchField) -> Batch, scope "runs:read";
    /// Evaluations of an organization.
    list_evaluations(list_evaluations, EvaluationField) -> Evaluation, scope "evaluations:read";
    /// Assets of an organization.
    list_assets(list_assets, AssetField) -> Asset, scope "assets:read";
    /// Folders of an organization.
    list_folders(list_folders, FolderField) -> Folder, scope "assets:read";
    /// Subscriptions of an organization.
    list_subscriptions(list_subscriptions, SubscriptionField) -> Subscription, scope "runs:read";
    /// Callback secrets of an organization, without what is secret.
    list_callback_secrets(list_secrets, SecretField) -> CallbackSecret, scope "runs:read";
}

impl Service {
    /// The latest evaluation of each of those runs that has one, in no particular order.
    pub async fn latest_evaluations(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        runs: &[RunId],
    ) -> Result<Vec<Evaluation>, Refusal> {
        self.need_scope(caller, "evaluations:read")?;
        let org = self.one_org(caller, choice)?;
        let latest = self.0.store.latest_evaluations(org, runs).await;
        latest.map_err(Refusal::store("look for the evaluations"))
    }

    /// Deliveries of one subscription, or of all.
    pub async fn list_deliveries(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        of: Option<SubscriptionId>,
        listing: &Listing<DeliveryField>,
    ) -> Result<Leaf<Delivery>, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        if let Some(of) = of {
            self.subscription(caller, choice, of).await?;
        }
        self.0.store.list_deliveries(org, of, listing).await.map_err(Refusal::store("list the deliveries"))
    }

    /// One delivery of a subscription, of that one if one is named, with its attempts.
    pub async fn subscription_delivery(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        of: Option<SubscriptionId>,
        id: DeliveryId,
    ) -> Result<(Delivery, Vec<Attempt>), Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        let found = self.0.store.delivery(&[org], id).await.map_err(Refusal::store("read the delivery"))?;
        found
            .filter(|(delivery, _)| {
                delivery.subscription.is_some() && (of.is_none() || delivery.subscription == of)
            })
            .ok_or_else(|| Refusal::missing(Thing::Delivery, id))
    }

    /// Attempts of one delivery, or of every delivery of subscriptions.
    pub async fn list_attempts(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        of: Option<DeliveryId>,
        listing: &Listing<AttemptField>,
    ) -> Result<Leaf<ListedAttempt>, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        self.0.store.list_attempts(org, of, listing).await.map_err(Refusal::store("list the attempts"))
    }

    /// Lines of the log of one run, or of all.
    pub async fn list_logs(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        of: Option<RunId>,
        listing: &Listing<LogField>,
    ) -> Result<Leaf<LogLine>, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        if let Some(of) = of {
            self.read_run(&[org], of).await?;
        }
        self.0.store.list_logs(org, of, listing).await.map_err(Refusal::store("list the log"))
    }

    /// Steps of one run, or of all runs that have succeeded or failed.
    pub async fn list_steps(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        of: Option<RunId>,
        listing: &Listing<StepField>,
    ) -> Result<Leaf<ListedStep>, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        if let Some(of) = of {
            self.read_run(&[org], of).await?;
        }
        self.0.store.list_steps(org, of, listing).await.map_err(Refusal::store("list the steps"))
    }
}

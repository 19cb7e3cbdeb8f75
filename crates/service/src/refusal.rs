//! Why something asked for is not done. Each refusal has a code that never changes; `docs/errors.md` lists them.

use blob::BlobError;
use domain::id::VersionId;
use domain::image::ContentHash;
use domain::ledger::OutOfCredit;
use domain::run::Status;
use domain::time::Millis;
use store::StoreError;

/// A kind of thing that can be named and be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A run.
    Run,
    /// A workflow.
    Workflow,
    /// A version of a workflow.
    Version,
    /// A stored picture.
    Image,
    /// An organization.
    Org,
    /// A delivery of a webhook.
    Delivery,
    /// A device sign-in under way.
    DeviceCode,
    /// A batch.
    Batch,
    /// A user.
    User,
    /// An open invitation.
    Invitation,
    /// A connection that is not revoked.
    Connection,
    /// A file in the library.
    Asset,
    /// A folder of the library.
    Folder,
    /// An upload that was announced.
    Upload,
    /// An evaluation.
    Evaluation,
    /// A subscription to events.
    Subscription,
    /// A secret that signs callbacks.
    Secret,
    /// A workflow of another program.
    Deployment,
}

impl Thing {
    const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Workflow => "workflow",
            Self::Version => "workflow version",
            Self::Image => "image",
            Self::Org => "organization",
            Self::Delivery => "delivery",
            Self::DeviceCode => "open sign-in with code",
            Self::Batch => "batch",
            Self::User => "user",
            Self::Invitation => "open invitation",
            Self::Connection => "connection",
            Self::Asset => "asset",
            Self::Folder => "folder",
            Self::Upload => "upload",
            Self::Evaluation => "evaluation",
            Self::Subscription => "subscription",
            Self::Secret => "callback secret",
            Self::Deployment => "deployed workflow",
        }
    }
}

/// What is wrong with a caller's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// None was sent.
    Missing,
    /// It was not made by this server for this purpose, or was changed since.
    Invalid,
    /// It was good once.
    Expired,
    /// It is an API key or refresh token that was revoked or never was.
    Unknown,
}

impl TokenFault {
    const fn text(self) -> &'static str {
        match self {
            Self::Missing => "no token was sent; send `Authorization: Bearer <access token or API key>`",
            Self::Invalid => {
                "the token was not made by this server; get an access token with your refresh token"
            }
            Self::Expired => "the access token has expired; get a new one with your refresh token",
            Self::Unknown => {
                "the key is unknown or was revoked; make a new one with `packshot credentials create`"
            }
        }
    }
}

/// Why something asked for is not done: what was wrong and the way out.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing, as far as the caller may know.
    #[error("there is no {} `{name}` in an organization of yours", .thing.name())]
    Missing {
        /// What kind of thing.
        thing: Thing,
        /// How it was named.
        name: String,
    },
    /// The run ended without a result.
    #[error("the run has no result: it is {}{}", .status.as_str(), reason(.why))]
    NoResult {
        /// How it ended.
        status: Status,
        /// Why, if that is known.
        why: Option<String>,
    },
    /// The run's status allows no retry.
    #[error("the run is {}; only a failed or unpaid run can be retried", .status.as_str())]
    NotRetryable {
        /// Its status.
        status: Status,
    },
    /// The run does not wait for a check.
    #[error("the run is {}; only a run in review can be judged", .status.as_str())]
    NotInReview {
        /// Its status.
        status: Status,
    },
    /// The workflow was changed since the caller read it.
    #[error(
        "the workflow was changed meanwhile and is at version `{latest}`; read it again and repeat your change"
    )]
    Stale {
        /// Its latest version.
        latest: VersionId,
    },
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A setting for this run alone is out of range.
    #[error("{0}")]
    InvalidSettings(String),
    /// The list of steps is no workflow.
    #[error("{0}")]
    InvalidWorkflow(String),
    /// The workflow makes one picture of one, not of several.
    #[error("the workflow takes one image and {given} were given; use one with a `combine` step")]
    TakesOne {
        /// How many were given.
        given: usize,
    },
    /// The file is not a picture that can be worked on.
    #[error("{0}")]
    Unusable(String),
    /// A picture cannot be fetched from the address named.
    #[error("{0}")]
    Unfetchable(String),
    /// The picture was not uploaded to the organization.
    #[error("no image `{hash}` was uploaded to this organization; upload it first")]
    UnknownImage {
        /// The hash given.
        hash: ContentHash,
    },
    /// The caller may not do that there.
    #[error("{0}")]
    NotAllowed(String),
    /// The caller did not prove who they are.
    #[error("{}", .0.text())]
    Unauthenticated(TokenFault),
    /// The sign-in name or the password is wrong.
    #[error("the e-mail address or the password is wrong; try again")]
    WrongPassword,
    /// The file is too large.
    #[error("the file is larger than {limit} bytes, which is the most that is taken; send a smaller one")]
    TooLarge {
        /// Most bytes taken.
        limit: u64,
    },
    /// Too many wrong tries.
    #[error("too many wrong tries; wait {} minutes and try again", minutes(.retry_after))]
    TooManyTries {
        /// How long to wait.
        retry_after: Millis,
    },
    /// Nobody could administer the organization any more.
    #[error("the organization would be without an administrator; make somebody else one first")]
    LastAdmin,
    /// Something like it exists already.
    #[error("{0}")]
    Conflict(String),
    /// The token does not allow that.
    #[error("your key does not have the scope `{scope}`; use one that does")]
    ScopeMissing {
        /// What it would have to allow.
        scope: &'static str,
    },
    /// The balance is lower than what was asked for costs: nothing was filed.
    #[error("{0}")]
    OutOfCredit(OutOfCredit),
    /// It was changed since it was read.
    #[error("it was changed since you read it; read it again and repeat your change")]
    Changed,
    /// What it needs has not happened yet, or cannot any more.
    #[error("{0}")]
    NotNow(String),
    /// It took longer than a request may wait.
    #[error("the run is not finished after {seconds} seconds; ask for its result again later")]
    TimedOut {
        /// How long was waited.
        seconds: u64,
    },
    /// It cannot be done at present; the same request may work later.
    #[error("{0}; try again shortly")]
    Unavailable(String),
    /// Our fault.
    #[error("something went wrong here while trying to {doing}; it has been logged")]
    Ours {
        /// What was tried: `read the run`.
        doing: &'static str,
        /// The cause, for the log only.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn reason(why: &Option<String>) -> String {
    why.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
}

fn minutes(span: &Millis) -> i64 {
    (span.0.max(0) + 59_999) / 60_000
}

impl Refusal {
    /// Its code, which never changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { thing, .. } => match thing {
                Thing::Run => "run_not_found",
                Thing::Workflow => "workflow_not_found",
                Thing::Version => "workflow_version_not_found",
                Thing::Image => "image_not_found",
                Thing::Org => "organization_not_found",
                Thing::Delivery => "delivery_not_found",
                Thing::DeviceCode => "device_code_not_found",
                Thing::Batch => "batch_not_found",
                Thing::User => "user_not_found",
                Thing::Invitation => "invitation_not_found",
                Thing::Connection => "connection_not_found",
                Thing::Asset => "asset_not_found",
                Thing::Folder => "folder_not_found",
                Thing::Upload => "upload_not_found",
                Thing::Evaluation => "evaluation_not_found",
                Thing::Subscription => "subscription_not_found",
                Thing::Secret => "callback_secret_not_found",
                Thing::Deployment => "deployed_workflow_not_found",
            },
            Self::NoResult { .. } => "run_has_no_result",
            Self::NotRetryable { .. } => "run_not_retryable",
            Self::NotInReview { .. } => "run_not_in_review",
            Self::Stale { .. } => "workflow_changed",
            Self::Invalid(_) => "request_invalid",
            Self::InvalidSettings(_) => "settings_invalid",
            Self::InvalidWorkflow(_) => "workflow_invalid",
            Self::TakesOne { .. } => "workflow_takes_one_image",
            Self::Unusable(_) => "image_unusable",
            Self::Unfetchable(_) => "image_not_fetched",
            Self::UnknownImage { .. } => "image_not_uploaded",
            Self::NotAllowed(_) => "not_allowed",
            Self::Unauthenticated(fault) => match fault {
                TokenFault::Missing => "token_missing",
                TokenFault::Invalid => "token_invalid",
                TokenFault::Expired => "token_expired",
                TokenFault::Unknown => "key_unknown",
            },
            Self::WrongPassword => "wrong_password",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyTries { .. } => "too_many_tries",
            Self::LastAdmin => "last_admin",
            Self::Conflict(_) => "conflict",
            Self::ScopeMissing { .. } => "scope_missing",
            Self::OutOfCredit(_) => "out_of_credit",
            Self::Changed => "changed",
            Self::NotNow(_) => "not_now",
            Self::TimedOut { .. } => "timed_out",
            Self::Unavailable(_) => "unavailable",
            Self::Ours { .. } => "internal",
        }
    }

    /// There is no such thing, as far as the caller may know.
    pub fn missing(thing: Thing, name: impl ToString) -> Self {
        Self::Missing { thing, name: name.to_string() }
    }

    /// Turns a store's error into a refusal, having tried `doing`.
    pub(crate) fn store(doing: &'static str) -> impl Fn(StoreError) -> Self {
        move |error| match error {
            StoreError::Conflict(what) => {
                Self::Conflict(format!("{what} exists already; choose another name"))
            }
            StoreError::Unavailable(_) | StoreError::InDoubt(_) => {
                tracing::warn!(error = %error, "cannot {doing}: the store is not available");
                Self::Unavailable("the database is busy".to_owned())
            }
            other => Self::Ours { doing, source: Box::new(other) },
        }
    }

    /// Turns a blob's error into a refusal, having tried `doing`.
    pub(crate) fn blob(doing: &'static str) -> impl Fn(BlobError) -> Self {
        move |error| match error {
            BlobError::Full(_) => {
                tracing::error!(error = %error, "cannot {doing}: the disk is full");
                Self::Unavailable("the server's disk is full".to_owned())
            }
            other => Self::Ours { doing, source: Box::new(other) },
        }
    }
}

//! Pictures taken in from addresses that a caller names: fetched by the guarded client, all of them or none.

use domain::access::Caller;
use domain::id::OrgId;
use domain::image::Image;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use outbound::{Failure, Request};

use crate::images::Looked;
use crate::{OrgChoice, Refusal, Service};

/// Pictures fetched for one request, at most.
const PICTURES_MAX: usize = 100;
/// Of these, at the same time.
const AT_ONCE: usize = 4;
/// Pictures fetched at the same time over all requests: each takes memory and a file.
pub(crate) const AT_ONCE_IN_ALL: usize = 32;

impl Service {
    /// Takes in the picture behind each address, and answers them under their names in the order given. If one cannot be
    /// had or worked on, nothing is taken in, and [`Refusal::Unfetchable`] says which and why.
    pub async fn take_in_from(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        pictures: Vec<(String, String)>,
    ) -> Result<Vec<(String, Image)>, Refusal> {
        let org = self.one_org(caller, choice)?;
        if self.0.settings.offline {
            return Err(Refusal::Unfetchable(
                "this server is set never to fetch anything (`offline`); upload the pictures themselves"
                    .to_owned(),
            ));
        }
        if pictures.len() > PICTURES_MAX {
            return Err(Refusal::Invalid(format!(
                "{} addresses are given, at most {PICTURES_MAX} are fetched at a time; send several requests",
                pictures.len()
            )));
        }
        let fetching = stream::iter(pictures).map(|(name, address)| async move {
            let looked = self.fetch(org, &address).await.map_err(|refusal| named(&name, refusal))?;
            Ok::<_, Refusal>((name, looked))
        });
        // The first that fails ends the others.
        let fetched: Vec<(String, Looked)> = fetching.buffered(AT_ONCE).try_collect().await?;
        let mut taken = Vec::with_capacity(fetched.len());
        for (name, looked) in fetched {
            taken.push((name, self.keep(looked).await?));
        }
        Ok(taken)
    }

    async fn fetch(&self, org: OrgId, address: &str) -> Result<Looked, Refusal> {
        let _place = self.0.fetches.acquire().await.expect("the semaphore is never closed");
        let mut intake = self.intake_for(org).await?;
        let unfetchable = |failure: Failure| {
            // Why a connection did not come about is the operator's to know, and the address may hold a key.
            let cause = std::error::Error::source(&failure).map(ToString::to_string).unwrap_or_default();
            tracing::info!(code = failure.code(), cause, "cannot fetch a picture");
            Refusal::Unfetchable(failure.to_string())
        };
        let request = Request::get(address);
        let mut answer =
            self.0.outbound.send(request, self.0.settings.fetch_time).await.map_err(unfetchable)?;
        if answer.is_redirect() {
            return Err(Refusal::Unfetchable(
                "its address redirects, which is not followed; give the address it leads to".to_owned(),
            ));
        }
        if !answer.is_success() {
            return Err(Refusal::Unfetchable(format!("its address answers with status {}", answer.status())));
        }
        let announced: Option<u64> = answer.header("content-length").and_then(|length| length.parse().ok());
        if announced.is_some_and(|announced| announced > self.0.settings.upload_bytes_max) {
            return Err(Refusal::TooLarge { limit: self.0.settings.upload_bytes_max });
        }
        while let Some(bytes) = answer.chunk().await.map_err(unfetchable)? {
            intake.write(&bytes).await?;
        }
        self.look_at(intake, announced).await
    }
}

/// Says which picture it was. What is wrong with one of several is wrong with the request.
fn named(name: &str, refusal: Refusal) -> Refusal {
    let start: String = name.chars().take(100).collect();
    match refusal {
        Refusal::Unfetchable(_) | Refusal::Unusable(_) | Refusal::TooLarge { .. } | Refusal::Invalid(_) => {
            Refusal::Unfetchable(format!("`{start}` cannot be taken in: {refusal}"))
        }
        other => other,
    }
}

//! Pictures that requests name: assets, inline ones, links of our own, and addresses elsewhere. What is here is found here; the
//! rest is left for whoever does the work.

use domain::asset::{AssetSource, StoredFile};
use domain::id::{AssetId, OrgId};
use domain::image::{ContentHash, FileName, Image};
use domain::request;
use serde_json::Value;
use service::{Link, LinkFault, LinkUse, Refusal};
use uuid::Uuid;

use super::asker::Asker;
use super::model::{FieldError, Loc, Media, MediaRules};
use super::problem::Problem;
use crate::Front;
use crate::form::Pairs;

/// What a reference to an asset begins with.
pub(crate) const ASSETS: &str = "runflow://assets/";
/// What stands in a stored input for a file of the organization's that is no asset: `runflow://files/{hash}/{name}`.
const FILES: &str = "runflow://files/";

/// A picture that a request names, as it is used and as it is remembered.
pub(crate) struct Resolved {
    /// Where it comes from.
    pub(crate) from: request::From,
    /// What is remembered in place of what was given.
    pub(crate) reference: String,
    /// Its file's name.
    pub(crate) name: FileName,
}

/// A link to a file of ours, as an address has it.
pub(crate) struct OwnLink {
    link: Link,
    signature: String,
    name: FileName,
}

impl OwnLink {
    /// Reads an address as a link to a file of ours, whatever its host: the signature tells.
    pub(crate) fn read(address: &str) -> Option<Self> {
        let (_, rest) = address.split_once("://")?;
        let (_, path) = rest.split_once('/')?;
        let (path, query) = path.split_once('?')?;
        let mut parts = path.split('/').rev();
        let (name, until, hash, org) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if parts.next()? != "files" || parts.next()? != "v1" {
            return None;
        }
        let hash: ContentHash = hash.parse().ok()?;
        let link = Link { org: org.parse().ok()?, what: LinkUse::Get(hash), until: until.parse().ok()? };
        let signature = Pairs::parse(query.as_bytes()).get("sig")?.to_owned();
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        Some(Self { link, signature, name: FileName::clean(&name) })
    }
}

impl Front {
    /// Whether an address is a link of ours, expired or not, or a reference that stands for one.
    pub(crate) fn is_own(&self, address: &str) -> bool {
        address.starts_with(FILES)
            || OwnLink::read(address).is_some_and(|own| {
                self.service.check_link(&own.link, &own.signature) != Err(LinkFault::NotOurs)
            })
    }

    /// Reads a media value; what is wrong with it is said in pydantic's words.
    pub(crate) fn read_media(&self, text: &str) -> Result<Media, (&'static str, String)> {
        let is_own = |address: &str| self.is_own(address);
        let rules = MediaRules { allow_http: self.service.settings().allow_plain_http, is_own: &is_own };
        Media::read(text, &rules)
    }

    /// Finds the picture that a media value names. `way` leads to the value, for what is wrong with it. Inline pictures become
    /// assets, with ids derived from `seed` and `nth`.
    pub(crate) async fn resolve(
        &self,
        asker: &Asker,
        way: &[Loc],
        text: &str,
        seed: Uuid,
        nth: u32,
    ) -> Result<Resolved, Problem> {
        let wrong = |kind: &'static str, msg: String| {
            Problem::invalid(vec![FieldError::new(way.to_vec(), kind, msg)])
        };
        if let Some(image) = self.kept_file(asker.org, text).await? {
            let (_, name) = text.rsplit_once('/').unwrap_or(("", text));
            return Ok(Resolved {
                from: request::From::Stored(image),
                reference: text.to_owned(),
                name: FileName::clean(name),
            });
        }
        if text.starts_with(FILES) {
            return Err(wrong("value_error", format!("file not found or expired: {text}")));
        }
        match self.read_media(text).map_err(|(kind, msg)| wrong(kind, msg))? {
            Media::Asset(id) => {
                let found = self.service.referred_asset(asker.org, AssetId(id)).await?;
                let Some(asset) = found else {
                    return Err(wrong("value_error", format!("asset not found or expired: {ASSETS}{id}")));
                };
                Ok(Resolved {
                    from: request::From::Stored(image_of(&asset.file)),
                    reference: format!("{ASSETS}{id}"),
                    name: asset.name,
                })
            }
            Media::Data(data) => {
                let bytes = data.bytes().map_err(|_| {
                    wrong("url_parsing", "the data of the URI is no base64; encode it again".to_owned())
                })?;
                let ending = data.media_type.rsplit('/').next().unwrap_or("bin").replace("jpeg", "jpg");
                let name = FileName::clean(&format!("inline.{ending}"));
                let mut intake = self.service.inline_intake(asker.org).await?;
                intake.write(&bytes).await?;
                let id = domain::id::derived(seed, 1_000 + nth);
                let asset = self
                    .service
                    .add_inline_asset(&asker.caller, intake, name, AssetSource::Inline, id)
                    .await
                    .map_err(|refusal| wrong("value_error", refusal.to_string()))?;
                Ok(Resolved {
                    from: request::From::Stored(image_of(&asset.file)),
                    reference: format!("{ASSETS}{}", asset.id),
                    name: asset.name,
                })
            }
            Media::Web(address) => match OwnLink::read(&address) {
                None => Ok(Resolved {
                    name: name_in(&address),
                    reference: address.clone(),
                    from: request::From::Address(address),
                }),
                Some(own) => match self.service.check_link(&own.link, &own.signature) {
                    // An address elsewhere that looks like ours.
                    Err(LinkFault::NotOurs) => Ok(Resolved {
                        name: name_in(&address),
                        reference: address.clone(),
                        from: request::From::Address(address),
                    }),
                    Err(expired @ LinkFault::Expired) => Err(wrong("value_error", expired.to_string())),
                    Ok(()) => {
                        let LinkUse::Get(hash) = own.link.what else {
                            return Err(wrong("value_error", "this link leads to no picture".to_owned()));
                        };
                        let image = self.service.linked_file(own.link.org, hash, &asker.org).await?;
                        let reference = format!("{FILES}{hash}/{}", own.name);
                        Ok(Resolved { from: request::From::Stored(image), reference, name: own.name })
                    }
                },
            },
        }
    }

    /// The file that a stored reference names, if it is one and the organization may see it.
    async fn kept_file(&self, org: OrgId, text: &str) -> Result<Option<Image>, Problem> {
        let hash = text.strip_prefix(FILES).and_then(|rest| rest.split('/').next());
        let Some(hash) = hash.and_then(|hash| hash.parse::<ContentHash>().ok()) else { return Ok(None) };
        match self.service.linked_image(org, hash).await {
            Ok(image) => Ok(Some(image)),
            Err(Refusal::Missing { .. }) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    /// Puts freshly signed addresses where a stored value has references.
    pub(crate) async fn sign_references(&self, org: OrgId, value: &mut Value) -> Result<(), Problem> {
        let mut texts = Vec::new();
        gather(value, &mut texts);
        for text in texts {
            if let Some(id) = text.strip_prefix(ASSETS) {
                let Ok(id) = id.parse::<AssetId>() else { continue };
                // What was thrown away since keeps its reference: it leads nowhere now.
                if let Some(asset) = self.service.referred_asset(org, id).await? {
                    *text = self.asset_url(org, asset.file.hash, &asset.name);
                }
            } else if let Some((hash, name)) = text.strip_prefix(FILES).and_then(|rest| rest.split_once('/'))
            {
                let Ok(hash) = hash.parse::<ContentHash>() else { continue };
                *text = self.result_url(org, hash, &FileName::clean(name));
            }
        }
        Ok(())
    }
}

/// Every text in a value that is a reference.
fn gather<'a>(value: &'a mut Value, texts: &mut Vec<&'a mut String>) {
    match value {
        Value::String(text) if text.starts_with("runflow://") => texts.push(text),
        Value::Array(values) => values.iter_mut().for_each(|value| gather(value, texts)),
        Value::Object(members) => members.values_mut().for_each(|value| gather(value, texts)),
        _ => {}
    }
}

/// A stored file as the engine takes it; what is no picture has no size.
fn image_of(file: &StoredFile) -> Image {
    let (width, height) = file.size.unwrap_or((0, 0));
    Image { hash: file.hash, media_type: file.media_type.clone(), bytes: file.bytes, width, height }
}

/// The file name at the end of an address.
fn name_in(address: &str) -> FileName {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    FileName::clean(&percent_encoding::percent_decode_str(last).decode_utf8_lossy())
}

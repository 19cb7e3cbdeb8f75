//! Pictures that requests name: assets, inline ones, links of our own, and addresses elsewhere. What is here is found here; the
//! rest is left for whoever does the work.

use std::collections::{BTreeSet, HashMap};

use domain::asset::{Asset, AssetSource};
use domain::id::{AssetId, OrgId};
use domain::image::{ContentHash, FileName, Image};
use domain::request;
use serde_json::Value;
use service::{Link, LinkFault, LinkUse};
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

    /// What of the organization's some texts refer to, all of it looked up at once.
    pub(crate) async fn referred<'a>(
        &self,
        org: OrgId,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Referred, Problem> {
        let (mut ids, mut hashes) = (BTreeSet::new(), BTreeSet::new());
        for text in texts {
            match Reference::read(text) {
                Some(Reference::Asset(id)) => drop(ids.insert(id)),
                Some(Reference::File(hash, _)) => drop(hashes.insert(hash)),
                None => hashes.extend(self.own_hash(org, text)),
            }
        }
        let files = match Vec::from_iter(hashes).as_slice() {
            [] => Vec::new(),
            hashes => self.service.linked_images(org, hashes).await?,
        };
        Ok(Referred {
            assets: self.assets_by_id(org, ids).await?,
            files: files.into_iter().map(|file| (file.hash, file)).collect(),
        })
    }

    async fn assets_by_id(
        &self,
        org: OrgId,
        ids: BTreeSet<AssetId>,
    ) -> Result<HashMap<AssetId, Asset>, Problem> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self.service.referred_assets(org, &Vec::from_iter(ids)).await?;
        Ok(found.into_iter().map(|asset| (asset.id, asset)).collect())
    }

    /// The file of the organization's own that a link leads to.
    fn own_hash(&self, org: OrgId, text: &str) -> Option<ContentHash> {
        let OwnLink { link, signature, .. } = OwnLink::read(text.trim()).filter(|own| own.link.org == org)?;
        let LinkUse::Get(hash) = link.what else { return None };
        self.service.check_link(&link, &signature).is_ok().then_some(hash)
    }

    /// Finds the picture that a media value names, among what was looked up of the value it stands in. `way` leads to the value,
    /// for what is wrong with it. Inline pictures become assets, with ids derived from `seed` and `nth`.
    pub(crate) async fn resolve(
        &self,
        asker: &Asker,
        referred: &Referred,
        way: &[Loc],
        text: &str,
        seed: Uuid,
        nth: u32,
    ) -> Result<Resolved, Problem> {
        let wrong = |kind: &'static str, msg: String| {
            Problem::invalid(vec![FieldError::new(way.to_vec(), kind, msg)])
        };
        let text = text.trim();
        if text.starts_with(FILES) {
            let Some(Reference::File(hash, name)) = Reference::read(text) else {
                return Err(wrong("value_error", format!("this is no reference to a file: {text}")));
            };
            let Some(image) = referred.files.get(&hash) else {
                return Err(wrong("value_error", format!("file not found or expired: {text}")));
            };
            return Ok(Resolved {
                from: request::From::Stored(image.clone()),
                reference: text.to_owned(),
                name: FileName::clean(name),
            });
        }
        match self.read_media(text).map_err(|(kind, msg)| wrong(kind, msg))? {
            Media::Asset(id) => {
                let Some(asset) = referred.assets.get(&AssetId(id)) else {
                    return Err(wrong("value_error", format!("asset not found or expired: {ASSETS}{id}")));
                };
                Ok(Resolved {
                    from: request::From::Stored(asset.file.clone().into()),
                    reference: format!("{ASSETS}{id}"),
                    name: asset.name.clone(),
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
                    reference: format!("{ASSETS}{}", asset.id),
                    from: request::From::Stored(asset.file.into()),
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
                        let known = referred.files.get(&hash).filter(|_| own.link.org == asker.org);
                        let image = match known {
                            Some(image) => image.clone(),
                            None => self.service.linked_file(own.link.org, hash, &asker.org).await?,
                        };
                        let reference = format!("{FILES}{hash}/{}", own.name);
                        Ok(Resolved { from: request::From::Stored(image), reference, name: own.name })
                    }
                },
            },
        }
    }

    /// Puts freshly signed addresses where stored values have references.
    pub(crate) async fn sign_references<'a>(
        &self,
        org: OrgId,
        values: impl IntoIterator<Item = &'a mut Value>,
    ) -> Result<(), Problem> {
        let mut texts = Vec::new();
        values.into_iter().for_each(|value| gather(value, &mut texts));
        let asset = |text: &&mut String| match Reference::read(text) {
            Some(Reference::Asset(id)) => Some(id),
            _ => None,
        };
        let assets = self.assets_by_id(org, texts.iter().filter_map(asset).collect()).await?;
        for text in texts {
            match Reference::read(text) {
                // What was thrown away since keeps its reference: it leads nowhere now.
                Some(Reference::Asset(id)) => {
                    if let Some(asset) = assets.get(&id) {
                        *text = self.asset_url(org, asset.file.hash, &asset.name);
                    }
                }
                Some(Reference::File(hash, name)) => {
                    *text = self.result_url(org, hash, &FileName::clean(name));
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// What some values refer to, as far as it is there.
#[derive(Debug, Default)]
pub(crate) struct Referred {
    assets: HashMap<AssetId, Asset>,
    files: HashMap<ContentHash, Image>,
}

/// A text that stands for something of the organization's.
enum Reference<'a> {
    Asset(AssetId),
    /// A file that is no asset, and its name.
    File(ContentHash, &'a str),
}

impl<'a> Reference<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix(FILES) {
            let (hash, name) = rest.split_once('/')?;
            return Some(Self::File(hash.parse().ok()?, name));
        }
        Media::asset(text).map(|id| Self::Asset(AssetId(id)))
    }
}

/// Every text in a value.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Every text in a value that is a reference, to be changed.
fn gather<'a>(value: &'a mut Value, references: &mut Vec<&'a mut String>) {
    match value {
        Value::String(text) if Reference::read(text).is_some() => references.push(text),
        Value::Array(values) => values.iter_mut().for_each(|value| gather(value, references)),
        Value::Object(members) => members.values_mut().for_each(|value| gather(value, references)),
        _ => {}
    }
}

/// The file name at the end of an address.
fn name_in(address: &str) -> FileName {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    FileName::clean(&percent_encoding::percent_decode_str(last).decode_utf8_lossy())
}

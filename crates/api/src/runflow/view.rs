//! How values are written in this dialect: times, money, ids, links.

use domain::id::{OrgId, RunId};
use domain::image::{ContentHash, FileName};
use domain::time::{Millis, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use service::{Link, LinkUse};
use uuid::Uuid;

use super::model::Price;
use crate::Front;

/// What stands for itself in a path (RFC 3986, section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An object with these members, in this order.
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A time in an answer: RFC 3339 in UTC with six digits of a second.
pub(crate) fn time(at: Timestamp) -> String {
    // The store keeps milliseconds.
    at.to_string().replace('Z', "000Z")
}

/// A time that may be missing.
pub(crate) fn maybe_time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| json!(time(at)))
}

/// A time in a callback, as Python's `isoformat` writes it: `+00:00`, and no fraction where it is zero.
pub(crate) fn iso(at: Timestamp) -> String {
    let text = at.to_string();
    let (whole, fraction) = text.trim_end_matches('Z').split_once('.').unwrap_or((text.as_str(), "000"));
    if fraction == "000" { format!("{whole}+00:00") } else { format!("{whole}.{fraction}000+00:00") }
}

/// A name whose ending fits its media type: clients tell pictures by it.
pub(crate) fn with_ending(name: &FileName, media_type: &str) -> FileName {
    let endings: &[&str] = match media_type {
        "image/png" => &["png"],
        "image/jpeg" => &["jpg", "jpeg"],
        "image/webp" => &["webp"],
        "image/tiff" => &["tif", "tiff"],
        "image/avif" => &["avif"],
        _ => return name.clone(),
    };
    let has = name.extension().map(str::to_ascii_lowercase);
    if has.is_some_and(|has| endings.contains(&has.as_str())) {
        return name.clone();
    }
    FileName::clean(&format!("{}.{}", name.stem(), endings[0]))
}

/// The id of a batch's item: the run's, told apart by its last bytes.
pub(crate) fn item_id(run: RunId) -> Uuid {
    Uuid::from_u128(run.0.as_u128() ^ 0xFFFF_FFFF_FFFF)
}

/// The run of a batch's item.
pub(crate) fn run_of_item(item: Uuid) -> RunId {
    RunId(Uuid::from_u128(item.as_u128() ^ 0xFFFF_FFFF_FFFF))
}

impl Front {
    /// Credits as US dollars.
    pub(crate) fn money(&self, credits: u64) -> String {
        Price(credits.saturating_mul(self.settings.credit_micros)).to_string()
    }

    /// What a price in US dollars is in credits, never too little.
    pub(crate) fn credits(&self, price: Price) -> u32 {
        u32::try_from(price.0.div_ceil(self.settings.credit_micros.max(1))).unwrap_or(u32::MAX)
    }

    /// A signed address of those bytes, which ends in a file name before its query.
    pub(crate) fn file_url(
        &self,
        org: OrgId,
        hash: ContentHash,
        name: &FileName,
        lifetime: Millis,
    ) -> String {
        let link = self.service.link(org, LinkUse::Get(hash), lifetime);
        self.written("files", &link, &hash.to_string(), name.as_str())
    }

    /// A signed address of a result.
    pub(crate) fn result_url(&self, org: OrgId, hash: ContentHash, name: &FileName) -> String {
        self.file_url(org, hash, name, self.service.settings().result_link_lifetime)
    }

    /// A signed address of an asset.
    pub(crate) fn asset_url(&self, org: OrgId, hash: ContentHash, name: &FileName) -> String {
        self.file_url(org, hash, name, self.service.settings().asset_link_lifetime)
    }

    /// A signed address of a small picture of those bytes.
    pub(crate) fn thumbnail_url(&self, org: OrgId, hash: ContentHash) -> String {
        let link =
            self.service.link(org, LinkUse::Thumbnail(hash), self.service.settings().asset_link_lifetime);
        self.written("thumbnails", &link, &hash.to_string(), "thumbnail.webp")
    }

    /// A signed address of a small picture of what came after a step of a run.
    pub(crate) fn preview_url(&self, org: OrgId, run: RunId, place: u32) -> String {
        let lifetime = self.service.settings().result_link_lifetime;
        let link = self.service.link(org, LinkUse::Preview(run, place), lifetime);
        self.written("previews", &link, &format!("{run}.{place}"), "preview.webp")
    }

    fn written(&self, kind: &str, link: &Link, what: &str, name: &str) -> String {
        let base = &self.service.settings().public_url;
        let signature = self.service.sign_link(link);
        let name = utf8_percent_encode(name, SEGMENT);
        format!("{base}/v1/{kind}/{}/{what}/{}/{name}?sig={signature}", link.org, link.until)
    }

    /// Where the bytes of an upload go.
    pub(crate) fn upload_url(&self, link: &Link, asset: Uuid) -> String {
        let base = &self.service.settings().public_url;
        let signature = self.service.sign_link(link);
        format!("{base}/v1/uploads/{}/{asset}/{}?sig={signature}", link.org, link.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_each_reader_expects() {
        let (whole, part) = (Timestamp(1_778_061_600_000), Timestamp(1_778_061_600_101));
        assert_eq!(time(part), "2026-05-06T10:00:00.101000Z");
        assert_eq!(time(whole), "2026-05-06T10:00:00.000000Z");
        assert_eq!(iso(part), "2026-05-06T10:00:00.101000+00:00");
        assert_eq!(iso(whole), "2026-05-06T10:00:00+00:00");
    }

    #[test]
    fn an_item_leads_to_its_run() {
        let run = RunId(Uuid::from_u128(0x0196_a1b2_7c00_7d11_8a22_5f6e_7d8c_9b0a));
        assert_eq!(run_of_item(item_id(run)), run);
        assert_ne!(item_id(run), run.0);
        assert_eq!(item_id(run).get_version_num(), 7);
    }
}

//! Pictures and files in an input: addresses, data URIs, and references to assets.

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::field::{FieldError, Loc};
use super::{Kind, Model};

/// Longest address, in bytes.
const ADDRESS_MAX: usize = 8192;
const ASSETS: &str = "runflow://assets/";
/// Both paddings are in use.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Which addresses are taken.
#[derive(Clone, Copy)]
pub struct MediaRules<'a> {
    /// Whether `http://` is.
    pub allow_http: bool,
    /// Whether an address is one that this server made and signed; such a one is taken whatever its scheme.
    pub is_own: &'a dyn Fn(&str) -> bool,
}

impl MediaRules<'static> {
    /// `https://` alone.
    pub const STRICT: Self = Self { allow_http: false, is_own: &|_| false };
}

/// A picture or file as an input names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// At an address.
    Web(String),
    /// In the input itself.
    Data(Data),
    /// Among the organization's assets.
    Asset(Uuid),
}

/// A file written into an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// The media type it says it has, without parameters, in lower case: `image/png`.
    pub media_type: String,
    base64: String,
}

impl Data {
    /// Its bytes.
    pub fn bytes(&self) -> Result<Vec<u8>, base64::DecodeError> {
        BASE64.decode(&self.base64)
    }
}

/// Why a text is no media value: the kind of fault, and what to say.
type Refusal = (&'static str, String);

impl Media {
    /// Reads a media value.
    ///
    /// Addresses are looked at only so far that a mistake is told at once; whoever fetches one vets it.
    pub fn read(text: &str, rules: &MediaRules<'_>) -> Result<Self, (&'static str, String)> {
        let text = text.trim();
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        match scheme.to_ascii_lowercase().as_str() {
            "data" => data(rest).map(Self::Data),
            // A file of ours that is no asset, as a stored input has it.
            "runflow" if (rules.is_own)(text) => Ok(Self::Web(text.to_owned())),
            "runflow" => Self::asset(text)
                .map(Self::Asset)
                .ok_or_else(|| url("a reference is `runflow://assets/` and the asset's id")),
            scheme @ ("https" | "http") => {
                let is_taken = scheme == "https" || rules.allow_http || (rules.is_own)(text);
                address(text, rest, is_taken).map(Self::Web)
            }
            "" => Err(url("relative URL without a base")),
            _ => Err(("url_scheme", "URL scheme should be 'https', 'data' or 'runflow'".to_owned())),
        }
    }

    /// The asset that a reference names, if the text is one.
    pub fn asset(text: &str) -> Option<Uuid> {
        let text = text.trim();
        let start = text.get(..ASSETS.len())?;
        start.eq_ignore_ascii_case(ASSETS).then(|| Uuid::try_parse(&text[ASSETS.len()..]).ok())?
    }
}

fn url(why: &str) -> Refusal {
    ("url_parsing", format!("Input should be a valid URL, {why}"))
}

fn address(text: &str, rest: &str, is_taken: bool) -> Result<String, Refusal> {
    if !is_taken {
        return Err(("url_scheme", "URL scheme should be 'https'".to_owned()));
    }
    if text.len() > ADDRESS_MAX {
        return Err(("url_too_long", format!("URL should have at most {ADDRESS_MAX} characters")));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(url("invalid international domain name or space in it"));
    }
    let authority = rest.strip_prefix("//").ok_or_else(|| url("`//` must follow the scheme"))?;
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
    if host.is_empty() {
        return Err(url("empty host"));
    }
    Ok(text.to_owned())
}

fn data(rest: &str) -> Result<Data, Refusal> {
    let (head, base64) =
        rest.split_once(',').ok_or_else(|| url("a data URI needs a comma before its data"))?;
    let mut head = head.split(';');
    let media_type = head.next().unwrap_or_default().trim().to_ascii_lowercase();
    if !head.any(|part| part.trim().eq_ignore_ascii_case("base64")) {
        return Err(url("a data URI must be `data:<type>;base64,…`"));
    }
    if !media_type.contains('/') {
        return Err(url("a data URI must name its media type, such as `image/png`"));
    }
    let data = Data { media_type, base64: base64.to_owned() };
    match data.bytes() {
        Ok(bytes) if bytes.is_empty() => Err(url("the data URI holds nothing")),
        Ok(_) => Ok(data),
        Err(error) => Err(("base64_decode", format!("Base64 decoding error: '{error}'"))),
    }
}

/// Reads what a field of that kind holds. A picture written into the input must say that it is one.
pub(super) fn read(text: &str, kind: Kind, rules: &MediaRules<'_>, loc: &[Loc]) -> Result<Media, FieldError> {
    let refuse = |(kind, msg): Refusal| FieldError { loc: loc.to_vec(), msg, kind };
    let media = Media::read(text, rules).map_err(refuse)?;
    if let Media::Data(data) = &media
        && kind != Kind::File
        && !(data.media_type.starts_with("image/") || data.media_type == "application/octet-stream")
    {
        return Err(FieldError::value(loc.to_vec(), format!("`{}` is no image type", data.media_type)));
    }
    Ok(media)
}

/// A media value of an input, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The way to it.
    pub path: Vec<Loc>,
    /// What it is.
    pub media: Media,
}

/// Every media value of an input: what its fields for pictures and files hold; in objects, what stands under a key that
/// ends in `_url` or `_urls`; and data URIs and references wherever they are. What cannot be read is passed over: [`validate`]
/// tells of it.
///
/// [`validate`]: super::validate
pub fn media(model: &Model, input: &Value, rules: &MediaRules<'_>) -> Vec<Found> {
    let mut walk = Walk { rules, found: Vec::new(), path: Vec::new() };
    for (name, value) in input.as_object().into_iter().flatten() {
        let is_media = model
            .input(name)
            .is_some_and(|input| matches!(input.kind, Kind::Image | Kind::ImageList | Kind::File));
        walk.path.push(Loc::from(name.as_str()));
        walk.value(value, is_media);
        walk.path.pop();
    }
    walk.found
}

/// Every data URI and reference to an asset in any JSON, such as a run's metadata. Addresses there are nobody's business.
pub fn media_in(value: &Value) -> Vec<Found> {
    let mut walk = Walk { rules: &MediaRules::STRICT, found: Vec::new(), path: Vec::new() };
    walk.embedded(value);
    walk.found
}

struct Walk<'a> {
    rules: &'a MediaRules<'a>,
    found: Vec<Found>,
    path: Vec<Loc>,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, is_media: bool) {
        match value {
            Value::String(text) => self.text(text, is_media),
            Value::Array(list) => self.list(list, |walk, item| walk.value(item, is_media)),
            Value::Object(map) => self.object(map, |walk, key, item| walk.value(item, names_media(key))),
            _ => {}
        }
    }

    fn embedded(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text(text, false),
            Value::Array(list) => self.list(list, Self::embedded),
            Value::Object(map) => self.object(map, |walk, _, item| walk.embedded(item)),
            _ => {}
        }
    }

    fn text(&mut self, text: &str, is_media: bool) {
        let Ok(media) = Media::read(text, self.rules) else { return };
        if is_media || !matches!(media, Media::Web(_)) {
            self.found.push(Found { path: self.path.clone(), media });
        }
    }

    fn list(&mut self, list: &[Value], mut each: impl FnMut(&mut Self, &Value)) {
        for (index, item) in list.iter().enumerate() {
            self.path.push(Loc::Index(index));
            each(self, item);
            self.path.pop();
        }
    }

    fn object(&mut self, map: &Map<String, Value>, mut each: impl FnMut(&mut Self, &str, &Value)) {
        for (key, item) in map {
            self.path.push(Loc::from(key.as_str()));
            each(self, key, item);
            self.path.pop();
        }
    }
}

/// Whether a key of an object names a picture or a file.
pub(super) fn names_media(key: &str) -> bool {
    key.ends_with("_url") || key.ends_with("_urls")
}

/// The value at the end of a way.
pub fn get<'a>(value: &'a Value, path: &[Loc]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, part| match part {
        Loc::Key(key) => value.get(key),
        Loc::Index(index) => value.get(index),
    })
}

/// Puts a text at the end of a way that [`media`] or [`media_in`] found; answers whether there was something.
pub fn put(value: &mut Value, path: &[Loc], text: impl Into<String>) -> bool {
    let place = path.iter().try_fold(value, |value, part| match part {
        Loc::Key(key) => value.get_mut(key),
        Loc::Index(index) => value.get_mut(index),
    });
    place.map(|place| *place = Value::String(text.into())).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::runflow::model::find;

    const ID: &str = "0196a300-0000-7000-8000-000000000001";

    fn kind_of(text: &str) -> &'static str {
        Media::read(text, &MediaRules::STRICT).expect_err("refused").0
    }

    #[test]
    fn each_form_is_read() {
        let read = |text: &str| Media::read(text, &MediaRules::STRICT).expect("read");
        assert_eq!(
            read(" https://img.example/a.jpg?x=1 "),
            Media::Web("https://img.example/a.jpg?x=1".into())
        );
        assert_eq!(read(&format!("runflow://assets/{ID}")), Media::Asset(ID.parse().expect("an id")));
        let Media::Data(data) = read("data:Image/PNG;charset=x;base64,AAEC") else { panic!("data") };
        assert_eq!((data.media_type.as_str(), data.bytes().expect("bytes")), ("image/png", vec![0, 1, 2]));
        for unpadded in ["data:image/png;base64,AAE", "data:image/png;base64,AAE="] {
            let Media::Data(data) = read(unpadded) else { panic!("data") };
            assert_eq!(data.bytes().expect("bytes"), [0, 1]);
        }
    }

    #[test]
    fn what_is_no_media_is_refused_with_its_kind() {
        assert_eq!(kind_of("mug.jpg"), "url_parsing");
        assert_eq!(kind_of(""), "url_parsing");
        assert_eq!(kind_of("https:///mug.jpg"), "url_parsing");
        assert_eq!(kind_of("https://:80/mug.jpg"), "url_parsing");
        assert_eq!(kind_of("https://img.example/a mug.jpg"), "url_parsing");
        assert_eq!(kind_of("https:img.example"), "url_parsing");
        assert_eq!(kind_of("ftp://img.example/mug.jpg"), "url_scheme");
        assert_eq!(kind_of("file:///etc/passwd"), "url_scheme");
        assert_eq!(kind_of("http://img.example/mug.jpg"), "url_scheme");
        assert_eq!(kind_of("runflow://assets/mug"), "url_parsing");
        assert_eq!(kind_of("runflow://runs/0196a300-0000-7000-8000-000000000001"), "url_parsing");
        assert_eq!(kind_of("data:image/png,abc"), "url_parsing");
        assert_eq!(kind_of("data:;base64,AAEC"), "url_parsing");
        assert_eq!(kind_of("data:image/png;base64,"), "url_parsing");
        assert_eq!(kind_of("data:image/png;base64,A*EC"), "base64_decode");
        assert_eq!(kind_of(&format!("https://img.example/{}", "a".repeat(9000))), "url_too_long");
    }

    #[test]
    fn plain_http_is_taken_where_it_is_allowed_or_our_own() {
        let ours = |address: &str| address.starts_with("http://127.0.0.1:8080/");
        let rules = MediaRules { allow_http: false, is_own: &ours };
        assert!(Media::read("http://127.0.0.1:8080/o/1.png?sig=a", &rules).is_ok());
        assert!(Media::read("http://127.0.0.1:8081/o/1.png", &rules).is_err());
        let open = MediaRules { allow_http: true, ..MediaRules::STRICT };
        assert!(Media::read("http://img.example/1.png", &open).is_ok());
    }

    #[test]
    fn every_media_value_is_found_with_its_way() {
        let model = find("runflow", "tag-removal").expect("a model");
        let input = json!({
            "image_url": "https://img.example/1.jpg",
            "config": {
                "mask_url": "https://img.example/mask.png",
                "homepage": "https://shop.example",
                "more": [{ "note": "data:image/png;base64,AAEC" }],
            },
            "unknown": format!("runflow://assets/{ID}"),
            "link": "https://shop.example",
        });
        let found = media(model, &input, &MediaRules::STRICT);
        let ways: Vec<String> =
            found.iter().map(|found| serde_json::to_string(&found.path).expect("JSON")).collect();
        assert_eq!(
            ways,
            [
                r#"["image_url"]"#,
                r#"["config","mask_url"]"#,
                r#"["config","more",0,"note"]"#,
                r#"["unknown"]"#
            ]
        );
        let mut changed = input.clone();
        assert!(put(&mut changed, &found[2].path, "runflow://assets/1"));
        assert_eq!(changed["config"]["more"][0]["note"], "runflow://assets/1");
        assert!(!put(&mut changed, &[Loc::from("nowhere"), Loc::Index(3)], "x"));
        let metadata = json!({ "sku": "1", "page_url": "https://shop.example", "thumb": ["data:image/png;base64,AAEC"] });
        assert_eq!(media_in(&metadata).len(), 1);
    }
}

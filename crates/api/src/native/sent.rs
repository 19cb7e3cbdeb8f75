//! What requests bring along: JSON bodies, read strictly, with a pointer to what is wrong.

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::problem::{Fault, Problem};
use crate::Front;
use crate::body::read_all;

/// A JSON body. Members that are not known are refused, as long as its type says so.
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Front> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, front: &Front) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !is_json(kind) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media_type_unsupported",
                "the body must be JSON; send `content-type: application/json`",
            ));
        }
        let bytes = read_all(body, front.settings.bytes_max_at(parts.uri.path())).await?;
        read(&bytes).map(Self)
    }
}

fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut from).map_err(|error| {
        let pointer = pointer_of(error.path());
        let error = error.into_inner();
        if error.is_data() {
            Problem::invalid(vec![Fault::at(pointer, without_place(&error.to_string()))])
        } else {
            malformed(&error)
        }
    })?;
    from.end().map_err(|error| malformed(&error))?;
    Ok(read)
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "json_malformed", format!("the body is no JSON: {error}"))
}

/// The text without ` at line 1 column 7`: the pointer says where.
fn without_place(text: &str) -> &str {
    text.rfind(" at line ").map_or(text, |at| &text[..at])
}

fn pointer_of(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// A name as it stands in a JSON Pointer (RFC 6901, section 3).
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only read into")]
    struct Outer {
        name: String,
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only read into")]
    struct Inner {
        size: u32,
    }

    fn refused(text: &str) -> (u16, String) {
        let problem = read::<Outer>(text.as_bytes()).expect_err("refused");
        let text = format!("{problem:?}");
        (problem.into_response().status().as_u16(), text)
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (body, pointer) in [
            (r#"{"name": 1, "inner": []}"#, "/name"),
            (r#"{"name": "a", "inner": [{"size": 1}, {"size": -1}]}"#, "/inner/1/size"),
            (r#"{"name": "a", "inner": [{"size": 1, "a/b": 2}]}"#, "/inner/0/a~1b"),
            (r#"{"name": "a", "inner": [], "other": 2}"#, "/other"),
            (r#"{"name": "a"}"#, ""),
            ("[]", ""),
        ] {
            let (status, text) = refused(body);
            assert_eq!(status, 400);
            assert!(text.contains(&format!("pointer: Some(\"{pointer}\")")), "{body}: {text}");
            assert!(!text.contains(" at line "), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_said_to_be_none() {
        for body in ["", "{", "{} {}", "name=a", "{\"name\": \"\u{1}\"}"] {
            let text = refused(body).1;
            assert!(text.contains("json_malformed") || text.contains("pointer"), "{body}: {text}");
        }
        assert!(read::<serde_json::Value>(b"{} {}").is_err());
    }

    #[test]
    fn json_comes_under_several_names() {
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert!(is_json(kind), "{kind}");
        }
        for kind in ["", "text/plain", "json"] {
            assert!(!is_json(kind), "{kind}");
        }
    }
}

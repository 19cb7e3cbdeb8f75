//! Files on their way out: whole or in parts, with what clients and caches need to know of them.

use std::ops::Range;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::image::FileName;
use futures::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use service::{Handout, Refusal};

use crate::observe::chain;

/// What an extended header value may hold as it is (RFC 5987, `attr-char`).
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The bytes asked for are beyond the file's end.
pub(crate) struct Outside {
    /// How many bytes the file has.
    pub(crate) bytes: u64,
}

impl Outside {
    /// Says in an answer how many bytes there are (RFC 9110, section 15.5.17).
    pub(crate) fn mark(&self, mut response: Response) -> Response {
        if let Ok(value) = HeaderValue::from_str(&format!("bytes */{}", self.bytes)) {
            response.headers_mut().insert(CONTENT_RANGE, value);
        }
        response
    }
}

/// Answers a file's bytes, or those asked for, or that the client has them already. `kept` says how long it may be kept.
pub(crate) async fn send(
    handout: &Handout,
    name: &FileName,
    kept: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Result<Response, Outside>, Refusal> {
    let image = &handout.image;
    let tag = format!("\"{}\"", image.hash);
    let mut answer = HeaderMap::new();
    let mut set = |header: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.insert(header, value);
        }
    };
    set(ETAG, &tag);
    set(CACHE_CONTROL, kept);
    if matches_tag(headers, &tag) {
        return Ok(Ok((StatusCode::NOT_MODIFIED, answer).into_response()));
    }
    set(CONTENT_TYPE, &image.media_type);
    set(ACCEPT_RANGES, "bytes");
    // A picture opened by itself in a browser runs nothing.
    set(CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    set(
        CONTENT_DISPOSITION,
        &format!("inline; filename*=UTF-8''{}", utf8_percent_encode(name.as_str(), ATTR_CHAR)),
    );
    let may_range = headers.get(IF_RANGE).is_none_or(|value| value.as_bytes() == tag.as_bytes());
    let asked = headers
        .get(RANGE)
        .and_then(|value| value.to_str().ok())
        .filter(|_| may_range && *method == Method::GET);
    let range = match asked.map_or(Asked::Whole, |text| range_of(text, image.bytes)) {
        Asked::Whole => None,
        Asked::Part(range) => {
            set(CONTENT_RANGE, &format!("bytes {}-{}/{}", range.start, range.end - 1, image.bytes));
            Some(range)
        }
        Asked::Outside => return Ok(Err(Outside { bytes: image.bytes })),
    };
    let len = range.as_ref().map_or(image.bytes, |range| range.end - range.start);
    set(CONTENT_LENGTH, &len.to_string());
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    if *method == Method::HEAD {
        return Ok(Ok((status, answer).into_response()));
    }
    let bytes = handout.stream(range).await?.bytes.inspect(|next| {
        // The status is out already: all that can be done is to break off, which the length makes noticeable.
        if let Err(error) = next {
            tracing::error!(error = %chain(error), "cannot read an image to its end");
        }
    });
    Ok(Ok((status, answer, Body::from_stream(bytes)).into_response()))
}

fn matches_tag(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || known == tag)
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    Outside,
}

/// Which bytes a `range` header asks for. What cannot be read, and more than one range, asks for the whole (RFC 9110,
/// section 14.2).
fn range_of(text: &str, total: u64) -> Asked {
    let Some(spec) = text.trim().strip_prefix("bytes=") else {
        return Asked::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else {
        return Asked::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => return Asked::Whole,
        (Ok(first), Ok(last)) => first..last.saturating_add(1).min(total),
        (Ok(first), Err(_)) if last.is_empty() => first..total,
        (Err(_), Ok(many)) if first.is_empty() => {
            if many == 0 {
                return Asked::Outside;
            }
            total.saturating_sub(many)..total
        }
        _ => return Asked::Whole,
    };
    if range.start >= total { Asked::Outside } else { Asked::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_rfc_9110_reads_them() {
        assert_eq!(range_of("bytes=0-3", 10), Asked::Part(0..4));
        assert_eq!(range_of("bytes=4-", 10), Asked::Part(4..10));
        assert_eq!(range_of("bytes=-3", 10), Asked::Part(7..10));
        assert_eq!(range_of("bytes=-30", 10), Asked::Part(0..10));
        assert_eq!(range_of("bytes=8-30", 10), Asked::Part(8..10));
        assert_eq!(range_of("bytes=10-", 10), Asked::Outside);
        assert_eq!(range_of("bytes=-0", 10), Asked::Outside);
        for whole in ["bytes=0-1,3-4", "bytes=5-4", "bytes=a-b", "lines=0-3", "bytes=", "bytes=-"] {
            assert_eq!(range_of(whole, 10), Asked::Whole, "{whole}");
        }
    }
}

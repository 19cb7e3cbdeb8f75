//! Every endpoint answers at its path, at `/v1` and at `/v2` before it, with and without one slash at the end, and never
//! by a redirect: clients would lose the body or the method on one.

use std::borrow::Cow;

use axum::extract::{OriginalUri, Request};
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::middleware::Next;
use axum::response::Response;

/// How a request's path was received, before it was rewritten for routing.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The whole path, undecoded, without the query.
    pub(crate) path: String,
    /// What came after an image's hash, undecoded.
    pub(crate) file_name: Option<String>,
}

/// What comes before the secret of an invitation's link.
const INVITATION: &str = "/invitation/";

impl Received {
    /// The path of a request as it may be written down.
    pub(crate) fn path_to_log<B>(request: &Request<B>) -> String {
        request.extensions().get::<Self>().map_or_else(String::new, |received| received.to_log().into_owned())
    }

    /// The path without the secret of an invitation's link, in whatever way that is spelt.
    fn to_log(&self) -> Cow<'_, str> {
        let path = self.path.as_str();
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
        match decoded.find(INVITATION) {
            None => Cow::Borrowed(path),
            Some(at) => Cow::Owned(format!("{}…", &decoded[..at + INVITATION.len()])),
        }
    }
}

/// Stands for whatever file name an image's address ends in: names come in every encoding, and decide nothing.
const FILE: &str = "file";

/// Rewrites the path to the one route that is meant, and notes how it was received.
pub(crate) fn rewrite<B>(mut request: Request<B>) -> Request<B> {
    let path = request.uri().path();
    let mut plain = path;
    for version in ["/v1", "/v2"] {
        if let Some(rest) = plain.strip_prefix(version)
            && (rest.is_empty() || rest.starts_with('/'))
        {
            plain = rest;
            break;
        }
    }
    if plain.len() > 1 {
        plain = plain.strip_suffix('/').unwrap_or(plain);
    }
    let image = plain.strip_prefix("/image/").and_then(|rest| rest.split_once('/'));
    let (routed, file_name) = match image {
        Some((hash, name)) if !name.is_empty() => (format!("/image/{hash}/{FILE}"), Some(name.to_owned())),
        _ => (if plain.is_empty() { "/" } else { plain }.to_owned(), None),
    };
    let received = Received { path: path.to_owned(), file_name };
    if routed != path {
        let with_query = match request.uri().query() {
            Some(query) => format!("{routed}?{query}"),
            None => routed,
        };
        // A part of a path that was fine is fine.
        if let Ok(with_query) = with_query.parse::<PathAndQuery>() {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(with_query);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request.extensions_mut().insert(received);
    request
}

/// Notes how a request's path was received that is not rewritten.
pub(crate) async fn note(mut request: Request, next: Next) -> Response {
    let whole = request.extensions().get::<OriginalUri>().map(|uri| uri.path().to_owned());
    let path = whole.unwrap_or_else(|| request.uri().path().to_owned());
    request.extensions_mut().insert(Received { path, file_name: None });
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(path: &str) -> (String, Option<String>) {
        let request = Request::builder().uri(path).body(()).expect("a request");
        let request = rewrite(request);
        let received = request.extensions().get::<Received>().expect("noted").clone();
        (request.uri().to_string(), received.file_name)
    }

    #[test]
    fn prefixes_and_one_slash_go_and_the_query_stays() {
        for path in ["/workflow", "/workflow/", "/v1/workflow", "/v1/workflow/", "/v2/workflow/"] {
            assert_eq!(routed(path).0, "/workflow");
            assert_eq!(routed(&format!("{path}?a=1&&b=2")).0, "/workflow?a=1&&b=2");
        }
        assert_eq!(routed("/v1/v2/workflow").0, "/v2/workflow");
        assert_eq!(routed("/v1").0, "/");
        assert_eq!(routed("/v1x/workflow").0, "/v1x/workflow");
        assert_eq!(routed("/workflow//").0, "/workflow/");
        assert_eq!(routed("/").0, "/");
    }

    #[test]
    fn the_secret_of_a_link_is_not_written_down() {
        let to_log = |path: &str| {
            let received = Received { path: path.to_owned(), file_name: None };
            received.to_log().into_owned()
        };
        for path in [
            "/invitation/S3cret",
            "/invitation/S3cret/",
            "/v1/invitation/S3cret",
            "/invitation//S3cret",
            "/invitation/a/S3cret",
            "/Invitation/S3cret",
            "/%69nvitation%2fS3cret",
            "/x%ff/invitation/S3cret",
        ] {
            let logged = to_log(path);
            assert!(!logged.to_lowercase().contains("s3cret"), "{path}: {logged}");
            assert!(logged.ends_with("/invitation/…"), "{path}: {logged}");
        }
        for path in ["/packshot/v1/invitations/0195", "/account", "/v1/image/ab12/a%20b.png"] {
            assert_eq!(to_log(path), path);
        }
    }

    #[test]
    fn an_image_may_be_called_anything() {
        for name in ["a.png", "a%20b.png", "a%2520b.png", "a/b.png", "%E9.png", "a.png/"] {
            let (uri, found) = routed(&format!("/v1/image/ab12/{name}?x=y"));
            assert_eq!(uri, "/image/ab12/file?x=y");
            assert_eq!(found.as_deref(), Some(name.trim_end_matches('/')));
        }
        assert_eq!(routed("/image/ab12/"), ("/image/ab12".to_owned(), None));
    }
}

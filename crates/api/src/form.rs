//! Names and values as they come in queries and forms, read as leniently as clients write them.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode;

/// Names and values in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads `a=1&b=2`. Empty pairs and names without `=` are passed over: some clients leave them behind. Raw and
    /// percent-encoded characters mean the same, `+` is a blank, and bytes that are no UTF-8 are replaced.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let pairs = text.split(|byte| *byte == b'&').filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            Some((decode(&pair[..at]), decode(&pair[at + 1..])))
        });
        Self(pairs.collect())
    }

    /// The first value of that name, unless it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// All names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromIterator<(String, String)> for Pairs {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

fn decode(text: &[u8]) -> String {
    let blanks: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&blanks).decode_utf8_lossy().into_owned()
}

/// The query of a request.
pub(crate) struct Query(pub(crate) Pairs);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Pairs::parse(parts.uri.query().unwrap_or_default().as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        Pairs::parse(text.as_bytes()).0
    }

    #[test]
    fn raw_and_encoded_characters_mean_the_same() {
        let raw = pairs("grant_type=urn:ietf:params:oauth:grant-type:device_code&audience=https://a.example");
        let encoded = pairs(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&audience=https%3A%2F%2Fa.example",
        );
        assert_eq!(raw, encoded);
        assert_eq!(pairs("label%5Ba%5D=1"), pairs("label[a]=1"));
    }

    #[test]
    fn doubled_ampersands_and_stray_names_are_passed_over() {
        assert_eq!(pairs("&&a=1&&stray&b=2=3&"), [("a".into(), "1".into()), ("b".into(), "2=3".into())]);
        assert_eq!(pairs(""), []);
    }

    proptest! {
        #[test]
        fn no_query_breaks_it(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let parsed = Pairs::parse(&text);
            prop_assert!(parsed.0.len() <= text.iter().filter(|byte| **byte == b'=').count());
        }
    }
}

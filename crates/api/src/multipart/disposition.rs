//! The headers of multipart forms: boundaries and names, in every spelling that has been seen.

use percent_encoding::percent_decode;

/// What a `content-disposition` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Disposition {
    pub(super) name: Option<String>,
    pub(super) file_name: Option<String>,
}

/// The boundary a `multipart/form-data` content type names; `None` if it is another type or names none.
pub(crate) fn boundary(content_type: &[u8]) -> Option<String> {
    let (kind, parameters) = split_at(content_type, b';');
    if !trim(kind).eq_ignore_ascii_case(b"multipart/form-data") {
        return None;
    }
    let found = parameters_of(parameters).find(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    let boundary = text(&found?.1.bytes);
    (1..=200).contains(&boundary.len()).then_some(boundary)
}

/// Reads a header line of a part, if it is its `content-disposition`.
pub(super) fn disposition(line: &[u8]) -> Option<Disposition> {
    let (name, value) = split_at(line, b':');
    if !trim(name).eq_ignore_ascii_case(b"content-disposition") {
        return None;
    }
    let (_, parameters) = split_at(value, b';');
    let mut found = Disposition { name: None, file_name: None };
    let mut extended = None;
    for (name, value) in parameters_of(parameters) {
        match name.to_ascii_lowercase().as_str() {
            "name" => found.name = Some(value.plain()),
            "filename" => found.file_name = Some(value.plain()),
            "filename*" => extended = value.extended(),
            _ => {}
        }
    }
    // The extended form says the same in a way that cannot be misread.
    found.file_name = extended.or(found.file_name);
    Some(found)
}

struct Value {
    bytes: Vec<u8>,
    quoted: bool,
}

impl Value {
    /// A plain value. In a quoted one, forms write a quotation mark as `%22` and line breaks as `%0D` and `%0A`
    /// (WHATWG); no other percent sign means anything.
    fn plain(&self) -> String {
        let plain = text(&self.bytes);
        if !self.quoted {
            return plain;
        }
        plain.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
    }

    /// An extended value (RFC 5987): character set, language, percent-encoded bytes.
    fn extended(&self) -> Option<String> {
        let value = text(&self.bytes);
        let mut parts = value.splitn(3, '\'');
        let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes: Vec<u8> = percent_decode(encoded.as_bytes()).collect();
        if charset.eq_ignore_ascii_case("utf-8") {
            String::from_utf8(bytes).ok()
        } else if charset.eq_ignore_ascii_case("iso-8859-1") {
            Some(bytes.into_iter().map(char::from).collect())
        } else {
            None
        }
    }
}

/// The parameters after the first semicolon: `name=value`, quoted or not. An unquoted value goes to the next semicolon,
/// blanks included: some clients write file names so.
fn parameters_of(rest: &[u8]) -> impl Iterator<Item = (String, Value)> {
    let mut rest = rest;
    std::iter::from_fn(move || {
        loop {
            rest = trim_start(rest);
            while let Some(after) = rest.strip_prefix(b";") {
                rest = trim_start(after);
            }
            if rest.is_empty() {
                return None;
            }
            let name_end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
            let name = text(trim(&rest[..name_end]));
            rest = &rest[name_end..];
            let Some(value) = rest.strip_prefix(b"=") else {
                continue;
            };
            let value = trim_start(value);
            let (bytes, after, quoted) = match value.strip_prefix(b"\"") {
                Some(inside) => {
                    let (bytes, after) = quoted_value(inside);
                    (bytes, after, true)
                }
                None => {
                    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
                    (trim(&value[..end]).to_vec(), &value[end..], false)
                }
            };
            // Whatever stands between a closing quotation mark and the next semicolon means nothing.
            let next = after.iter().position(|byte| *byte == b';').unwrap_or(after.len());
            rest = &after[next..];
            return Some((name, Value { bytes, quoted }));
        }
    })
}

/// A quoted value up to its closing mark. `\"` is a mark within; any other backslash stands for itself, because some
/// clients send whole Windows paths.
fn quoted_value(inside: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut bytes = Vec::with_capacity(inside.len());
    let mut at = 0;
    while at < inside.len() {
        match inside[at] {
            b'"' => return (bytes, &inside[at + 1..]),
            // A backslash before the closing mark ends a path rather than escaping the mark.
            b'\\' if inside.get(at + 1) == Some(&b'"') && inside[at + 2..].contains(&b'"') => {
                bytes.push(b'"');
                at += 2;
            }
            byte => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    (bytes, &[])
}

/// UTF-8, or else Latin-1, in which every byte is a character.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

fn split_at(bytes: &[u8], mark: u8) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == mark) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_start()
}

fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn boundaries_in_every_spelling() {
        for content_type in [
            "multipart/form-data; boundary=q7",
            "multipart/form-data;boundary=q7",
            "Multipart/Form-Data; charset=UTF-8; Boundary=\"q7\"",
            "multipart/form-data ;boundary=q7;charset=utf-8",
        ] {
            assert_eq!(boundary(content_type.as_bytes()).as_deref(), Some("q7"), "{content_type}");
        }
        for content_type in [
            "multipart/form-data",
            "multipart/mixed; boundary=q7",
            "json",
            "",
            "multipart/form-data; boundary=",
        ] {
            assert_eq!(boundary(content_type.as_bytes()), None, "{content_type}");
        }
    }

    fn file_name(rest: &[u8]) -> Option<String> {
        let line = [b"Content-Disposition: form-data; ", rest].concat();
        let found = disposition(&line).expect("a disposition");
        assert_eq!(found.name.as_deref(), Some("file"), "{}", String::from_utf8_lossy(rest));
        found.file_name
    }

    #[test]
    fn names_as_recorded_from_real_clients() {
        let cases: [(&[u8], &str); 12] = [
            (b"name=\"file\"; filename=\"shirt 01.jpg\"", "shirt 01.jpg"),
            (b"name=file; filename=plain.jpg", "plain.jpg"),
            ("name=file; filename=my pic é.jpg".as_bytes(), "my pic é.jpg"),
            ("name=\"file\"; filename=\"my pic é.jpg\"".as_bytes(), "my pic é.jpg"),
            (b"name=\"file\"; filename=\"a %22quoted%22 b.jpg\"", "a \"quoted\" b.jpg"),
            (b"name=\"file\"; filename=\"50%25.jpg\"", "50%25.jpg"),
            (b"name=\"file\"; filename*=utf-8''na%C3%AFve.jpg", "naïve.jpg"),
            (b"name=\"file\"; filename=\"naive.jpg\"; filename*=UTF-8''na%C3%AFve.jpg", "naïve.jpg"),
            (b"filename=\"semi;colon.jpg\";name=\"file\"", "semi;colon.jpg"),
            (b"name=\"file\"; filename=\"C:\\shoot\\a.jpg\"", "C:\\shoot\\a.jpg"),
            (b"name=\"file\"; filename=\"a \\\"b\\\".jpg\"", "a \"b\".jpg"),
            (b"name=\"file\"; filename=\"caf\xe9.jpg\"", "café.jpg"),
        ];
        for (rest, expected) in cases {
            assert_eq!(file_name(rest).as_deref(), Some(expected), "{}", String::from_utf8_lossy(rest));
        }
        assert_eq!(file_name(b"name=\"file\""), None);
    }

    #[test]
    fn other_headers_say_nothing() {
        assert_eq!(disposition(b"Content-Length: 12"), None);
        assert_eq!(disposition(b"rubbish"), None);
    }

    proptest! {
        #[test]
        fn no_header_breaks_it(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = disposition(&line);
            let _ = boundary(&line);
            let named = [&b"content-disposition: form-data;"[..], &line].concat();
            prop_assert!(disposition(&named).is_some());
        }
    }
}

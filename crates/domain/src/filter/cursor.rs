//! Where a walk through a list stands, as an opaque text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Sort, Value};

/// An entry's place in an ordered list, which stays its place when others come or go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The entry's values of the sort keys, in their order; `None` where it has none.
    pub keys: Vec<Option<Value>>,
    /// The entry's id, which decides among equals.
    pub id: Uuid,
}

/// Which way a list is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// On: what comes after the position.
    #[serde(rename = "n")]
    Forward,
    /// Back: what comes before it, nearest first.
    #[serde(rename = "p")]
    Backward,
}

/// Where a page begins: beside a position, which is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The position.
    pub position: Position,
    /// On which side of it.
    pub direction: Direction,
}

/// Tells lists apart: a cursor belongs to the list, the filter and the order it was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

impl Mark {
    /// The mark of what makes a list what it is: its name, its filter and its order, each as text. The same in every process
    /// and release (64-bit FNV-1a, each part ended by a byte that no text has).
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let bytes = parts.into_iter().flat_map(|part| part.bytes().chain([0xFF]));
        Self(bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        }))
    }
}

/// Why a text is no place to begin at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCursor {
    /// It was not given as a cursor, or by an older release.
    #[error("this is no cursor that was given here; leave it out to begin at the start")]
    Unreadable,
    /// It was given for another list.
    #[error("this cursor was given for another list, filter or order; send those again, or leave it out")]
    AnotherList,
}

/// What is inside the text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inside {
    /// Version of this form.
    v: u8,
    /// Sort keys.
    k: Vec<Option<Value>>,
    /// Id.
    i: Uuid,
    /// Direction.
    d: Direction,
    /// Mark, in hexadecimal.
    m: String,
}

const VERSION: u8 = 1;

/// Longest text that is read. Sort keys are short; a list is not ordered by what people write at length.
const MOST_BYTES: usize = 16 * 1024;

impl Cursor {
    /// Its text: base64url without padding, of JSON.
    pub fn write(&self, mark: Mark) -> String {
        let inside = Inside {
            v: VERSION,
            k: self.position.keys.clone(),
            i: self.position.id,
            d: self.direction,
            m: format!("{:016x}", mark.0),
        };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&inside).expect("text and numbers have a JSON form"))
    }

    /// Reads what [`write`](Self::write) gave for the same mark and sort keys. An address with such a text in its parameter
    /// `parameter` is read as that text.
    pub fn read<F>(text: &str, parameter: &str, mark: Mark, sorts: &[Sort<F>]) -> Result<Self, BadCursor> {
        if text.len() > MOST_BYTES {
            return Err(BadCursor::Unreadable);
        }
        let token = parameter_of(text.trim(), parameter).ok_or(BadCursor::Unreadable)?;
        let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).map_err(|_| BadCursor::Unreadable)?;
        let inside: Inside = serde_json::from_slice(&bytes).map_err(|_| BadCursor::Unreadable)?;
        let Inside { v, k, i, d, m } = inside;
        if v != VERSION {
            return Err(BadCursor::Unreadable);
        }
        let fits =
            |(sort, key): (&Sort<F>, &Option<Value>)| key.as_ref().is_none_or(|key| key.is_of(sort.kind));
        if m != format!("{:016x}", mark.0) || k.len() != sorts.len() || !sorts.iter().zip(&k).all(fits) {
            return Err(BadCursor::AnotherList);
        }
        Ok(Self { position: Position { keys: k, id: i }, direction: d })
    }
}

/// The parameter of that name in an address; all of the text if it is no address.
fn parameter_of(text: &str, parameter: &str) -> Option<String> {
    let query = match text.split_once('?') {
        Some((_, query)) => query,
        None if text.contains(['/', ':']) => return None,
        None => return Some(text.to_owned()),
    };
    let query = query.split('#').next().unwrap_or_default();
    let value =
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == parameter)?.1;
    percent_decode_str(value).decode_utf8().ok().map(|value| value.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Decimal, Kind};
    use super::*;
    use crate::time::Timestamp;

    const KINDS: [Kind; 6] = [Kind::Text, Kind::Number, Kind::Time, Kind::Bool, Kind::Id, Kind::Status];

    fn sorts() -> Vec<Sort<usize>> {
        let by = |(field, kind)| Sort { field, kind, descending: false };
        KINDS.into_iter().enumerate().map(by).collect()
    }

    fn cursors() -> impl Strategy<Value = Cursor> {
        let keys = (
            any::<Option<String>>(),
            any::<Option<(i64, u8)>>(),
            any::<Option<i64>>(),
            any::<Option<bool>>(),
            any::<Option<u128>>(),
            any::<Option<String>>(),
        );
        (keys, any::<u128>(), any::<bool>()).prop_map(
            |((text, number, time, bool, id, status), own, is_forward)| {
                let number =
                    number.map(|(units, places)| Decimal::new(units, u32::from(places % 19)).unwrap());
                let keys = vec![
                    text.map(Value::Text),
                    number.map(Value::Number),
                    time.map(|time| Value::Time(Timestamp(time))),
                    bool.map(Value::Bool),
                    id.map(|id| Value::Id(Uuid::from_u128(id))),
                    status.map(Value::Text),
                ];
                let direction = if is_forward { Direction::Forward } else { Direction::Backward };
                Cursor { position: Position { keys, id: Uuid::from_u128(own) }, direction }
            },
        )
    }

    fn simple() -> (Cursor, [Sort<()>; 1], Mark) {
        let position = Position { keys: vec![Some(Value::Time(Timestamp(7)))], id: Uuid::from_u128(9) };
        let sorts = [Sort { field: (), kind: Kind::Time, descending: true }];
        (Cursor { position, direction: Direction::Forward }, sorts, Mark::of(["runs", "", "created_at:desc"]))
    }

    #[test]
    fn a_cursor_of_another_filter_or_order_is_refused() {
        let (cursor, sorts, mark) = simple();
        let text = cursor.write(mark);
        assert_eq!(Cursor::read(&text, "pq", mark, &sorts), Ok(cursor));
        for other in [
            ["batches", "", "created_at:desc"],
            ["runs", "a:1", "created_at:desc"],
            ["runs", "", "created_at"],
        ] {
            assert_eq!(Cursor::read(&text, "pq", Mark::of(other), &sorts), Err(BadCursor::AnotherList));
        }
        let by_text = [Sort { field: (), kind: Kind::Text, descending: true }];
        assert_eq!(Cursor::read(&text, "pq", mark, &by_text), Err(BadCursor::AnotherList));
        assert_eq!(Cursor::read::<()>(&text, "pq", mark, &[]), Err(BadCursor::AnotherList));
        assert_ne!(Mark::of(["a", "bc"]), Mark::of(["ab", "c"]));
    }

    #[test]
    fn an_address_stands_for_its_parameter() {
        let (cursor, sorts, mark) = simple();
        let text = cursor.write(mark);
        let encoded = text.replace('I', "%49");
        for address in [
            format!("https://api.example/v1/runs?limit=5&pq={text}&from_prev=true#end"),
            format!("/v1/runs?pq={encoded}"),
            format!("?pq={text}"),
            format!(" {text}== "),
        ] {
            assert_eq!(Cursor::read(&address, "pq", mark, &sorts), Ok(cursor.clone()), "{address}");
        }
        for address in
            ["https://api.example/v1/runs", "https://api.example/v1/runs?limit=5", "/v1/runs?pq=", "?pq=%ff"]
        {
            assert_eq!(Cursor::read(address, "pq", mark, &sorts), Err(BadCursor::Unreadable), "{address}");
        }
    }

    #[test]
    fn another_version_is_refused() {
        let (cursor, sorts, mark) = simple();
        let json = URL_SAFE_NO_PAD.decode(cursor.write(mark)).expect("base64");
        let json = String::from_utf8(json).expect("JSON");
        assert!(json.starts_with(r#"{"v":1,"k":[{"t":7}],"#), "{json}");
        let read = |json: &str| Cursor::read(&URL_SAFE_NO_PAD.encode(json), "pq", mark, &sorts);
        assert!(read(&json).is_ok());
        assert_eq!(read(&json.replace("\"v\":1", "\"v\":2")), Err(BadCursor::Unreadable));
        assert_eq!(read(&json.replace("\"v\":1", "\"v\":1,\"x\":0")), Err(BadCursor::Unreadable));
        assert_eq!(read(&json.replace("{\"t\":7}", "{\"n\":\"1e9\"}")), Err(BadCursor::Unreadable));
        assert_eq!(read(&"[".repeat(9000)), Err(BadCursor::Unreadable));
        assert_eq!(Cursor::read(&"A".repeat(1 << 20), "pq", mark, &sorts), Err(BadCursor::Unreadable));
    }

    proptest! {
        #[test]
        fn every_cursor_reads_back(cursor in cursors(), mark: u64) {
            let (sorts, mark) = (sorts(), Mark(mark));
            let text = cursor.write(mark);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            if text.len() <= MOST_BYTES {
                prop_assert_eq!(Cursor::read(&text, "pq", mark, &sorts), Ok(cursor.clone()));
                prop_assert_eq!(Cursor::read(&text, "pq", Mark(!mark.0), &sorts), Err(BadCursor::AnotherList));
            }
        }

        #[test]
        fn no_text_breaks_it(text: String, json: String, bytes: Vec<u8>) {
            let sorts = sorts();
            let inside = format!(r#"{{"v":1,"k":[{json}],"i":"{json}","d":"n","m":"0"}}"#);
            for text in [text, URL_SAFE_NO_PAD.encode(inside), URL_SAFE_NO_PAD.encode(bytes)] {
                prop_assert!(Cursor::read(&text, "pq", Mark(0), &sorts).is_err());
            }
        }
    }
}

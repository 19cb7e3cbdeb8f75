//! Exact decimal numbers, for money and counts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A decimal number, exact to 18 places behind the point and with up to 19 before it: every `i64` is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(i128);

/// Places behind the point.
const PLACES: u32 = 18;
const ONE: i128 = 10_i128.pow(PLACES);
/// Digits before the point.
const WHOLE_DIGITS: usize = 19;

impl Decimal {
    /// `units` of which each is 10 to the power of minus `places`: `new(55, 2)` is 0.55. `None` with more than 18 places.
    pub const fn new(units: i64, places: u32) -> Option<Self> {
        if places > PLACES { None } else { Some(Self(units as i128 * 10_i128.pow(PLACES - places))) }
    }

    /// How many units of 10 to the power of minus `places` are in it, rounded down, and whether that is exact.
    /// `places` beyond 18 count as 18.
    pub const fn units(self, places: u32) -> (i128, bool) {
        let unit = 10_i128.pow(PLACES.saturating_sub(places));
        (self.0.div_euclid(unit), self.0.rem_euclid(unit) == 0)
    }
}

impl From<i64> for Decimal {
    fn from(whole: i64) -> Self {
        Self(i128::from(whole) * ONE)
    }
}

impl fmt::Display for Decimal {
    /// As short as it goes, never with an exponent: `-0.55`, `7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let (whole, part) = (magnitude / ONE.unsigned_abs(), magnitude % ONE.unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        write!(f, "{sign}{whole}.{}", format!("{part:018}").trim_end_matches('0'))
    }
}

/// The text is no decimal number, or has too many digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no decimal number of at most 19 digits before and 18 behind the point, without an exponent")]
pub struct NotADecimal;

impl FromStr for Decimal {
    type Err = NotADecimal;

    /// Reads `7`, `-0.55`, `+.5`, `5.`; zeros at both ends do not count as digits.
    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + part.len() == 0 || !are_digits(whole) || !are_digits(part) {
            return Err(NotADecimal);
        }
        let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
        if whole.len() > WHOLE_DIGITS || part.len() > PLACES as usize {
            return Err(NotADecimal);
        }
        let units = format!("{whole}{part:0<width$}", width = PLACES as usize);
        let magnitude: i128 = units.parse().map_err(|_| NotADecimal)?;
        Ok(Self(if negative { -magnitude } else { magnitude }))
    }
}

impl TryFrom<String> for Decimal {
    type Error = NotADecimal;

    fn try_from(text: String) -> Result<Self, NotADecimal> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(number: Decimal) -> Self {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal number")
    }

    #[test]
    fn what_is_written_differently_is_equal() {
        for (text, shown) in [
            ("0.55", "0.55"),
            ("00.5500", "0.55"),
            ("+.55", "0.55"),
            ("-0", "0"),
            ("-7.", "-7"),
            ("9999999999999999999.999999999999999999", "9999999999999999999.999999999999999999"),
        ] {
            assert_eq!(decimal(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            ".",
            "-",
            "+.",
            "1e3",
            "1,5",
            "--1",
            "0x1",
            "٣",
            "1.2.3",
            " 1",
            "10000000000000000000",
            "NaN",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(NotADecimal), "{text}");
        }
        assert!("0.0000000000000000001".parse::<Decimal>().is_err());
    }

    #[test]
    fn tenths_are_exact() {
        assert!(decimal("0.1") < decimal("0.100000000000000001"));
        assert_eq!(decimal("0.3"), Decimal::new(3, 1).expect("few places"));
        assert_eq!(decimal("-0.555").units(2), (-56, false));
        assert_eq!(decimal("0.55").units(2), (55, true));
        assert_eq!(Decimal::new(1, 19), None);
    }

    proptest! {
        #[test]
        fn it_reads_back_and_keeps_its_order(a: i64, b: i64, places in 0u32..=18) {
            let (x, y) = (Decimal::new(a, places).unwrap(), Decimal::new(b, places).unwrap());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.units(places), (i128::from(a), true));
            prop_assert_eq!(x.to_string().parse(), Ok(x));
        }

        #[test]
        fn no_text_breaks_it(text in "[-+0-9.e]{0,50}") {
            if let Ok(number) = text.parse::<Decimal>() {
                prop_assert_eq!(number.to_string().parse(), Ok(number));
            }
        }
    }
}

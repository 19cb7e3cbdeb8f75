//! What one run of a model costs.

use std::fmt;

/// A price in millionths of a US dollar; written as a decimal number of dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(pub u64);

impl Price {
    /// So many thousandths of a dollar.
    pub(crate) const fn mills(mills: u64) -> Self {
        Self(mills * 1000)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if rest == 0 {
            return write!(f, "{dollars}");
        }
        write!(f, "{dollars}.{}", format!("{rest:06}").trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_decimal_numbers_without_an_exponent() {
        let written = [0, 1, 18_000, 120_000, 270_000, 550_000, 1_000_000, 12_480_001]
            .map(|micros| Price(micros).to_string());
        assert_eq!(written, ["0", "0.000001", "0.018", "0.12", "0.27", "0.55", "1", "12.480001"]);
        assert_eq!(Price::mills(18).to_string(), "0.018");
    }
}

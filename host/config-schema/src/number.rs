//! Numbers of JSON, compared by their exact values.
//!
//! JSON has only one kind of number: `1`, `1.0` and `1e0` are the same integer. `serde_json` stores them as `u64`,
//! `i64` or `f64`. A comparison in `f64` would find 9007199254740993 equal to 9007199254740992.

use std::cmp::Ordering;

use serde_json::Number;

/// 2 to the power of 64. Every `f64` from here on is an integer, and every `u64` and `i64` is smaller.
const BEYOND_INTEGERS: f64 = 18_446_744_073_709_551_616.0;

/// The exact value of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Exact {
    /// An integer from `-u64::MAX` to `u64::MAX`.
    Integer(i128),
    /// A finite number that has a fraction, or is at least [`BEYOND_INTEGERS`] away from 0.
    Other(f64),
}

impl Exact {
    /// The value of a number. `None` if it is too large for `f64`.
    pub(crate) fn of(number: &Number) -> Option<Self> {
        if let Some(integer) = number.as_i64() {
            return Some(Self::Integer(integer.into()));
        }
        if let Some(integer) = number.as_u64() {
            return Some(Self::Integer(integer.into()));
        }
        let float = number.as_f64().filter(|float| float.is_finite())?;
        Some(if float.fract() == 0.0 && float.abs() < BEYOND_INTEGERS {
            // The conversion is exact, because it is an integer of less than 128 bits.
            Self::Integer(float as i128)
        } else {
            Self::Other(float)
        })
    }

    /// Whether it has no fraction.
    pub(crate) fn is_integer(self) -> bool {
        match self {
            Self::Integer(_) => true,
            Self::Other(float) => float.fract() == 0.0,
        }
    }

    /// Compares two values.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => one.cmp(&other),
            // Neither is NaN or zero.
            (Self::Other(one), Self::Other(other)) => one.total_cmp(&other),
            (Self::Integer(integer), Self::Other(float)) => against(integer, float),
            (Self::Other(float), Self::Integer(integer)) => against(integer, float).reverse(),
        }
    }
}

/// Compares an integer with a float that is not equal to it.
fn against(integer: i128, float: f64) -> Ordering {
    if float.abs() >= BEYOND_INTEGERS {
        return if float > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        };
    }
    // The float has a fraction, so it lies between two integers. Its floor is the lower one.
    if integer <= float.floor() as i128 {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::of(&serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn values_are_compared_exactly() {
        // In ascending order, each more than the one before.
        let ascending = [
            "-1e308",
            "-18446744073709551616",
            "-9223372036854775808",
            "-9007199254740993",
            "-9007199254740992",
            "-1.5",
            "-1",
            "-0.5",
            "0",
            "5e-324",
            "1",
            "1.0000000000000002",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "1e308",
        ];
        for (at, one) in ascending.iter().enumerate() {
            for (other_at, other) in ascending.iter().enumerate() {
                assert_eq!(
                    exact(one).compare(exact(other)),
                    at.cmp(&other_at),
                    "{one} and {other}"
                );
            }
        }
    }

    #[test]
    fn integers_are_told_by_their_value() {
        for text in [
            "0",
            "-0.0",
            "1.0",
            "1e3",
            "1.5e1",
            "1e300",
            "-18446744073709551616",
        ] {
            assert!(exact(text).is_integer(), "{text}");
        }
        for text in ["0.5", "-1.5", "1e-300", "4503599627370495.5"] {
            assert!(!exact(text).is_integer(), "{text}");
        }
        assert_eq!(exact("-0.0"), exact("0"));
        assert_eq!(exact("1.0"), exact("1"));
        assert_eq!(
            exact("18446744073709551615.0"),
            exact("1.8446744073709551616e19")
        );
    }
}

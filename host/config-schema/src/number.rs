//! Numbers of JSON, compared by their exact values.
//!
//! JSON knows no kinds of numbers: `1`, `1.0` and `1e0` are the same integer. `serde_json` keeps them as `u64`, `i64` or
//! `f64`, and a comparison in `f64` would take 9007199254740993 for 9007199254740992.

use std::cmp::Ordering;

use serde_json::Number;

/// From here on every `f64` is an integer, and no `u64` or `i64` is as large. 2 to the power of 64.
const BEYOND_INTEGERS: f64 = 18_446_744_073_709_551_616.0;

/// A number by its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Exact {
    /// An integer of a size that `u64` or `i64` could have, or `-u64::MAX` at the least.
    Integer(i128),
    /// Finite, and either with a fraction or at least [`BEYOND_INTEGERS`] away from 0.
    Other(f64),
}

impl Exact {
    /// The value of a number; `None` where it is beyond `f64`.
    pub(crate) fn of(number: &Number) -> Option<Self> {
        if let Some(integer) = number.as_i64() {
            return Some(Self::Integer(integer.into()));
        }
        if let Some(integer) = number.as_u64() {
            return Some(Self::Integer(integer.into()));
        }
        let float = number.as_f64().filter(|float| float.is_finite())?;
        Some(if float.fract() == 0.0 && float.abs() < BEYOND_INTEGERS {
            // Exact: it is an integer of less than 128 bits.
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
    // It has a fraction, so it lies between two integers, of which this is the lower.
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

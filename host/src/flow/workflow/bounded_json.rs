//! JSON from a plugin, read in bounded memory.
//!
//! A value takes far more memory than its text: `{"":0}` has six bytes and takes some 700. So the memory is counted while the
//! text is read.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Memory of an object, in bytes: one node of the tree that holds its fields has room for eleven.
const OBJECT: u64 = 700;
/// Memory of a value, in bytes, besides what it points to.
const VALUE: u64 = size_of::<Value>() as u64;
/// Memory of an allocation, in bytes, besides what is stored in it.
const ALLOCATION: u64 = 16;

/// Why a text was not read.
#[derive(Debug)]
pub(super) enum JsonError {
    /// It is not JSON.
    Syntax(serde_json::Error),
    /// Its value would take more memory than it may.
    TooLarge,
}

/// Reads a value that takes no more than about `most` bytes of memory.
pub(super) fn read(text: &str, most: u64) -> Result<Value, JsonError> {
    let mut left = Some(most);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Reader(&mut left)
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    match (value, left) {
        (Ok(value), _) => Ok(value),
        (Err(_), None) => Err(JsonError::TooLarge),
        (Err(error), Some(_)) => Err(JsonError::Syntax(error)),
    }
}

/// Reads one value. What is left of the memory is `None` once it was not enough.
struct Reader<'a>(&'a mut Option<u64>);

impl Reader<'_> {
    fn take<E: serde::de::Error>(&mut self, bytes: u64) -> Result<(), E> {
        *self.0 = self.0.and_then(|left| left.checked_sub(bytes));
        match self.0 {
            Some(_) => Ok(()),
            None => Err(E::custom("takes too much memory")),
        }
    }

    fn take_text<E: serde::de::Error>(&mut self, text: &str) -> Result<(), E> {
        self.take(ALLOCATION + text.len() as u64)
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, from: D) -> Result<Value, D::Error> {
        self.take(VALUE)?;
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<Value, E> {
        self.take_text(text)?;
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut from: A) -> Result<Value, A::Error> {
        self.take(ALLOCATION)?;
        let mut values = Vec::new();
        while let Some(value) = from.next_element_seed(Reader(self.0))? {
            // A list that grows has room for up to twice as many.
            self.take(VALUE)?;
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut from: A) -> Result<Value, A::Error> {
        self.take(OBJECT)?;
        let mut fields = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            self.take_text(&name)?;
            let value = from.next_value_seed(Reader(self.0))?;
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format_args!("`{name}` stands twice")));
            }
            self.take(size_of::<String>() as u64)?;
            fields.insert(name, value);
        }
        Ok(fields.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_value_is_read_as_serde_reads_it() {
        for text in [
            "null",
            " [1, -2, 3.5e3, 18446744073709551615, true, \"a\\u00e9\\n\", {}, []] ",
            r#"{"a": {"b": [{"": 0}]}, "c": null}"#,
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read(text, 1 << 20).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_not_json_is_told() {
        for text in ["", "{", "[1,]", "{} {}", "nul", r#"{"a": 1, "a": 2}"#] {
            assert!(
                matches!(read(text, 1 << 20), Err(JsonError::Syntax(_))),
                "{text}"
            );
        }
        let deep = "[".repeat(100_000);
        assert!(matches!(read(&deep, u64::MAX), Err(JsonError::Syntax(_))));
    }

    #[test]
    fn a_value_that_takes_too_much_is_not_read() {
        let objects = format!("[{}]", vec![r#"{"":0}"#; 100_000].join(","));
        let numbers = format!("[{}]", vec!["0"; 1_000_000].join(","));
        let text = format!("\"{}\"", "x".repeat(10 << 20));
        for (text, most) in [(&objects, 64 << 20), (&numbers, 32 << 20), (&text, 8 << 20)] {
            assert!(matches!(read(text, most), Err(JsonError::TooLarge)));
        }
        assert!(read(&text, 11 << 20).is_ok());
    }
}

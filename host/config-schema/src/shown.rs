//! Untrusted text, as messages quote it: one short line.

use serde_json::Value;

/// Most characters of an untrusted text that a message quotes.
const MOST_SHOWN: usize = 80;

/// Most entries of a list that a message names.
const MOST_NAMED: usize = 32;

/// A text cut after [`MOST_SHOWN`] characters. Invisible characters are escaped.
pub(crate) fn text(text: &str) -> String {
    let mut shown = String::new();
    for (at, character) in text.chars().enumerate() {
        if at == MOST_SHOWN {
            shown.push('…');
            break;
        }
        match character {
            // Visible, and common in names: not escaped.
            '"' | '\'' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

/// A value. A text is in quotes. The contents of lists and objects are not shown.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::String(string) => format!("\"{}\"", text(string)),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        // With `arbitrary_precision` a number may have any length.
        other => text(&other.to_string()),
    }
}

/// Names, separated by commas.
pub(crate) fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(MOST_NAMED);
    let shown: Vec<String> = names.take(MOST_NAMED).map(text).collect();
    let shown = shown.join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}

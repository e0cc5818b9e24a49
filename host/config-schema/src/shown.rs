//! Text that strangers chose, as messages quote it: one line, and not a long one.

use serde_json::Value;

/// Characters of a stranger's text that a message quotes.
const MOST_SHOWN: usize = 80;

/// Entries of a list that a message names.
const MOST_NAMED: usize = 32;

/// A text with what cannot be seen escaped, cut after [`MOST_SHOWN`] characters.
pub(crate) fn text(text: &str) -> String {
    let mut shown = String::new();
    for (at, character) in text.chars().enumerate() {
        if at == MOST_SHOWN {
            shown.push('…');
            break;
        }
        match character {
            // Seen well enough, and common in names.
            '"' | '\'' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

/// A value: text in quotes; of lists and objects only that they are one.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::String(string) => format!("\"{}\"", text(string)),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        // Under `arbitrary_precision` a number is as long as its author likes.
        other => text(&other.to_string()),
    }
}

/// Names in a row.
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

//! Makes text safe to print on a terminal. File names, reports and messages may contain any character.

pub(crate) use forebay::text::{json, lines as plain, one_line};

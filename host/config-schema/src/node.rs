//! A schema after it was read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Number;

use crate::number::Exact;

/// What a value may be.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Whether it may also be `null`.
    pub(crate) nullable: bool,
}

/// What a value may be, apart from `null`.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Object(Object),
    Text(Text),
    Number(Range),
    Boolean,
    List(List),
}

#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) properties: BTreeMap<String, Node>,
    pub(crate) required: Vec<String>,
    /// Whether fields that no property describes are accepted.
    pub(crate) open: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// In characters.
    pub(crate) length: Count,
    pub(crate) choices: Option<Choices>,
}

/// The texts that a field may be.
#[derive(Debug, Clone)]
pub(crate) struct Choices {
    /// In the schema's order.
    pub(crate) listed: Vec<String>,
    pub(crate) lookup: BTreeSet<String>,
}

/// A range of lengths; both ends are included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    pub(crate) least: u64,
    pub(crate) most: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Range {
    /// Whether only integers are accepted.
    pub(crate) integer: bool,
    pub(crate) minimum: Option<Bound>,
    pub(crate) exclusive_minimum: Option<Bound>,
    pub(crate) maximum: Option<Bound>,
    pub(crate) exclusive_maximum: Option<Bound>,
}

#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) value: Exact,
    /// As the schema writes it.
    pub(crate) written: Number,
}

#[derive(Debug, Clone)]
pub(crate) struct List {
    pub(crate) items: Box<Node>,
    pub(crate) length: Count,
}

impl Kind {
    /// Its name in messages, after "is not".
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Object(_) => "an object",
            Self::Text(_) => "a string",
            Self::Number(range) if range.integer => "an integer",
            Self::Number(_) => "a number",
            Self::Boolean => "true or false",
            Self::List(_) => "a list",
        }
    }
}

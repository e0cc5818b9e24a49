//! The media type of a file, from its bytes, and a name that fits it.
//!
//! Promise: a type is detected from the leading bytes alone. Text is never detected as a binary format. A name that
//! this module returns is a plain base name whose extension fits the type.
//!
//! `table` has one row for each type: its name, its extensions and its signature. To add a type, add a row. `text`
//! decides what is text, `structure` has the checks of binary formats, and `names` adjusts names to types.

mod names;
mod output_name;
mod ranges;
mod sniff;
mod structure;
mod table;
mod text;

pub use names::{NameProblem, check_name, fit_name, plain_name};
pub use output_name::{OutputNameProblem, check_output_name};
pub use ranges::{in_range, is_range, ranges_meet};
pub use sniff::{MAX_TYPE, SNIFF_LEN, UNKNOWN, canonical, settle, sniff};

//! What a file is: its media type, from its bytes, and the name that goes with it.
//!
//! Promise: a type is read off the leading bytes alone; a name that leaves this module is a plain base name whose
//! extension fits the type.

mod names;
mod output_name;
mod types;

pub use names::{NameProblem, check_name, fit_name, plain_name};
pub use output_name::{OutputNameProblem, check_output_name};
pub use types::{MAX_TYPE, SNIFF_LEN, UNKNOWN, in_range, is_range, ranges_meet, settle, sniff};

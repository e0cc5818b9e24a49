//! Faults on demand. [`plan`] says what goes wrong and when, [`middleware`] makes it happen, and [`body`] slows down or
//! cuts bodies.

mod body;
mod middleware;
mod plan;

pub(crate) use middleware::apply;
pub(crate) use plan::Faults;

pub use plan::{Fault, FaultKind, Route};

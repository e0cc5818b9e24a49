//! One plugin over one file.
//!
//! This layer loads plugins, grants them what they may reach, holds them to their limits and runs them. It knows neither jobs
//! nor the Assets API: `flow` does.

pub(crate) mod bindings;
pub(crate) mod cause;
pub(crate) mod code;
mod console;
mod describe;
pub(crate) mod engine;
pub(crate) mod files;
pub(crate) mod grants;
pub(crate) mod guest;
pub(crate) mod limits;
pub(crate) mod plugin;
pub(crate) mod pre;
pub(crate) mod run;
pub(crate) mod stage;
pub(crate) mod state;
pub(crate) mod usage;
pub(crate) mod world;

//! Write a plugin for [forebay] in plain Rust.
//!
//! A plugin takes a file before it is uploaded, and returns any number of files. Implement one trait, export it with
//! one macro, and build the crate (a `cdylib`) for `wasm32-wasip2`:
//!
//! - [`StreamPlugin`] reads and writes the bytes as a stream, and never holds more of a file than it requests;
//! - [`FilePlugin`] gets the file on disk, for formats that need random access (PDF, MP4, ZIP);
//! - [`WorkflowPlugin`] gets all files of a job at once, and decides itself what to transform and what to upload.
//!
//! The config is a type that the plugin defines. Its JSON Schema becomes part of the plugin's descriptor, so the host
//! refuses a config that does not fit before the plugin runs. Hosts accept a small subset of JSON Schema, so not every
//! type can be used:
//!
//! - a struct of `bool`, numbers, `String`, enums of unit variants, `Vec` and `Option` of these, and structs, up to
//!   four levels deep; or an enum of such structs with `#[serde(tag = "…")]`, whose fields have one type wherever they
//!   occur;
//! - from `schemars`: `range(…)` and `length(…)`, docs, and `default` from serde;
//! - no maps and sets, no `regex`, no untagged enums, no types that contain themselves, no `serde_json::Value`. For a
//!   text of a certain format, use a type with `#[serde(try_from = "String")]` and `#[schemars(with = "String")]`. If a
//!   rule depends on more than one field, check it in the plugin. In both cases the error is [`Error::InvalidConfig`].
//!
//! [`config_schema`] returns the schema, or the field that cannot be described and the reason. Call it in a test of
//! your plugin. The docs of the crate `forebay-config-schema` describe the subset.
//!
//! ```
//! use forebay_plugin::{About, Error, Input, Output, StreamPlugin};
//!
//! /// The config; its doc comments are what `forebay inspect` shows.
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(deny_unknown_fields, default)]
//! struct Config {
//!     /// Added to every byte.
//!     by: u8,
//! }
//!
//! impl Default for Config {
//!     fn default() -> Self {
//!         Self { by: 13 }
//!     }
//! }
//!
//! struct Shift;
//!
//! impl StreamPlugin for Shift {
//!     type Config = Config;
//!     const ABOUT: About = About {
//!         name: "shift",
//!         version: env!("CARGO_PKG_VERSION"),
//!         summary: "Adds a number to every byte",
//!         accepts: &["*/*"],
//!         produces: &["application/octet-stream"],
//!     };
//!
//!     async fn transform(mut input: Input, config: Config) -> Result<(), Error> {
//!         let mut output = Output::open(input.info().clone()).await;
//!         let mut chunk = Vec::new();
//!         while input.fill(&mut chunk).await {
//!             chunk.iter_mut().for_each(|byte| *byte = byte.wrapping_add(config.by));
//!             output.write(&mut chunk).await?;
//!         }
//!         output.finish().await
//!     }
//! }
//!
//! forebay_plugin::export_stream!(Shift);
//! # fn main() {}
//! ```
//!
//! The exports exist only in builds for wasm. In a native build the crate is an ordinary library, so its logic can be
//! tested with `cargo test`. A panic becomes a trap, which ends this plugin's work on this file and nothing else.
//!
//! [forebay]: https://docs.rs/forebay

use schemars::JsonSchema;

mod config;
mod file;
mod stream;
pub mod workflow;

pub use config::config_schema;
pub use file::{FilePlugin, InputFile, OutputFile};

pub use stream::{Input, Output, StreamPlugin};
pub use workflow::WorkflowPlugin;

pub use bindings::stream::forebay::plugin::types::{Descriptor, Error, FileInfo};

/// Items that the macros expand to. Do not use them directly.
#[doc(hidden)]
pub mod export {
    pub use crate::bindings::file::export_file_plugin;
    pub use crate::bindings::stream::export_stream_plugin;
    pub use crate::bindings::workflow::export_workflow_plugin;
    pub use crate::config::schema_text;
    pub use crate::file::FileExport;
    pub use crate::stream::StreamExport;
    pub use crate::workflow::WorkflowExport;
}

/// The only `generate!` calls.
#[doc(hidden)]
#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::restriction,
    reason = "generated"
)]
pub mod bindings {
    pub mod stream {
        wit_bindgen::generate!({
            path: "wit",
            world: "stream-plugin",
            generate_all,
            pub_export_macro: true,
            export_macro_name: "export_stream_plugin",
            default_bindings_module: "forebay_plugin::bindings::stream",
        });
    }
    pub mod file {
        wit_bindgen::generate!({
            path: "wit",
            world: "file-plugin",
            generate_all,
            pub_export_macro: true,
            export_macro_name: "export_file_plugin",
            default_bindings_module: "forebay_plugin::bindings::file",
            with: { "forebay:plugin/types@0.1.0": crate::bindings::stream::forebay::plugin::types },
        });
    }
    pub mod workflow {
        wit_bindgen::generate!({
            path: "wit",
            world: "workflow-plugin",
            generate_all,
            pub_export_macro: true,
            export_macro_name: "export_workflow_plugin",
            default_bindings_module: "forebay_plugin::bindings::workflow",
            with: { "forebay:plugin/types@0.1.0": crate::bindings::stream::forebay::plugin::types },
        });
    }
}

/// A plugin's description of itself.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Name, shown in reports and messages.
    pub name: &'static str,
    /// Version; `env!("CARGO_PKG_VERSION")` is the usual value.
    pub version: &'static str,
    /// One line on what the plugin does.
    pub summary: &'static str,
    /// Media ranges that the plugin accepts, such as `image/*` or `application/pdf`.
    pub accepts: &'static [&'static str],
    /// Media types that the plugin can return. Empty if outputs keep the type of their input.
    pub produces: &'static [&'static str],
}

impl About {
    /// The descriptor of a plugin whose config has the type `C`.
    fn descriptor<C: JsonSchema>(&self) -> Descriptor {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Descriptor {
            name: self.name.into(),
            version: self.version.into(),
            summary: self.summary.into(),
            accepts: owned(self.accepts),
            produces: owned(self.produces),
            config_schema: config::schema_text::<C>(),
        }
    }
}

/// For plugins that take no config: an empty JSON object.
#[derive(Debug, Default, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// Reads the config that the host passes. An empty text means an empty object.
fn parse_config<C: serde::de::DeserializeOwned>(config: &str) -> Result<C, Error> {
    let text = if config.is_empty() { "{}" } else { config };
    serde_json::from_str(text).map_err(|error| Error::InvalidConfig(error.to_string()))
}

/// Exports a [`StreamPlugin`] as this component.
#[macro_export]
macro_rules! export_stream {
    ($plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "generated")]
        const _: () = {
            type Export = $crate::export::StreamExport<$plugin>;
            $crate::export::export_stream_plugin!(Export);
        };
    };
}

/// Exports a [`FilePlugin`] as this component.
#[macro_export]
macro_rules! export_file {
    ($plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "generated")]
        const _: () = {
            type Export = $crate::export::FileExport<$plugin>;
            $crate::export::export_file_plugin!(Export);
        };
    };
}

/// Exports a [`WorkflowPlugin`] as this component.
#[macro_export]
macro_rules! export_workflow {
    ($plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "generated")]
        const _: () = {
            type Export = $crate::export::WorkflowExport<$plugin>;
            $crate::export::export_workflow_plugin!(Export);
        };
    };
}

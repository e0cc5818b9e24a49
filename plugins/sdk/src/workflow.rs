//! Workflow plugins take files and return assets and a JSON document.
//!
//! A workflow holds files by handle. It runs the stages that it was lent ([`apply`]), uploads files ([`upload`], or
//! [`DirectUpload`] step by step), and returns a document that names the assets. Calls can run concurrently: await
//! several at once with `futures::future::try_join_all`, and the host runs them in parallel. Uploads stay with the
//! service only if [`run`](WorkflowPlugin::run) returns ok, so after an error `?` is all the cleanup that is needed.
//!
//! ```
//! use forebay_plugin::workflow::{File, apply, file_input, upload};
//! use forebay_plugin::{About, Error, NoConfig, WorkflowPlugin};
//! use futures::future::try_join_all;
//! use serde_json::{Value, json};
//!
//! struct Album;
//!
//! impl WorkflowPlugin for Album {
//!     type Config = NoConfig;
//!     const ABOUT: About = About {
//!         name: "album",
//!         version: env!("CARGO_PKG_VERSION"),
//!         summary: "Uploads pictures in a size for the web, and names them for a request",
//!         accepts: &["image/*"],
//!         produces: &[],
//!     };
//!
//!     async fn run(inputs: Vec<File>, _: NoConfig) -> Result<Value, Error> {
//!         let files = try_join_all(inputs.iter().map(one)).await?;
//!         Ok(json!({ "files": files }))
//!     }
//! }
//!
//! /// One picture, all the way.
//! async fn one(picture: &File) -> Result<Value, Error> {
//!     let resized = apply("image-resize", &json!({ "max_width": 1024 }), picture).await?;
//!     let resized = resized.first().ok_or_else(|| Error::Failed("no picture came back".into()))?;
//!     let asset = upload(resized).await?;
//!     Ok(file_input(&asset)?)
//! }
//!
//! forebay_plugin::export_workflow!(Album);
//! # fn main() {}
//! ```

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::workflow::exports::forebay::plugin::workflow::Guest;
use crate::bindings::workflow::forebay::plugin::{files, transforms, uploads};
use crate::bindings::workflow::wit_stream;
use crate::stream::Input;
use crate::{About, Descriptor, Error, parse_config};

pub use crate::bindings::workflow::forebay::plugin::file_inputs::{
    FileInput, InlineData, InputError, from_asset, from_bytes, from_url, to_json,
};
pub use crate::bindings::workflow::forebay::plugin::files::File;
pub use crate::bindings::workflow::forebay::plugin::transforms::{TransformError, stages};
pub use crate::bindings::workflow::forebay::plugin::uploads::{
    Asset, DirectUpload, ServiceError, UploadError,
};
pub use wit_bindgen::{StreamReader, StreamWriter};

/// A plugin that decides itself what to transform, what to upload and what to return. Export it with
/// [`export_workflow!`](crate::export_workflow).
pub trait WorkflowPlugin {
    /// The config, read from JSON. Its JSON Schema becomes part of the descriptor.
    type Config: DeserializeOwned + JsonSchema;
    /// The plugin's description of itself.
    const ABOUT: About;

    /// Works on all files of a job and returns the document that becomes the job's result.
    ///
    /// # Errors
    /// Any problem that the plugin finds. Everything that was uploaded is then deleted.
    fn run(inputs: Vec<File>, config: Self::Config) -> impl Future<Output = Result<Value, Error>>;
}

/// Runs a stage over a file and returns the stage's outputs, in order. `config` is an object. Each of its fields
/// replaces the same field of the stage's own config.
///
/// # Errors
/// [`TransformError::Denied`] when no stage of this name was lent; otherwise the error that ended the stage.
pub async fn apply(
    stage: &str,
    config: &impl Serialize,
    input: &File,
) -> Result<Vec<File>, TransformError> {
    let config = serde_json::to_string(config)
        .map_err(|error| TransformError::Stage(Error::InvalidConfig(error.to_string())))?;
    transforms::apply(stage.to_owned(), config, input).await
}

/// Uploads a file by the flow that its size calls for.
///
/// # Errors
/// The reason why the service does not hold the file.
pub async fn upload(file: &File) -> Result<Asset, UploadError> {
    uploads::upload(file).await
}

/// Names an asset as the body of a request does: `{"type":"asset_id","asset_id":…}`.
///
/// # Errors
/// When file inputs were not granted.
pub fn file_input(asset: &Asset) -> Result<Value, InputError> {
    let json = to_json(&from_asset(asset)?)?;
    serde_json::from_str(&json).map_err(|error| InputError::Denied(error.to_string()))
}

/// Opens a file for reading. The bytes enter this plugin: to send a file unchanged, pass on [`File::read`] without
/// reading it.
pub fn open(file: &File) -> Input {
    Input::new(file.info(), file.read())
}

/// A stream to write to, and its reading end for [`DirectUpload::put`].
pub fn stream() -> (StreamWriter<u8>, StreamReader<u8>) {
    wit_stream::new()
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.message, self.status, self.code)?;
        match &self.request_id {
            Some(id) => write!(f, ", request {id}"),
            None => Ok(()),
        }
    }
}

impl From<UploadError> for Error {
    fn from(error: UploadError) -> Self {
        Self::Failed(match error {
            UploadError::Denied(reason) => format!("denied: {reason}"),
            UploadError::TooLarge(most) => format!("upload: more than {most} bytes"),
            UploadError::UnsupportedType(media_type) => {
                return Self::Unsupported(format!("the service does not take {media_type}"));
            }
            UploadError::WrongSize(bytes) => {
                format!("upload: another length than was announced: {bytes} bytes")
            }
            UploadError::NotUploaded => "complete: the bytes have not arrived".into(),
            UploadError::Service(error) => format!("upload: {error}"),
            UploadError::Transport(reason) => format!("upload: {reason}"),
        })
    }
}

impl From<TransformError> for Error {
    fn from(error: TransformError) -> Self {
        match error {
            TransformError::Denied(reason) => Self::Failed(format!("denied: {reason}")),
            TransformError::Stage(error) => error,
        }
    }
}

impl From<InputError> for Error {
    fn from(error: InputError) -> Self {
        Self::Failed(match error {
            InputError::Denied(reason) => format!("denied: {reason}"),
            InputError::InvalidUrl(reason) => format!("file input: {reason}"),
            InputError::TooLarge(most) => format!("file input: more than {most} bytes"),
            InputError::UnsupportedType(media_type) => {
                return Self::Unsupported(format!("the service does not take {media_type}"));
            }
        })
    }
}

/// Implements the component's exports for a plugin.
pub struct WorkflowExport<P>(PhantomData<P>);

impl<P: WorkflowPlugin + 'static> Guest for WorkflowExport<P> {
    fn describe() -> Descriptor {
        P::ABOUT.descriptor::<P::Config>()
    }

    async fn run(config: String) -> Result<String, Error> {
        let config = parse_config(&config)?;
        Ok(P::run(files::inputs(), config).await?.to_string())
    }
}

//! Prepares a folder of media for a video agent.
//!
//! - A picture becomes a thumbnail and a large version, both upright, sRGB and free of metadata. A PDF becomes its
//!   pages. Other files are uploaded unchanged if the service accepts them, and left out if not.
//! - All files are uploaded in parallel, each by the flow for its size.
//! - The result is the body of `POST /v3/video-agents`: `prompt`, and as `files` at most [`MOST_FILES`] of the assets,
//!   thumbnails last.
//! - For each file that is left out, and for each asset that does not fit into the body, a line is written to standard
//!   error.
//!
//! Needs the stages `image-resize` and `pdf-split`, and the grants `upload`, `direct_upload` (for files over 32 MB) and
//! `file_inputs`.

use forebay_plugin::workflow::{Asset, File, apply, file_input, upload};
use forebay_plugin::{About, Error, WorkflowPlugin};
use futures::future::{join_all, try_join_all};
use schemars::JsonSchema;
use serde_json::{Value, json};

/// Most files that one request accepts.
pub const MOST_FILES: usize = 20;

/// The config of `media-kit`.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The instructions for the video agent.
    #[schemars(length(min = 1, max = 10_000))]
    pub prompt: String,
    /// Largest width and height of a thumbnail, in pixels.
    #[serde(default = "thumbnail")]
    #[schemars(range(min = 1, max = 65_535))]
    pub thumbnail: u32,
    /// Largest width and height of a large version, in pixels.
    #[serde(default = "large")]
    #[schemars(range(min = 1, max = 65_535))]
    pub large: u32,
    /// Whether a broken file is left out, like a file of a type that the service does not accept. Otherwise a broken
    /// file ends the workflow, and nothing is uploaded.
    #[serde(default)]
    pub skip_broken: bool,
}

fn thumbnail() -> u32 {
    320
}

fn large() -> u32 {
    2048
}

/// The plugin.
#[derive(Debug)]
pub struct MediaKit;

impl WorkflowPlugin for MediaKit {
    type Config = Config;
    const ABOUT: About = About {
        name: "media-kit",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Prepares and uploads media, and writes the request for a video agent",
        accepts: &["*/*"],
        produces: &[],
    };

    async fn run(inputs: Vec<File>, config: Config) -> Result<Value, Error> {
        let mut ready = Vec::new();
        for prepared in join_all(inputs.iter().map(|input| prepare(input, &config))).await {
            ready.extend(prepared?);
        }
        let uploads = ready.iter().map(|Ready { file, place }| async move {
            let asset = upload(file.as_ref()).await?;
            Ok::<_, Error>((*place, file.as_ref().info().name, asset))
        });
        let mut assets = try_join_all(uploads).await?;
        // The sort is stable, so the order of the inputs is kept within each kind.
        assets.sort_by_key(|(place, ..)| *place);
        body(&config.prompt, &assets)
    }
}

/// Where an asset is in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    First,
    Last,
}

/// A file to upload.
struct Ready<'a> {
    file: Which<'a>,
    place: Place,
}

enum Which<'a> {
    Input(&'a File),
    Made(File),
}

impl AsRef<File> for Which<'_> {
    fn as_ref(&self) -> &File {
        match self {
            Self::Input(file) => file,
            Self::Made(file) => file,
        }
    }
}

/// Makes the files to upload from an input. An error names the file.
async fn prepare<'a>(input: &'a File, config: &Config) -> Result<Vec<Ready<'a>>, Error> {
    let info = input.info();
    let made = match info.media_type.as_str() {
        media_type if media_type.starts_with("image/") => pictures(input, config).await,
        "application/pdf" => pages(input).await,
        "video/mp4" | "video/webm" | "audio/mpeg" | "audio/wav" | "application/x-subrip" => {
            Ok(vec![Ready {
                file: Which::Input(input),
                place: Place::First,
            }])
        }
        media_type => Err(Error::Unsupported(media_type.to_owned())),
    };
    made.or_else(|error| match error {
        Error::Unsupported(reason) => {
            eprintln!("left out: {}: {reason}", info.name);
            Ok(Vec::new())
        }
        Error::InvalidInput(reason) if config.skip_broken => {
            eprintln!("left out: {}: {reason}", info.name);
            Ok(Vec::new())
        }
        Error::InvalidInput(reason) => Err(Error::InvalidInput(format!("{}: {reason}", info.name))),
        Error::InvalidConfig(reason) => Err(Error::InvalidConfig(reason)),
        Error::Failed(reason) => Err(Error::Failed(format!("{}: {reason}", info.name))),
    })
}

async fn pictures(input: &File, config: &Config) -> Result<Vec<Ready<'static>>, Error> {
    let version = async |side: u32, suffix: &str, place| {
        let wanted = json!({ "max_width": side, "max_height": side, "suffix": suffix });
        Ok::<_, Error>(made(apply("image-resize", &wanted, input).await?, place))
    };
    let (mut large, thumbnail) = futures::try_join!(
        version(config.large, "", Place::First),
        version(config.thumbnail, "-thumbnail", Place::Last),
    )?;
    large.extend(thumbnail);
    Ok(large)
}

async fn pages(input: &File) -> Result<Vec<Ready<'static>>, Error> {
    let wanted = json!({ "pages_per_file": 1 });
    Ok(made(
        apply("pdf-split", &wanted, input).await?,
        Place::First,
    ))
}

fn made(files: Vec<File>, place: Place) -> Vec<Ready<'static>> {
    let ready = |file| Ready {
        file: Which::Made(file),
        place,
    };
    files.into_iter().map(ready).collect()
}

/// The request, with as many of the assets as it accepts.
fn body(prompt: &str, assets: &[(Place, String, Asset)]) -> Result<Value, Error> {
    for (_, name, asset) in assets.iter().skip(MOST_FILES) {
        eprintln!(
            "not in the request, which takes {MOST_FILES} files: {name}, asset {}",
            asset.asset_id
        );
    }
    let files: Result<Vec<Value>, Error> = assets
        .iter()
        .take(MOST_FILES)
        .map(|(_, _, asset)| Ok(file_input(asset)?))
        .collect();
    Ok(json!({ "prompt": prompt, "files": files? }))
}

forebay_plugin::export_workflow!(MediaKit);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_config_can_be_described() {
        forebay_plugin::config_schema::<Config>().unwrap();
    }
}

//! Does one thing that a workflow can do, as its config asks, and tells how it ended: for tests of the host's side.

#![allow(clippy::panic, reason = "one of the things to do")]

use forebay_plugin::workflow::{
    Asset, DirectUpload, File, FileInput, InlineData, InputError, TransformError, UploadError,
    apply, from_asset, from_bytes, from_url, open, stages, stream, to_json, upload,
};
use forebay_plugin::{About, Error, FileInfo, WorkflowPlugin};
use futures::future::join_all;
use schemars::JsonSchema;
use serde_json::{Value, json};

/// The config of `drill`: what to do. Where it says nothing else, that is done with the first input.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(tag = "exercise", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Exercise {
    /// Say what the inputs are, and read each of them, as often as asked.
    Read {
        /// How often.
        times: usize,
    },
    /// Name the stages that were lent.
    Stages,
    /// Run a stage and say what it made.
    #[schemars(extend("additionalProperties" = true))]
    Apply {
        /// The stage.
        stage: String,
        /// The config to merge over the stage's own, which may be anything. No schema of a config says so; what a
        /// schema leaves open may hold it.
        #[serde(default)]
        #[schemars(skip)]
        config: Value,
    },
    /// Upload every input so many times, all at once.
    Upload {
        /// How often.
        times: usize,
    },
    /// Make a direct upload, step by step.
    Direct {
        /// The size to announce; that of the input unless given.
        size: Option<u64>,
        /// The type to announce; that of the input unless given.
        media_type: Option<String>,
        /// Where the bytes come from.
        put: Put,
        /// How often to complete it.
        complete: usize,
    },
    /// Make file inputs of a URL, of the input's bytes, and of an input made up by hand.
    FileInputs {
        /// The URL.
        url: String,
    },
    /// Upload the inputs, and then not succeed.
    Then {
        /// In which way.
        end: End,
    },
    /// Upload the inputs, and return this.
    Return {
        /// A JSON document. `ID` in it becomes the id of the first asset, and `URL` its address.
        json: String,
    },
    /// Use the service so often, and keep nothing.
    Churn {
        /// What is repeated.
        step: Step,
        /// How often.
        times: usize,
    },
    /// Reserve so many assets, all at once, and drop them when the last is answered. Tells how many were reserved, and how the
    /// last one ended.
    ReserveAtOnce {
        /// How many.
        times: usize,
    },
    /// Run a stage so often, all at once.
    ApplyAtOnce {
        /// The stage.
        stage: String,
        /// How often.
        times: usize,
    },
    /// Open the input so often, and close none.
    Hoard {
        /// How often.
        times: usize,
    },
}

/// Where the bytes of a direct upload come from.
#[derive(Debug, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Put {
    /// There are none.
    Nothing,
    /// The input, unread.
    File,
    /// The input, through this plugin's own memory.
    Stream,
    /// The input but for its last byte.
    Short,
    /// The input and one byte more.
    Long,
    /// The input, and zeros for as long as any are taken.
    Endless,
}

/// What can be repeated without end.
#[derive(Debug, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Reserve an asset and drop it.
    Create,
    /// Upload the input, whatever comes of it.
    Upload,
    /// Send the bytes of one reserved asset.
    Put,
    /// Send the bytes and complete the asset, whatever comes of it.
    Complete,
}

/// How a workflow ends that has done its work.
#[derive(Debug, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It gives up.
    Fail,
    /// It panics.
    Panic,
    /// It sleeps for an hour.
    Sleep,
    /// It returns half a million small objects.
    Objects,
}

/// The plugin.
#[derive(Debug)]
pub struct Drill;

impl WorkflowPlugin for Drill {
    type Config = Exercise;
    const ABOUT: About = About {
        name: "drill",
        version: env!("CARGO_PKG_VERSION"),
        summary: "Does one thing that a workflow can do, for tests",
        accepts: &["*/*"],
        produces: &[],
    };

    async fn run(inputs: Vec<File>, exercise: Exercise) -> Result<Value, Error> {
        let first = || {
            inputs
                .first()
                .ok_or_else(|| Error::Failed("there is no input".into()))
        };
        Ok(match exercise {
            Exercise::Read { times } => {
                let mut read = Vec::new();
                for input in &inputs {
                    for _ in 0..times {
                        read.push(describe(input).await);
                    }
                }
                Value::Array(read)
            }
            Exercise::Stages => json!(stages()),
            Exercise::Apply { stage, config } => match apply(&stage, &config, first()?).await {
                Ok(files) => Value::Array(join_all(files.iter().map(describe)).await),
                Err(TransformError::Denied(reason)) => json!({ "denied": reason }),
                Err(TransformError::Stage(error)) => stage_error(error),
            },
            Exercise::Upload { times } => {
                let all = inputs.iter().cycle().take(times * inputs.len());
                let uploads = all.map(|input| async move { uploaded(upload(input).await) });
                Value::Array(join_all(uploads).await)
            }
            Exercise::Direct {
                size,
                media_type,
                put,
                complete,
            } => direct(first()?, size, media_type, put, complete).await,
            Exercise::FileInputs { url } => {
                let bytes = open(first()?).read_to_end(usize::MAX).await?;
                let asset = Asset {
                    asset_id: "ast_1".into(),
                    url: String::new(),
                    mime_type: String::new(),
                    size_bytes: 0,
                };
                let made_up = FileInput::Base64(InlineData {
                    media_type: "video/mp4".into(),
                    data: bytes.clone(),
                });
                json!({
                    "asset": input(from_asset(&asset)),
                    "url": input(from_url(&url)),
                    "bytes": input(from_bytes(&bytes)),
                    "made-up": input(Ok(made_up)),
                })
            }
            Exercise::Then { end } => {
                for input in &inputs {
                    upload(input).await?;
                }
                match end {
                    End::Fail => return Err(Error::Failed("on second thoughts".into())),
                    End::Panic => panic!("on second thoughts"),
                    End::Objects => return Ok(vec![json!({ "": 0 }); 500_000].into()),
                    End::Sleep => std::thread::sleep(std::time::Duration::from_secs(3600)),
                }
                Value::Null
            }
            Exercise::Return { json } => {
                let mut first: Option<Asset> = None;
                for input in &inputs {
                    let asset = upload(input).await?;
                    first.get_or_insert(asset);
                }
                let json = match first {
                    Some(asset) => json
                        .replace("ID", &asset.asset_id)
                        .replace("URL", &asset.url),
                    None => json,
                };
                serde_json::from_str(&json)
                    .map_err(|error| Error::InvalidConfig(error.to_string()))?
            }
            Exercise::Churn { step, times } => churn(first()?, step, times).await?,
            Exercise::ReserveAtOnce { times } => {
                let info = first()?.info();
                let size = info.size.unwrap_or_default();
                let create = (0..times).map(|_| DirectUpload::create(info.clone(), size));
                let mut ended = join_all(create).await;
                let reserved = ended.iter().filter(|one| one.is_ok()).count();
                let last = ended.pop().map(|last| done(last.map(drop)));
                json!({ "reserved": reserved, "last": last })
            }
            Exercise::ApplyAtOnce { stage, times } => {
                let (none, first) = (json!({}), first()?);
                let calls = (0..times).map(|_| apply(&stage, &none, first));
                json!(join_all(calls).await.len())
            }
            Exercise::Hoard { times } => {
                let input = first()?;
                let mut held = Vec::new();
                for _ in 0..times {
                    held.push(input.read());
                }
                json!(held.len())
            }
        })
    }
}

/// Uses the service over and over. Returns how the last time ended.
async fn churn(file: &File, step: Step, times: usize) -> Result<Value, Error> {
    let info = file.info();
    let size = info.size.unwrap_or_default();
    let create = || DirectUpload::create(info.clone(), size);
    let mut last = Value::Null;
    match step {
        Step::Create => {
            for _ in 0..times {
                last = done(create().await.map(drop));
            }
        }
        Step::Upload => {
            for _ in 0..times {
                last = uploaded(upload(file).await);
            }
        }
        Step::Put => {
            let direct = create().await?;
            for _ in 0..times {
                last = done(direct.put(file.read()).await);
            }
        }
        Step::Complete => {
            let direct = create().await?;
            direct.put(file.read()).await?;
            for _ in 0..times {
                last = uploaded(direct.complete().await);
            }
        }
    }
    Ok(last)
}

async fn describe(file: &File) -> Value {
    let info = file.info();
    let mut input = open(file);
    let (mut chunk, mut bytes, mut sum) = (Vec::new(), 0, 0_u64);
    while input.fill(&mut chunk).await {
        bytes += chunk.len();
        sum = chunk.iter().fold(sum, |sum, &byte| {
            sum.wrapping_mul(31).wrapping_add(byte.into())
        });
    }
    json!({ "name": info.name, "media_type": info.media_type, "size": info.size, "bytes": bytes, "sum": sum })
}

/// The three steps, as far as they go.
async fn direct(
    file: &File,
    size: Option<u64>,
    media_type: Option<String>,
    put: Put,
    complete: usize,
) -> Value {
    let info = file.info();
    let size = size.or(info.size).unwrap_or_default();
    let info = FileInfo {
        media_type: media_type.unwrap_or(info.media_type.clone()),
        ..info
    };
    let created = DirectUpload::create(info, size).await;
    let direct = match created {
        Ok(direct) => direct,
        Err(error) => return json!({ "create": upload_error(error) }),
    };
    let sent = match put {
        Put::Nothing => Value::Null,
        Put::File => done(direct.put(file.read()).await),
        Put::Stream | Put::Short | Put::Long | Put::Endless => {
            let (mut writer, reader) = stream();
            let length = file.info().size.unwrap_or_default();
            let most = match put {
                Put::Short => length.saturating_sub(1),
                _ => length,
            };
            let write = async move {
                let mut input = open(file);
                let (mut chunk, mut left) = (Vec::new(), most);
                while input.fill(&mut chunk).await {
                    chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len()));
                    left -= chunk.len() as u64;
                    chunk = writer.write_all(chunk).await;
                    if !chunk.is_empty() {
                        return;
                    }
                }
                if matches!(put, Put::Long) {
                    writer.write_all(vec![0]).await;
                }
                while matches!(put, Put::Endless)
                    && writer.write_all(vec![0; 4096]).await.is_empty()
                {}
            };
            done(futures::join!(direct.put(reader), write).0)
        }
    };
    let mut completed = Vec::new();
    for _ in 0..complete {
        completed.push(uploaded(direct.complete().await));
    }
    json!({
        "asset_id": direct.asset_id(),
        "max_bytes": direct.max_bytes(),
        "expires_in_seconds": direct.expires_in_seconds(),
        "put": sent,
        "complete": completed,
    })
}

fn done(ended: Result<(), UploadError>) -> Value {
    match ended {
        Ok(()) => json!("ok"),
        Err(error) => upload_error(error),
    }
}

fn uploaded(ended: Result<Asset, UploadError>) -> Value {
    match ended {
        Ok(asset) => json!({
            "asset_id": asset.asset_id,
            "url": asset.url,
            "mime_type": asset.mime_type,
            "size_bytes": asset.size_bytes,
        }),
        Err(error) => upload_error(error),
    }
}

fn upload_error(error: UploadError) -> Value {
    match error {
        UploadError::Denied(reason) => json!({ "denied": reason }),
        UploadError::TooLarge(most) => json!({ "too-large": most }),
        UploadError::UnsupportedType(media_type) => json!({ "unsupported-type": media_type }),
        UploadError::WrongSize(bytes) => json!({ "wrong-size": bytes }),
        UploadError::NotUploaded => json!("not-uploaded"),
        UploadError::Service(error) => json!({
            "service": error.status, "code": error.code, "message": error.message, "request_id": error.request_id,
        }),
        UploadError::Transport(reason) => json!({ "transport": reason }),
    }
}

fn stage_error(error: Error) -> Value {
    match error {
        Error::Unsupported(reason) => json!({ "unsupported": reason }),
        Error::InvalidInput(reason) => json!({ "invalid-input": reason }),
        Error::InvalidConfig(reason) => json!({ "invalid-config": reason }),
        Error::Failed(reason) => json!({ "failed": reason }),
    }
}

/// A file input as JSON, or why there is none.
fn input(made: Result<FileInput, InputError>) -> Value {
    match made.and_then(|input| to_json(&input)) {
        Ok(json) => serde_json::from_str(&json).unwrap_or_default(),
        Err(InputError::Denied(reason)) => json!({ "denied": reason }),
        Err(InputError::InvalidUrl(reason)) => json!({ "invalid-url": reason }),
        Err(InputError::TooLarge(most)) => json!({ "too-large": most }),
        Err(InputError::UnsupportedType(media_type)) => json!({ "unsupported-type": media_type }),
    }
}

forebay_plugin::export_workflow!(Drill);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_config_can_be_described() {
        forebay_plugin::config_schema::<Exercise>().unwrap();
    }
}

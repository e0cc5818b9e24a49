//! Small versions of pictures, for a page.
//!
//! A picture may come from anyone, so the bundled plugin `image-resize` makes them, in its sandbox. Their number, their
//! sources' sizes and the whole time are bounded; a picture that does not become one in time has none.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use forebay::{Limits, Memory, Pipeline, Source, Stage};
use futures::StreamExt as _;
use serde_json::json;

use crate::plugins::Plugins;

/// Most pictures of a page.
const MAX_PICTURES: usize = 400;

/// Largest file that is made small, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// Largest thumbnail, in bytes.
const MAX_THUMBNAIL: usize = 64 << 10;

/// The longest side, in pixels.
const SIDE: u32 = 200;

/// How long all of them may take together.
const MAX_TIME: Duration = Duration::from_secs(60);

/// Pictures at a time.
const AT_A_TIME: usize = 4;

/// Thumbnails by the path of their picture, as JPEG files.
pub(super) type Thumbnails = HashMap<PathBuf, Vec<u8>>;

/// Makes thumbnails of files of these types, as far as they are pictures.
pub(super) async fn make(files: Vec<(PathBuf, String)>) -> Thumbnails {
    let Ok((plugins, pipeline)) = set_up().await else {
        return Thumbnails::new();
    };
    let (plugins, pipeline) = (&plugins, &pipeline);
    let started = Instant::now();
    let is_picture = |(path, media_type): &(PathBuf, String)| {
        let accepts = pipeline
            .stages()
            .first()
            .is_some_and(|stage| stage.plugin().accepts(media_type));
        accepts
            && std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MAX_FILE)
    };
    let pictures = files.into_iter().filter(is_picture).take(MAX_PICTURES);
    let work = pictures.map(|(path, _)| async move {
        if started.elapsed() > MAX_TIME {
            return None;
        }
        let small = thumbnail(plugins, pipeline, &path).await?;
        Some((path, small))
    });
    let made = futures::stream::iter(work).buffer_unordered(AT_A_TIME);
    made.filter_map(std::future::ready).collect().await
}

async fn set_up() -> anyhow::Result<(Plugins, Pipeline)> {
    let plugins = Plugins::new()?;
    let resize = plugins.load_bundled("image-resize").await?;
    let stage = Stage::new(&resize)
        .config(json!({ "max_width": SIDE, "max_height": SIDE, "format": "jpeg", "quality": 70 }))
        .limits(Limits::default().wall_clock(Duration::from_secs(20)));
    Ok((
        plugins,
        Pipeline::builder("thumbnails").stage(stage).build()?,
    ))
}

async fn thumbnail(plugins: &Plugins, pipeline: &Pipeline, path: &Path) -> Option<Vec<u8>> {
    let sink = Memory::new();
    plugins
        .host
        .run(pipeline, Source::path(path), sink.clone())
        .await
        .ok()?;
    let (info, bytes) = sink.take().into_iter().next()?;
    (info.media_type == "image/jpeg" && bytes.len() <= MAX_THUMBNAIL).then(|| bytes.to_vec())
}

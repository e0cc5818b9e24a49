//! `forebay demo`: processes three files with plugins and uploads them to an emulator within this process.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytesize::ByteSize;
use forebay::{
    Assets, AssetsExt as _, FileReport, Limits, Pipeline, Place, Report, Source, StageReport,
};
use forebay_emulator::Emulator;
use reqwest::Client;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Outcome;
use crate::args::DemoArgs;
use crate::plugins::Plugins;
use crate::stage_arg::StageArg;

const PHOTO: &[u8] = include_bytes!("../demo/photo.jpg");
const DOCUMENT: &[u8] = include_bytes!("../demo/document.pdf");

pub(crate) async fn demo(args: &DemoArgs) -> Result<Outcome> {
    let temporary = tempfile::tempdir()?;
    let folder = args.keep.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    std::fs::write(folder.join("photo.jpg"), PHOTO)?;
    std::fs::write(folder.join("document.pdf"), DOCUMENT)?;
    std::fs::write(folder.join("tone.wav"), tone(Duration::from_secs(200)))?;

    let emulator = Emulator::builder().api_key("demo-key").start().await?;
    say!(
        "An emulator of the Assets API listens on {}.",
        emulator.base_url()
    );
    let assets = Assets::builder()
        .api_key("demo-key")
        .base_url(emulator.base_url())
        .build()?;
    let client = forebay_emulator::client()?.build()?;
    let mut plugins = Plugins::new()?;
    let mut inputs = Vec::new();
    for (file, stages) in [
        (
            "photo.jpg",
            ["strip-metadata", "image-resize:max_width=1280"].as_slice(),
        ),
        ("document.pdf", &["pdf-split:pages_per_file=1"]),
        ("tone.wav", &["identity"]),
    ] {
        let pipeline = pipeline(&mut plugins, stages).await?;
        let report = plugins
            .host
            .run(&pipeline, Source::path(folder.join(file)), assets.sink())
            .await?;
        tell(folder, &report)?;
        for file in &report.files {
            inputs.push(check(&client, file).await?);
        }
    }

    let body = json!({ "prompt": "Introduce these pages", "files": inputs.iter().take(20).collect::<Vec<_>>() });
    let answer: Value = client
        .post(format!("{}/v3/video-agents", emulator.base_url()))
        .header("x-api-key", "demo-key")
        .json(&body)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    say!(
        "\nPOST /v3/video-agents with these {} file inputs answers\n  {answer}",
        inputs.len().min(20)
    );
    emulator.shutdown().await;
    if args.keep.is_some() {
        say!("\nThe inputs are in {}.", folder.display());
    }
    Ok(Outcome::Done)
}

async fn pipeline(plugins: &mut Plugins, stages: &[&str]) -> Result<Pipeline> {
    let mut pipeline = Pipeline::builder("demo");
    for text in stages {
        let arg = StageArg::parse(text)?;
        let plugin = plugins.load(&arg.plugin).await?;
        let config = arg.config(plugin.descriptor().config_schema.as_ref());
        pipeline = pipeline.stage(
            forebay::Stage::new(&plugin)
                .config(config?)
                .limits(Limits::default()),
        );
    }
    Ok(pipeline.build()?)
}

/// Prints a job: the file, its stages, and the results.
fn tell(folder: &Path, report: &Report) -> Result<()> {
    let size = std::fs::metadata(folder.join(&report.source.name))?.len();
    say!(
        "\n{} ({}, {})",
        report.source.name,
        report.source.media_type,
        bytes(size)
    );
    for StageReport { stage, usage, .. } in report
        .files
        .first()
        .into_iter()
        .flat_map(|file| &file.stages)
    {
        say!(
            "  stage {stage:18} {:>9} -> {:>9}   {:.0} ms, {} of memory",
            bytes(usage.bytes_in),
            bytes(usage.bytes_out),
            usage.wall_clock.as_secs_f64() * 1e3,
            bytes(usage.peak_memory)
        );
    }
    Ok(())
}

/// Fetches an asset from the emulator and compares it with the output of the last stage. Returns its file input.
async fn check(client: &Client, file: &FileReport) -> Result<Value> {
    let Place::Asset { asset, flow } = &file.place else {
        bail!("{} is no asset", file.name)
    };
    let served = client
        .get(&asset.url)
        .send()
        .await?
        .error_for_status()?
        .bytes()
        .await?;
    let served = hex::encode(Sha256::digest(&served));
    let sent = file.sha256.as_deref().unwrap_or_default();
    let input = serde_json::to_value(asset.file_input())?;
    say!(
        "  {} ({}, {}) by {flow}",
        file.name,
        file.media_type,
        bytes(file.size)
    );
    say!("    asset      {}", asset.asset_id);
    say!("    file input {input}");
    let verdict = if served == sent {
        "is what the emulator serves"
    } else {
        "but the emulator serves other bytes"
    };
    say!("    sha256     {sent} {verdict}");
    ensure!(
        served == sent,
        "{}: {sent} left the last stage, {served} is served",
        file.name
    );
    Ok(input)
}

fn bytes(count: u64) -> String {
    ByteSize(count).display().si().to_string()
}

/// A WAV file (RIFF, 16-bit PCM, 44.1 kHz, stereo) of the note A. It is larger than 32 MB from about 190 seconds on.
fn tone(length: Duration) -> Vec<u8> {
    const RATE: u32 = 44_100;
    const FRAME: u32 = 4;
    let frames = u32::try_from(length.as_secs())
        .unwrap_or(0)
        .saturating_mul(RATE);
    let data = frames.saturating_mul(FRAME);
    let mut wav = Vec::with_capacity(data as usize + 44);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(data + 36).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    // Length of this chunk, format (PCM), number of channels.
    wav.extend_from_slice(&[16, 0, 0, 0, 1, 0, 2, 0]);
    wav.extend_from_slice(&RATE.to_le_bytes());
    wav.extend_from_slice(&(RATE * FRAME).to_le_bytes());
    // Bytes per frame, bits per sample.
    wav.extend_from_slice(&[4, 0, 16, 0]);
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&data.to_le_bytes());
    for frame in 0..frames {
        let phase = f64::from(frame) / f64::from(RATE) * 440.0 * std::f64::consts::TAU;
        // The factor keeps the value in range. The cast drops the fraction.
        let sample = ((phase.sin() * 12_000.0) as i16).to_le_bytes();
        wav.extend_from_slice(&sample);
        wav.extend_from_slice(&sample);
    }
    wav
}

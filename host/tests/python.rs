//! Plugins written in Python run unchanged next to those in Rust. They are built with componentize-py, which is installed
//! beside the build's other output; where it cannot be, these tests say so and are skipped.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use forebay::{Assets, Grants, Host, Memory, Pipeline, Plugin, Source, Stage, Workflow, World};
use forebay_emulator::{AssetStatus, Emulator, Flow};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Takes the path of componentize-py.
type Test = fn(&Path) -> Result<(), Failed>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests: [(&str, Test); 2] = [
        ("a_stream_plugin_in_python", shift_subtitles),
        ("a_workflow_in_python", direct_upload),
    ];
    let tool = if arguments.list {
        Err("only listed".into())
    } else {
        tool()
    };
    let trials = tests.map(|(name, test)| match tool.clone() {
        Ok(tool) => Trial::test(name, move || test(&tool)),
        Err(reason) => {
            let name = format!("{name}: skipped, {reason}");
            Trial::test(name, || Ok(())).with_ignored_flag(true)
        }
    });
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/python")
}

/// componentize-py, in a virtual environment of its own; or why it is not there.
fn tool() -> Result<PathBuf, String> {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let tool = venv.join("bin/componentize-py");
    if !tool.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let requirements = plugins().join("requirements.txt");
        let mut install = Command::new(venv.join("bin/python"));
        install.args(["-m", "pip", "install", "--quiet", "--requirement"]);
        run(install.arg(requirements))?;
    }
    Ok(tool)
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let ended = command
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let last = said
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or_default();
    Err(format!("{program}: {last}"))
}

/// Builds a plugin, unless that was done since its sources changed.
fn build(tool: &Path, world: &str, module: &str) -> Result<Vec<u8>, Failed> {
    let component = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{module}.wasm"));
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let changed = |path: &Path| -> std::io::Result<SystemTime> { path.metadata()?.modified() };
    let mut sources = vec![
        plugins().join(format!("{module}.py")),
        plugins().join("requirements.txt"),
    ];
    for entry in wit.read_dir()? {
        sources.push(entry?.path());
    }
    let fresh = changed(&component).is_ok_and(|built| {
        sources
            .iter()
            .all(|source| changed(source).is_ok_and(|changed| changed < built))
    });
    if !fresh {
        let mut componentize = Command::new(tool);
        componentize
            .current_dir(plugins())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        componentize
            .arg("-d")
            .arg(&wit)
            .args(["-w", world, "componentize", module]);
        run(componentize.args(["--stub-wasi", "-o"]).arg(&component))?;
    }
    Ok(std::fs::read(&component)?)
}

fn host() -> Result<Host, Failed> {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
    Ok(Host::builder().cache_dir(cache).build()?)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

fn shift_subtitles(tool: &Path) -> Result<(), Failed> {
    let component = build(tool, "stream-plugin", "shift_subtitles")?;
    block_on(async {
        let host = host()?;
        let shift = host.load("shift-subtitles", component).await?;
        let identity = host.load("identity", forebay_bundled::IDENTITY).await?;
        assert_eq!(shift.world(), World::Stream);
        let pipeline = |shift: &Plugin, seconds: f64| {
            Pipeline::builder("subtitles")
                .stage(Stage::new(&identity))
                .stage(Stage::new(shift).config(json!({ "seconds": seconds })))
                .stage(Stage::new(&identity))
                .build()
        };
        // Longer than what is read at a time, so that lines are cut.
        let subtitle = |at: u32, second: u32| {
            let time = |second: u32| {
                format!(
                    "{:02}:{:02}:{:02},250",
                    second / 3600,
                    second / 60 % 60,
                    second % 60
                )
            };
            format!(
                "{at}\n{} --> {}\nLine {at}\n\n",
                time(second),
                time(second + 1)
            )
        };
        let text = |later: u32| {
            (1..5000)
                .map(|at| subtitle(at, at + later))
                .collect::<String>()
        };
        let sink = Memory::new();
        let source = Source::bytes("film.srt", text(0));
        host.run(&pipeline(&shift, 100.0)?, source, sink.clone())
            .await?;
        let files = sink.take();
        assert_eq!(files[0].0.name, "film.srt");
        assert!(files[0].1 == text(100), "every time is 100 seconds later");

        let source = Source::bytes("film.srt", text(0));
        let early = host
            .run(&pipeline(&shift, -10.0)?, source, sink.clone())
            .await;
        let error = early.unwrap_err().to_string();
        assert_eq!(
            error,
            "film.srt: stage 2 shift-subtitles: damaged or invalid file: a subtitle would come before the beginning"
        );
        let config = Pipeline::builder("p")
            .stage(Stage::new(&shift))
            .build()
            .unwrap_err();
        assert!(config.to_string().contains("seconds"), "{config}");
        Ok(())
    })
}

fn direct_upload(tool: &Path) -> Result<(), Failed> {
    let component = build(tool, "workflow-plugin", "direct_upload")?;
    block_on(async {
        let host = host()?;
        let plugin = host.load("direct-upload", component).await?;
        let emulator = Emulator::builder().api_key("k").start().await?;
        let assets = Assets::builder()
            .api_key("k")
            .base_url(emulator.base_url())
            .build()?;
        let workflow = |grants| Workflow::builder("python", &plugin).grants(grants).build();
        let photo = &include_bytes!("../../cli/demo/photo.jpg")[..];
        let source = || [Source::bytes("photo.jpg", photo)];

        let all = workflow(Grants::all())?;
        let report = host.run_workflow(&all, source(), &assets).await?;
        let stored = emulator.assets();
        assert_eq!(stored.len(), 1);
        assert_eq!(stored[0].status, AssetStatus::Completed);
        assert_eq!(stored[0].flow, Flow::DirectUpload);
        let sha256 = hex::encode(Sha256::digest(photo));
        assert_eq!(stored[0].sha256.as_deref(), Some(sha256.as_str()));
        let input = json!({ "type": "asset_id", "asset_id": stored[0].id });
        assert_eq!(report.result, json!({ "file": input, "sha256": sha256 }));

        let Err(error) = workflow(Grants::none()) else {
            return Err("it imports uploads, and was built without them".into());
        };
        assert!(error.to_string().contains("`direct_upload`"), "{error}");
        // Granted in part: what is missing comes back to it as a value.
        let some = workflow(Grants::none().upload().file_inputs())?;
        let error = host
            .run_workflow(&some, source(), &assets)
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("direct upload was not granted"),
            "{error}"
        );
        assert_eq!(emulator.assets().len(), 1);
        Ok(())
    })
}

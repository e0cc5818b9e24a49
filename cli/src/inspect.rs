//! `forebay plugins` and `forebay inspect`.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use forebay::{Error, LoadError, Plugin, World};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Outcome;
use crate::args::{InspectArgs, PluginsArgs};
use crate::config;
use crate::plain::{json as json_text, one_line};
use crate::plugins::Plugins;
use crate::usage_in_pipeline::UsageInPipeline;
use crate::wrap::wrap;

pub(crate) async fn plugins(args: &PluginsArgs) -> Result<Outcome> {
    if let Some(folder) = &args.write {
        return write(folder);
    }
    let mut plugins = Plugins::new()?;
    let mut listed = Vec::new();
    for (name, _) in forebay_bundled::PLUGINS {
        let plugin = plugins.load(name).await?;
        let descriptor = plugin.descriptor();
        if args.json {
            listed.push(describe(&plugin));
        } else {
            say!(
                "{name:16} {:8} {:9} {}",
                descriptor.version,
                plugin.world(),
                descriptor.summary
            );
        }
    }
    if args.json {
        say!("{}", json_text(&Value::Array(listed).to_string()));
    } else {
        complain!("\n`forebay inspect PLUGIN` shows what a plugin takes and how it is configured.");
    }
    Ok(Outcome::Done)
}

/// Writes the bundled components into a folder, and prints the digest of each.
fn write(folder: &Path) -> Result<Outcome> {
    let in_folder = |name: &str| folder.join(format!("{name}.wasm"));
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut builder = tempfile::Builder::new();
    // As a file that is made by hand.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    for (name, component) in forebay_bundled::PLUGINS {
        let path = in_folder(name);
        // A program that loads it meanwhile gets the old file or the new one.
        let written = builder.tempfile_in(folder).and_then(|mut file| {
            file.write_all(component)?;
            Ok(file.persist(&path)?)
        });
        written.with_context(|| path.display().to_string())?;
        say!(
            "{}  {}",
            hex::encode(Sha256::digest(component)),
            path.display()
        );
    }
    Ok(Outcome::Done)
}

pub(crate) async fn inspect(args: &InspectArgs) -> Result<Outcome> {
    let usage = match &args.pipeline {
        Some(reference) => Some(UsageInPipeline::read(reference, &args.plugin)?),
        None => None,
    };
    let plugin = match Plugins::new()?.load(&args.plugin).await {
        Ok(plugin) => plugin,
        Err(error) => return refused(args, error),
    };
    if args.json {
        let mut value = describe(&plugin);
        if let (Some(usage), Some(value)) = (usage, value.as_object_mut()) {
            value.insert("granted".into(), json!(usage.places));
            value.insert("job_limits".into(), json!(usage.job));
        }
        say!("{}", json_text(&value.to_string()));
        return Ok(Outcome::Done);
    }
    let descriptor = plugin.descriptor();
    say!(
        "{} {}: {}",
        one_line(&descriptor.name),
        one_line(&descriptor.version),
        one_line(&descriptor.summary)
    );
    say!("sha256    {}", plugin.digest());
    // First what matters most to whoever runs it, and before anything that the plugin could make long.
    say!("\nwhat it can reach");
    for (what, words) in reach(&plugin) {
        say!("  {what:12} {words}");
    }
    say!("\nkind      {}", kind(plugin.world()));
    say!("takes     {}", descriptor.accepts.join(", "));
    let gives = if descriptor.produces.is_empty() {
        "what it takes".into()
    } else {
        descriptor.produces.join(", ")
    };
    if plugin.world() == World::Workflow {
        say!(
            "gives     JSON. The files that it names are of its run or granted (`assets`, `url_hosts`);"
        );
        say!("          `forebay run --raw` takes it unchecked");
    } else {
        say!("gives     {gives}");
    }
    config::tell(descriptor.config_schema.as_ref());
    say!("\nimports");
    for line in wrap(&plugin.imports().join(", "), 96) {
        say!("  {}", one_line(&line));
    }
    if let Some(usage) = usage {
        usage.print();
    }
    Ok(Outcome::Done)
}

/// Shows the imports of a plugin that no grant allows. None of its code was run, so nothing else can be shown.
fn refused(args: &InspectArgs, error: anyhow::Error) -> Result<Outcome> {
    let Some(Error::Load {
        reason: LoadError::Imports(asked),
        ..
    }) = error.downcast_ref()
    else {
        return Err(error);
    };
    let digest = hex::encode(Sha256::digest(std::fs::read(&args.plugin)?));
    if args.json {
        let told = json!({ "digest": digest, "never_granted": asked });
        say!("{}", json_text(&told.to_string()));
        return Ok(Outcome::SomeFailed);
    }
    say!(
        "{} does not load, and nothing of it was run.\n",
        args.plugin
    );
    say!("sha256    {digest}");
    say!("\nwhat it asks for");
    for one in asked {
        let (words, names) = one.split_once(" (").unwrap_or((one, ""));
        say!("  {words}: forebay never grants it");
        for line in wrap(names.trim_end_matches(')'), 96) {
            say!("      {}", one_line(&line));
        }
    }
    say!(
        "\nWhat a plugin imports without using it can be left out when it is built:\nin Python with `componentize-py \
         --stub-wasi`, in Rust without `std::net`."
    );
    Ok(Outcome::SomeFailed)
}

/// What a plugin can reach, in a line for each thing. What it imports can be granted; what it does not import it cannot use.
fn reach(plugin: &Plugin) -> Vec<(&'static str, &'static str)> {
    let imports = |prefix: &str| {
        let mut imports = plugin.imports().iter();
        imports.any(|import| import.starts_with(prefix))
    };
    let files = match (plugin.world(), imports("wasi:filesystem/")) {
        (World::File, _) => "only its input, in a folder of its own, and folders that you grant",
        (World::Workflow, true) => "only its inputs, and folders that you grant",
        (World::Workflow, false) => "only its inputs",
        (_, true) => "only its input, and folders that you grant",
        (_, false) => "only its input",
    };
    let uploads = imports("forebay:plugin/uploads");
    let network = if uploads {
        "no; forebay uploads for it what you grant, and keeps the API key to itself"
    } else {
        "no"
    };
    let yes_or_no = |prefix, yes| if imports(prefix) { yes } else { "no" };
    let mut reach = vec![
        ("files:", files),
        ("network:", network),
        (
            "clock:",
            yes_or_no("wasi:clocks/", "yes, or a time that you set"),
        ),
        (
            "random:",
            yes_or_no("wasi:random/", "yes, or a seed that you set"),
        ),
        (
            "environment:",
            yes_or_no(
                "wasi:cli/environment",
                "only the variables that you grant; none unless you do",
            ),
        ),
    ];
    if plugin.world() == World::Workflow {
        let lent = "runs the stages that it is lent";
        let named = "names files in requests to the service, if you grant it";
        reach.push(("stages:", yes_or_no("forebay:plugin/transforms", lent)));
        reach.push(("requests:", yes_or_no("forebay:plugin/file-inputs", named)));
    }
    reach
}

fn describe(plugin: &Plugin) -> Value {
    let mut value = serde_json::to_value(plugin.descriptor()).unwrap_or_default();
    if let Some(value) = value.as_object_mut() {
        value.insert("world".into(), json!(plugin.world()));
        value.insert("digest".into(), plugin.digest().into());
        value.insert("imports".into(), json!(plugin.imports()));
        let words = plugin.imports_in_words().into_iter();
        let words = words.map(|(words, imports)| json!({ "words": words, "imports": imports }));
        value.insert("asks_for".into(), words.collect());
    }
    value
}

fn kind(world: World) -> &'static str {
    match world {
        World::Stream => "stream plugin: works on bytes as they pass by",
        World::File => "file plugin: gets the file on disk, in a folder of its own",
        World::Workflow => {
            "workflow plugin: gets all files at once, and uploads what it is allowed to"
        }
        _ => "unknown to this version",
    }
}

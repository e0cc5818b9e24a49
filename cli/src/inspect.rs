//! `forebay plugins` and `forebay inspect`.

use std::path::PathBuf;

use anyhow::Result;
use bytesize::ByteSize;
use forebay::{Clock, Error, Grants, Limits, LoadError, PipelineFile, Plugin, Random, World};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Outcome;
use crate::args::{InspectArgs, PluginsArgs};
use crate::config;
use crate::plugins::Plugins;
use crate::run::pipeline_reference;

pub(crate) async fn plugins(args: &PluginsArgs) -> Result<Outcome> {
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
        say!("{}", Value::Array(listed));
    } else {
        eprintln!("\n`forebay inspect PLUGIN` shows what a plugin takes and how it is configured.");
    }
    Ok(Outcome::Done)
}

pub(crate) async fn inspect(args: &InspectArgs) -> Result<Outcome> {
    let given = given(args)?;
    let plugin = match Plugins::new()?.load(&args.plugin).await {
        Ok(plugin) => plugin,
        Err(error) => return refused(args, error),
    };
    if args.json {
        let mut value = describe(&plugin);
        if let Some((_, given)) = given {
            let given = given.iter().map(|given| {
                json!({ "place": given.place, "grants": given.grants, "limits": given.limits })
            });
            if let Some(value) = value.as_object_mut() {
                value.insert("granted".into(), given.collect());
            }
        }
        say!("{value}");
        return Ok(Outcome::Done);
    }
    let descriptor = plugin.descriptor();
    say!(
        "{} {}: {}",
        descriptor.name,
        descriptor.version,
        descriptor.summary
    );
    say!("");
    say!("kind      {}", kind(plugin.world()));
    say!("takes     {}", descriptor.accepts.join(", "));
    let gives = if descriptor.produces.is_empty() {
        "what it takes".into()
    } else {
        descriptor.produces.join(", ")
    };
    if plugin.world() != World::Workflow {
        say!("gives     {gives}");
    }
    say!("sha256    {}", plugin.digest());
    config::tell(descriptor.config_schema.as_ref());
    say!("\nwhat it asks for");
    for (words, names) in plugin.imports_in_words() {
        say!("  {words}");
        for line in wrap(&names.join(", "), 96) {
            say!("      {line}");
        }
    }
    if let Some((reference, given)) = given {
        say!("\nwhat {reference} gives it");
        if given.is_empty() {
            say!("  it does not run there");
        }
        for Given {
            place,
            grants,
            limits,
        } in given
        {
            say!("  {place}");
            for words in grants_in_words(&grants) {
                say!("      {words}");
            }
            for line in wrap(&limits_in_words(&limits), 96) {
                say!("      {line}");
            }
        }
    }
    Ok(Outcome::Done)
}

/// Shows what a plugin asks for that no grant gives. Nothing of it was run, so there is nothing else to show.
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
        say!("{}", json!({ "digest": digest, "never_granted": asked }));
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
            say!("      {line}");
        }
    }
    say!(
        "\nWhat a plugin imports without using it can be left out when it is built:\nin Python with `componentize-py \
         --stub-wasi`, in Rust without `std::net`."
    );
    Ok(Outcome::SomeFailed)
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

/// A place of a pipeline where a plugin runs, with what it may do and use there.
struct Given {
    place: String,
    grants: Grants,
    limits: Limits,
}

/// What a pipeline gives a plugin, wherever it runs it.
fn given(args: &InspectArgs) -> Result<Option<(String, Vec<Given>)>> {
    let Some(reference) = &args.pipeline else {
        return Ok(None);
    };
    let (path, name) = pipeline_reference(reference);
    let file = PipelineFile::read(path)?;
    let spec = file.pipeline(name)?;
    let stages = spec.stages.iter().enumerate().map(|(at, stage)| {
        let name = stage.name.as_ref().unwrap_or(&stage.plugin);
        (format!("stage {} {name}", at + 1), stage)
    });
    let lent = spec.workflow.iter().flat_map(|workflow| {
        let lent = workflow.lend.iter();
        lent.map(|(name, stage)| (format!("lent to the workflow as {name}"), stage))
    });
    let mut given: Vec<Given> = stages
        .chain(lent)
        .filter(|(_, stage)| same_plugin(&stage.plugin, &args.plugin))
        .map(|(place, stage)| Given {
            place,
            grants: stage.grants.clone(),
            limits: stage.limits.clone(),
        })
        .collect();
    if let Some(workflow) = &spec.workflow
        && same_plugin(&workflow.plugin, &args.plugin)
    {
        given.push(Given {
            place: format!("workflow {}", workflow.name),
            grants: workflow.grants.clone(),
            limits: workflow.limits.clone(),
        });
    }
    Ok(Some((reference.clone(), given)))
}

/// Whether two names are of one bundled plugin or of one file.
fn same_plugin(one: &str, other: &str) -> bool {
    let file = |name: &str| std::fs::canonicalize(name).ok();
    one == other || file(one).is_some_and(|path| Some(path) == file(other))
}

/// Grants in plain words.
fn grants_in_words(grants: &Grants) -> Vec<String> {
    let folder = |verb: &'static str| {
        move |(path, host): (&String, &PathBuf)| format!("{verb} {}, as {path}", host.display())
    };
    let mut words: Vec<String> = grants.read.iter().map(folder("reads")).collect();
    words.extend(grants.write.iter().map(folder("reads and writes")));
    if !grants.env.is_empty() {
        let names: Vec<&str> = grants.env.keys().map(String::as_str).collect();
        words.push(format!("finds {} in its environment", names.join(", ")));
    }
    let most = format!(
        "at most {} assets with {} together",
        grants.max_assets,
        ByteSize(grants.max_bytes)
    );
    match (grants.upload, grants.direct_upload) {
        (true, true) => words.push(format!("uploads files of any size, {most}")),
        (true, false) => words.push(format!("uploads files of up to 32 MB, {most}")),
        (false, true) => words.push(format!("uploads by direct uploads alone, {most}")),
        (false, false) => {}
    }
    if grants.file_inputs {
        words.push("names files for requests to the service".into());
    }
    if words.is_empty() {
        words.push("nothing but the file that it is given".into());
    }
    if let Clock::Frozen(at) = grants.clock {
        words.push(format!(
            "its clock stands at {}",
            humantime::format_rfc3339(at)
        ));
    }
    if let Random::Seeded(seed) = grants.random {
        words.push(format!("its random numbers come from the seed {seed}"));
    }
    words
}

/// Limits as a pipeline file writes them.
fn limits_in_words(limits: &Limits) -> String {
    let Limits {
        memory,
        cpu_time,
        wall_clock,
        output_bytes,
        output_files,
        ..
    } = limits;
    format!(
        "limits: memory {}, cpu_time {}, wall_clock {}, output_bytes {}, output_files {output_files}",
        ByteSize(*memory),
        humantime::format_duration(*cpu_time),
        humantime::format_duration(*wall_clock),
        ByteSize(*output_bytes)
    )
}

/// Breaks a text into lines at spaces.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

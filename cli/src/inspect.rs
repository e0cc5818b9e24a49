//! `forebay plugins` and `forebay inspect`.

use anyhow::Result;
use forebay::{Plugin, World};
use serde_json::{Value, json};

use crate::Outcome;
use crate::args::{InspectArgs, PluginsArgs};
use crate::plugins::Plugins;

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
    let plugin = Plugins::new()?.load(&args.plugin).await?;
    if args.json {
        say!("{}", describe(&plugin));
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
    let fields = descriptor
        .config_schema
        .as_ref()
        .map(fields)
        .unwrap_or_default();
    say!(
        "\nconfig{}",
        if fields.is_empty() { "    none" } else { "" }
    );
    for field in fields {
        say!("  {} = {}", field.name, field.takes);
        for line in wrap(&field.about, 96) {
            say!("      {line}");
        }
    }
    say!("\nimports");
    for (words, names) in in_words(&plugin) {
        say!("  {words}");
        say!("      {}", names.join(", "));
    }
    Ok(Outcome::Done)
}

fn describe(plugin: &Plugin) -> Value {
    let mut value = serde_json::to_value(plugin.descriptor()).unwrap_or_default();
    if let Some(value) = value.as_object_mut() {
        value.insert("world".into(), json!(plugin.world()));
        value.insert("digest".into(), plugin.digest().into());
        value.insert("imports".into(), json!(plugin.imports()));
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

/// What the imports mean, in plain words, each with the interfaces that it stands for.
fn in_words(plugin: &Plugin) -> Vec<(&'static str, Vec<&str>)> {
    let files = match plugin.world() {
        World::File => "reads the one file that it is given and writes into one empty folder",
        _ => "the toolchain's file functions: there is no folder that they could open",
    };
    let meanings = [
        (
            "forebay:plugin/types",
            "the words that it shares with forebay",
        ),
        (
            "forebay:plugin/outputs",
            "gives files back, for forebay to pass on",
        ),
        (
            "forebay:plugin/files",
            "reads the files that it is given, by handle",
        ),
        (
            "forebay:plugin/transforms",
            "runs the stages that it is lent",
        ),
        (
            "forebay:plugin/uploads",
            "uploads files, as far as it is granted; it never sees the key or a presigned URL",
        ),
        (
            "forebay:plugin/file-inputs",
            "names files for requests, as far as it is granted",
        ),
        (
            "wasi:cli/",
            "the toolchain's start-up: no arguments, an empty environment, messages go into the log",
        ),
        ("wasi:clocks/", "reads the time"),
        ("wasi:filesystem/", files),
        ("wasi:io/", "plumbing of the above"),
        ("wasi:random/", "draws random numbers"),
    ];
    meanings
        .into_iter()
        .map(|(prefix, words)| {
            (
                words,
                plugin
                    .imports()
                    .iter()
                    .map(String::as_str)
                    .filter(|name| name.starts_with(prefix))
                    .collect::<Vec<_>>(),
            )
        })
        .filter(|(_, names)| !names.is_empty())
        .collect()
}

struct Field {
    name: String,
    takes: String,
    about: String,
}

/// The fields of a config, read off its JSON Schema.
fn fields(schema: &Value) -> Vec<Field> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            let text = |key: &str| {
                property
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let default = match property.get("default") {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => format!(", {text} unless set"),
                Some(other) => format!(", {other} unless set"),
            };
            Field {
                name: name.clone(),
                takes: takes(schema, property) + &default,
                about: text("description").replace('\n', " "),
            }
        })
        .collect()
}

/// What a field takes: its choices, or its type and range.
fn takes(schema: &Value, property: &Value) -> String {
    if let Some(reference) = property.get("$ref").and_then(Value::as_str)
        && let Some(target) = reference
            .strip_prefix('#')
            .and_then(|pointer| schema.pointer(pointer))
    {
        return takes(schema, target);
    }
    let quoted = |values: Vec<&Value>| {
        values
            .into_iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" | ")
    };
    for key in ["anyOf", "oneOf"] {
        if let Some(options) = property.get(key).and_then(Value::as_array) {
            let constants: Vec<&Value> = options
                .iter()
                .filter_map(|option| option.get("const"))
                .collect();
            if constants.len() == options.len() {
                return quoted(constants);
            }
            let options = options
                .iter()
                .filter(|option| option.get("type").and_then(Value::as_str) != Some("null"));
            return options
                .map(|option| takes(schema, option))
                .collect::<Vec<_>>()
                .join(" or ");
        }
    }
    if let Some(options) = property.get("enum").and_then(Value::as_array) {
        return quoted(options.iter().collect());
    }
    let kind = match property.get("type") {
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(several)) => several
            .iter()
            .filter_map(Value::as_str)
            .filter(|t| *t != "null")
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "value".into(),
    };
    match (property.get("minimum"), property.get("maximum")) {
        (Some(least), Some(most)) => format!("{kind} from {least} to {most}"),
        (Some(least), None) => format!("{kind} from {least}"),
        (None, Some(most)) => format!("{kind} up to {most}"),
        (None, None) => kind,
    }
}

/// Breaks a text into lines at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
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

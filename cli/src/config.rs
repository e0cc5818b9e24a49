//! What a plugin's config takes, for a person, read off its JSON Schema.

use serde_json::Value;

use crate::inspect::wrap;

/// Alternatives that are shown; a plugin that has more is one for tests.
const MOST: usize = 12;

/// Prints what a config takes.
pub(crate) fn tell(schema: Option<&Value>) {
    let Some(schema) = schema else {
        say!("\nconfig    none");
        return;
    };
    let alternatives: Vec<&Value> = ["oneOf", "anyOf"]
        .iter()
        .filter_map(|key| schema.get(key)?.as_array())
        .flatten()
        .collect();
    let fields = fields(schema);
    if fields.is_empty() && alternatives.is_empty() {
        say!("\nconfig    none");
        return;
    }
    say!("\nconfig");
    for field in fields {
        say!("  {} = {}", field.name, field.takes);
        for line in wrap(&field.about, 96) {
            say!("      {line}");
        }
    }
    if !alternatives.is_empty() {
        say!("  one of {}:", alternatives.len());
    }
    for alternative in alternatives.iter().take(MOST) {
        say!("    {}", in_a_line(schema, alternative));
        let about = alternative.get("description").and_then(Value::as_str);
        for line in wrap(about.unwrap_or_default(), 92) {
            say!("      {line}");
        }
    }
    if alternatives.len() > MOST {
        say!("    … and {} more", alternatives.len() - MOST);
    }
}

/// An alternative as a stage on the command line: `behaviour=copies, count=integer`.
fn in_a_line(schema: &Value, alternative: &Value) -> String {
    let fields = alternative.get("properties").and_then(Value::as_object);
    let fields = fields.into_iter().flatten().map(|(name, property)| {
        let fixed = property.get("const").and_then(Value::as_str);
        let takes = fixed.map_or_else(|| takes(schema, property), str::to_owned);
        format!("{name}={takes}")
    });
    fields.collect::<Vec<_>>().join(", ")
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
                Some(Value::String(text)) if text.is_empty() => String::new(),
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

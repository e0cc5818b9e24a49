//! Schemas that no host should choke on.

/// The behaviours that are about the schema.
#[cfg(test)]
pub(crate) const NAMES: [&str; 17] = [
    "schema-no-json",
    "schema-no-object",
    "schema-of-no-type",
    "schema-remote-ref",
    "schema-file-ref",
    "schema-remote-dialect",
    "schema-deep",
    "schema-nested",
    "schema-wide",
    "schema-ref-to-itself",
    "schema-refs-in-circle",
    "schema-refs-doubling",
    "schema-regex-backtracks",
    "schema-regex-explodes",
    "schema-regex-broken",
    "schema-numbers",
    "schema-escapes",
];

/// The schema of one of these names.
pub(crate) fn of(behaviour: &str) -> Option<String> {
    Some(match behaviour {
        "schema-no-json" => "{\"type\": \"obj".into(),
        "schema-no-object" => "17".into(),
        "schema-of-no-type" => r#"{"type": "everything"}"#.into(),
        // Would make the host open a connection, or a file, of the plugin's choice.
        "schema-remote-ref" => r#"{"$ref": "http://127.0.0.1:9/schema.json"}"#.into(),
        "schema-file-ref" => r#"{"$ref": "file:///etc/passwd"}"#.into(),
        "schema-remote-dialect" => r#"{"$schema": "http://127.0.0.1:9/dialect.json"}"#.into(),
        // Deeper than a stack, and larger than a host takes.
        "schema-deep" => nested(10_000),
        // Deeper than a JSON parser goes without a limit, and small.
        "schema-nested" => nested(2_000),
        "schema-wide" => {
            let fields: Vec<_> = (0..1500).map(|at| format!(r#""f{at}":{{"not":{{}}}}"#)).collect();
            format!(r#"{{"properties":{{{}}}}}"#, fields.join(","))
        }
        "schema-ref-to-itself" => r##"{"$ref": "#"}"##.into(),
        "schema-refs-in-circle" => {
            r##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}"##.into()
        }
        // Each definition stands for two of the next: 2 to the power of 40 when all are followed.
        "schema-refs-doubling" => {
            let each = |at: u32| {
                let next = format!(r##"{{"$ref":"#/$defs/d{}"}}"##, at + 1);
                format!(r#""d{at}":{{"allOf":[{next},{next}]}}"#)
            };
            let all: Vec<_> = (0..40).map(each).collect();
            format!(
                r##"{{"$ref":"#/$defs/d0","$defs":{{{},"d40":{{"type":"object"}}}}}}"##,
                all.join(",")
            )
        }
        // Takes exponential time on `aaa…!` where the engine backtracks; the back reference makes sure that it does.
        "schema-regex-backtracks" => {
            r#"{"properties":{"text":{"type":"string","pattern":"^(?=(a+)+$)(a+)+\\1$"}}}"#.into()
        }
        // A small pattern and a huge automaton.
        "schema-regex-explodes" => {
            r#"{"properties":{"text":{"pattern":"((((a{0,1000}){0,1000}){0,1000}){0,1000})"}}}"#.into()
        }
        "schema-regex-broken" => r#"{"properties":{"text":{"pattern":"(((["}}}"#.into(),
        "schema-numbers" => {
            r#"{"multipleOf":1e-308,"minimum":-1e308,"maxLength":18446744073709551616,"minItems":1e30}"#.into()
        }
        "schema-escapes" => {
            r#"{"properties":{"\u001b[2Jfield":{"description":"\u001b]0;owned\u0007"}},"additionalProperties":false}"#.into()
        }
        _ => return None,
    })
}

fn nested(levels: usize) -> String {
    format!("{}{{}}{}", r#"{"not":"#.repeat(levels), "}".repeat(levels))
}

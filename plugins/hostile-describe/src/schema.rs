//! Schemas that no host should choke on.

/// The behaviours that are about the schema.
#[cfg(test)]
pub(crate) const NAMES: [&str; 29] = [
    "schema-no-json",
    "schema-no-object",
    "schema-of-no-type",
    "schema-remote-ref",
    "schema-file-ref",
    "schema-remote-dialect",
    "schema-deep",
    "schema-nested",
    "schema-levels",
    "schema-wide",
    "schema-choices",
    "schema-twice",
    "schema-default",
    "schema-ref-to-itself",
    "schema-refs-in-circle",
    "schema-refs-doubling",
    "schema-ref-percent",
    "schema-nested-id",
    "schema-any-of",
    "schema-regex-backtracks",
    "schema-regex-explodes",
    "schema-regex-broken",
    "schema-many-patterns",
    "schema-numbers",
    "schema-number-beyond",
    "schema-escapes",
    "schema-escapes-in-text",
    "schema-forges-lines",
    "schema-list",
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
        "schema-remote-dialect" => {
            r#"{"$schema": "http://127.0.0.1:9/dialect.json", "type": "object"}"#.into()
        }
        // Deeper than a stack, and larger than a host takes.
        "schema-deep" => nested(10_000),
        // Deeper than a JSON parser goes without a limit, and small.
        "schema-nested" => nested(2_000),
        // Not too deep for the parser.
        "schema-levels" => format!(
            r#"{}{{"type":"boolean"}}{}"#,
            r#"{"type":"object","properties":{"a":"#.repeat(40),
            "}}".repeat(40)
        ),
        "schema-wide" => {
            let fields: Vec<_> = (0..1500).map(|at| format!(r#""f{at}":{{"type":"boolean"}}"#)).collect();
            object(&fields.join(","))
        }
        "schema-choices" => {
            let choices: Vec<_> = (0..5000).map(|at| format!(r#""c{at}""#)).collect();
            property(&format!(r#"{{"type":"string","enum":[{}]}}"#, choices.join(",")))
        }
        "schema-twice" => object(r#""text":{"type":"string"},"text":{"type":"integer"}"#),
        "schema-default" => property(r#"{"type":"string","maxLength":3,"default":"four"}"#),
        "schema-ref-to-itself" => property(r##"{"$ref": "#"}"##),
        "schema-refs-in-circle" => {
            r##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}"##.into()
        }
        // Each definition stands for two of the next: 2 to the power of 40 when all are followed.
        "schema-refs-doubling" => doubling("", "d"),
        // The same, hidden from who reads references as they are written: `%64` is `d`.
        "schema-ref-percent" => doubling("", "%64"),
        // The same, in a schema within the schema that has an address and definitions of its own.
        "schema-nested-id" => property(&doubling(r#""$id":"urn:inner","#, "d")),
        // Whoever collects the errors of every alternative has 1,500 of them for each value.
        "schema-any-of" => {
            let ways: Vec<_> = (0..1500).map(|at| format!(r#"{{"const":"{at}"}}"#)).collect();
            property(&format!(r#"{{"type":"string","anyOf":[{}]}}"#, ways.join(",")))
        }
        // Takes exponential time on `aaa…!` where the engine backtracks; the back reference makes sure that it does.
        "schema-regex-backtracks" => property(r#"{"type":"string","pattern":"^(?=(a+)+$)(a+)+\\1$"}"#),
        // A small pattern and a huge automaton.
        "schema-regex-explodes" => {
            property(r#"{"type":"string","pattern":"((((a{0,1000}){0,1000}){0,1000}){0,1000})"}"#)
        }
        "schema-regex-broken" => property(r#"{"type":"string","pattern":"((([" }"#),
        // Each of them is an automaton of 10 MB.
        "schema-many-patterns" => {
            let fields: Vec<_> = (0..900)
                .map(|at| format!(r#""f{at}":{{"type":"string","pattern":"\\p{{L}}{{199}}"}}"#))
                .collect();
            object(&fields.join(","))
        }
        "schema-numbers" => property(
            r#"{"type":"array","items":{"type":"number","minimum":-1e308},"maxItems":18446744073709551616,"minItems":1e30}"#,
        ),
        "schema-number-beyond" => property(r#"{"type":"number","maximum":1e999}"#),
        "schema-escapes" => {
            r#"{"type":"object","properties":{"\u001b[2Jfield":{"type":"string","description":"\u001b]0;owned\u0007"}},"additionalProperties":false}"#.into()
        }
        "schema-escapes-in-text" => property(r#"{"type":"string","description":"\u001b]0;owned\u0007"}"#),
        // Its name goes on in lines that look like the host's own.
        "schema-forges-lines" => {
            object(r#""quality = integer\n\nwhat it asks for\n  nothing":{"type":"string"}"#)
        }
        // Nothing is wrong with it.
        "schema-list" => object(r#""list":{"type":"array","items":{"type":"boolean"}}"#),
        _ => return None,
    })
}

fn object(properties: &str) -> String {
    format!(r#"{{"type":"object","properties":{{{properties}}}}}"#)
}

fn property(schema: &str) -> String {
    object(&format!(r#""text":{schema}"#))
}

/// Definitions `d0` to `d40`; the beginning of each name is written this way where it is referred to.
fn doubling(before: &str, d: &str) -> String {
    let each = |at: u32| {
        let next = format!(r##"{{"$ref":"#/$defs/{d}{}"}}"##, at + 1);
        format!(r#""d{at}":{{"allOf":[{next},{next}]}}"#)
    };
    let all: Vec<_> = (0..40).map(each).collect();
    format!(
        r##"{{{before}"$ref":"#/$defs/{d}0","$defs":{{{},"d40":{{"type":"object"}}}}}}"##,
        all.join(",")
    )
}

fn nested(levels: usize) -> String {
    format!("{}{{}}{}", r#"{"not":"#.repeat(levels), "}".repeat(levels))
}

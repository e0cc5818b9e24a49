//! What is in the language, what is not, and the messages about what is not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use forebay_config_schema::{ConfigSchema, MOST_CONFIG, MOST_TEXT};
use serde_json::{Value, json};

/// A schema with one property.
fn with(property: Value) -> Value {
    json!({ "type": "object", "properties": { "a": property }, "additionalProperties": false })
}

fn refused(schema: &Value) -> String {
    refused_text(&schema.to_string())
}

fn refused_text(schema: &str) -> String {
    match ConfigSchema::parse(schema) {
        Ok(_) => panic!("{schema} was taken"),
        Err(error) => error.to_string(),
    }
}

/// Checks a value against a schema with one property.
fn check(property: &str, value: &str) -> Result<(), String> {
    let schema = format!(r#"{{"type":"object","properties":{{"a":{property}}}}}"#);
    let config = serde_json::from_str(&format!(r#"{{"a":{value}}}"#)).unwrap();
    let schema = ConfigSchema::parse(&schema).unwrap();
    schema.check(&config).map_err(|error| error.to_string())
}

#[test]
fn other_keywords_are_refused_with_their_place() {
    for keyword in [
        "$anchor",
        "$comment",
        "$defs",
        "$dynamicRef",
        "$id",
        "$recursiveRef",
        "$ref",
        "$vocabulary",
        "allOf",
        "anyOf",
        "contains",
        "contentEncoding",
        "definitions",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
        "deprecated",
        "else",
        "examples",
        "if",
        "maxContains",
        "maxProperties",
        "minContains",
        "minProperties",
        "multipleOf",
        "not",
        "nullable",
        "oneOf",
        "pattern",
        "patternProperties",
        "prefixItems",
        "propertyNames",
        "readOnly",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
        "uniqueItems",
        "writeOnly",
        "x-mine",
    ] {
        let mut schema =
            with(json!({ "type": "array", "items": { "type": "string", keyword: {} } }));
        let problem = format!(
            "the keyword `{keyword}` is not part of the language of config schemas; see `config-schema` in wit/types.wit"
        );
        assert_eq!(refused(&schema), format!("a/[]: {problem}"));
        schema = json!({ keyword: true });
        assert_eq!(refused(&schema), problem);
    }
    // `$schema` is allowed at the top only.
    let dialect = json!({ "$schema": "http://127.0.0.1:9/", "type": "object" });
    ConfigSchema::parse(&dialect.to_string()).unwrap();
    assert!(refused(&with(dialect)).starts_with("a: the keyword `$schema`"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (property, problem) in [
        (json!({}), "the keyword `type` is missing"),
        (json!(true), "true is not a schema with a `type`"),
        (json!({ "type": "null" }), "the type `null` is none of"),
        (json!({ "type": 1 }), "`type` is not a string"),
        (json!({ "type": [] }), "`type` takes one type, or"),
        (json!({ "type": ["string"] }), "`type` takes one type, or"),
        (
            json!({ "type": ["string", "integer"] }),
            "`type` takes one type, or",
        ),
        (
            json!({ "type": ["null", "null"] }),
            "the type `null` is none of",
        ),
        (
            json!({ "type": ["string", "integer", "null"] }),
            "`type` takes one type, or",
        ),
        (
            json!({ "type": "string", "minimum": 1 }),
            "the keyword `minimum` is not for type `string`",
        ),
        (
            json!({ "type": "string", "format": "uri" }),
            "the keyword `format` is not for type `string`",
        ),
        (
            json!({ "type": "integer", "enum": [1] }),
            "the keyword `enum` is not for type `integer`",
        ),
        (
            json!({ "type": "boolean", "properties": {} }),
            "the keyword `properties` is not for type `boolean`",
        ),
        (
            json!({ "type": "string", "enum": "a" }),
            "`enum` is not a list",
        ),
        (json!({ "type": "string", "enum": [] }), "has no choice"),
        (
            json!({ "type": "string", "enum": ["a", 1] }),
            "the choice 1 is not a string",
        ),
        (
            json!({ "type": "string", "enum": ["a", null] }),
            "the choice null is not a string",
        ),
        (
            json!({ "type": "string", "enum": ["a\nb"] }),
            "a choice holds control characters",
        ),
        (
            json!({ "type": "string", "const": 1 }),
            "the choice 1 is not a string",
        ),
        (
            json!({ "type": "string", "const": "a", "enum": ["a"] }),
            "`enum` and `const` stand together",
        ),
        (
            json!({ "type": "string", "minLength": -1 }),
            "`minLength` is not an integer from 0 on",
        ),
        (
            json!({ "type": "string", "maxLength": 0.5 }),
            "`maxLength` is not an integer from 0 on",
        ),
        (
            json!({ "type": "string", "maxLength": 1e30 }),
            "`maxLength` is not an integer from 0 on",
        ),
        (
            json!({ "type": "string", "minLength": 2, "maxLength": 1 }),
            "`minLength` is more than `maxLength`",
        ),
        (
            json!({ "type": "integer", "minimum": "1" }),
            "`minimum` is not a number",
        ),
        (
            json!({ "type": "integer", "exclusiveMinimum": true }),
            "`exclusiveMinimum` is not a number",
        ),
        (
            json!({ "type": "integer", "minimum": 2, "maximum": 1 }),
            "no number is between 2 and 1",
        ),
        (
            json!({ "type": "number", "minimum": 1, "exclusiveMaximum": 1.0 }),
            "no number is between 1 and 1.0",
        ),
        (json!({ "type": "array" }), "an array needs `items`"),
        (
            json!({ "type": "array", "items": false }),
            "[]: false is not a schema",
        ),
        (
            json!({ "type": "object", "properties": [] }),
            "`properties` is not an object",
        ),
        (
            json!({ "type": "object", "properties": { "": { "type": "string" } } }),
            "the property `` is not named by",
        ),
        (
            json!({ "type": "object", "properties": { "é": { "type": "string" } } }),
            "the property `é` is not named by",
        ),
        (
            json!({ "type": "object", "properties": { "a\n": { "type": "string" } } }),
            "the property `a\\n` is not named by",
        ),
        (
            json!({ "type": "object", "required": ["b"] }),
            "`required` names `b`, which",
        ),
        (
            json!({ "type": "object", "required": "b" }),
            "`required` is not a list of strings",
        ),
        (
            json!({ "type": "object", "additionalProperties": {} }),
            "`additionalProperties` takes only",
        ),
        (
            json!({ "type": "string", "title": 1 }),
            "`title` is not a string",
        ),
        (
            json!({ "type": "string", "default": 1 }),
            "`default` does not fit its own schema: 1 is not a string",
        ),
        (
            json!({ "type": "integer", "default": null }),
            "`default` does not fit its own schema: null is not an integer",
        ),
    ] {
        let told = refused(&with(property.clone()));
        let told = told.strip_prefix("a").unwrap_or(&told);
        let told = told
            .strip_prefix(": ")
            .or_else(|| told.strip_prefix('/'))
            .unwrap_or(told);
        assert!(told.starts_with(problem), "{property}: {told}");
    }
    let twice = json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a", "a"] });
    assert!(refused(&twice).starts_with("`required` names `a`, which"));
    for root in [
        json!({ "type": "string" }),
        json!({ "type": ["object", "null"] }),
    ] {
        assert!(refused(&root).starts_with("the config must be an object"));
    }
}

#[test]
fn a_text_that_reads_two_ways_is_refused() {
    let twice =
        refused_text(r#"{"type":"object","properties":{"a":{"type":"string","type":"integer"}}}"#);
    assert!(
        twice.starts_with("the key `type` stands twice at line 1"),
        "{twice}"
    );
    // The same key, written differently.
    let escaped = refused_text(r#"{"type":"object","t\u0079pe":"object"}"#);
    assert!(
        escaped.starts_with("the key `type` stands twice"),
        "{escaped}"
    );
    let default = refused_text(r#"{"type":"object","default":{"a":{"b":1,"b":2}}}"#);
    assert!(default.starts_with("the key `b` stands twice"), "{default}");
    for text in [
        "",
        "{",
        "NaN",
        "{} {}",
        r#"{"type":"object"} x"#,
        "1e999",
        "\u{feff}{}",
    ] {
        refused_text(text);
    }
}

#[test]
fn sizes_are_bounded() {
    let padded = |bytes: usize| {
        let schema = json!({ "type": "object", "description": "" }).to_string();
        let fill = " ".repeat(bytes - schema.len());
        schema.replace(r#""description":"""#, &format!(r#""description":"{fill}""#))
    };
    ConfigSchema::parse(&padded(MOST_TEXT)).unwrap();
    assert_eq!(
        refused_text(&padded(MOST_TEXT + 1)),
        "has 65537 bytes, at most 65536 are taken"
    );
    let deep = |levels: usize| {
        format!(
            r#"{}{{"type":"boolean"}}{}"#,
            r#"{"type":"object","properties":{"a":"#.repeat(levels),
            "}}".repeat(levels)
        )
    };
    ConfigSchema::parse(&deep(4)).unwrap();
    assert_eq!(
        refused_text(&deep(5)),
        "a/a/a/a/a: nests deeper than 4 levels"
    );
    let parser = "[".repeat(50_000);
    assert!(refused_text(&parser).starts_with("recursion limit exceeded"));

    let properties = |count: usize| {
        let half = |count: usize| {
            let all: serde_json::Map<_, _> = (0..count)
                .map(|at| (format!("f{at}"), json!({ "type": "boolean" })))
                .collect();
            json!({ "type": "object", "properties": all })
        };
        let mut schema = half(count / 2 - 1);
        schema["properties"]["nested"] = half(count - count / 2);
        schema
    };
    ConfigSchema::parse(&properties(256).to_string()).unwrap();
    assert_eq!(
        refused(&properties(257)),
        "nested: has more than 256 properties in all"
    );
    let choices = |count: usize| {
        let all: Vec<_> = (0..count).map(|at| format!("c{at}")).collect();
        json!({ "type": "object", "properties": {
            "a": { "type": "string", "enum": all }, "b": { "type": "string", "const": "c" },
        } })
    };
    ConfigSchema::parse(&choices(1023).to_string()).unwrap();
    assert_eq!(
        refused(&choices(1024)),
        "b: has more than 1024 choices in all"
    );

    // `{"x":"…"}` of exactly the bytes that are allowed, and one byte more. The schema requires nothing else.
    let open = ConfigSchema::parse(r#"{"type":"object"}"#).unwrap();
    open.check(&json!({ "x": "x".repeat(MOST_CONFIG - 8) }))
        .unwrap();
    let error = open.check(&json!({ "x": "x".repeat(MOST_CONFIG - 7) }));
    assert_eq!(
        error.unwrap_err().to_string(),
        "has more than 1048576 bytes"
    );
}

#[test]
fn numbers_are_compared_by_value() {
    let takes = |property: &str, value: &str| check(property, value).is_ok();
    let integer = r#"{"type":"integer"}"#;
    for value in [
        "1",
        "1.0",
        "-0.0",
        "1e3",
        "1e300",
        "18446744073709551615",
        "-9223372036854775808",
        "1e20",
    ] {
        assert!(takes(integer, value), "{value}");
    }
    for value in ["1.5", "1e-300", "\"1\"", "true", "null", "[1]"] {
        assert!(!takes(integer, value), "{value}");
    }
    // As `f64` all of these are 2 to the power of 53.
    let most = r#"{"type":"integer","maximum":9007199254740992}"#;
    assert!(takes(most, "9007199254740992") && takes(most, "9007199254740992.0"));
    assert!(!takes(most, "9007199254740993"));
    let least = r#"{"type":"integer","minimum":9007199254740993}"#;
    assert!(!takes(least, "9007199254740992") && takes(least, "9007199254740993"));
    let signed =
        r#"{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807}"#;
    assert!(takes(signed, "9223372036854775807") && takes(signed, "-9223372036854775808"));
    assert!(!takes(signed, "9223372036854775808") && !takes(signed, "-1e19"));
    let unsigned = r#"{"type":"number","minimum":0,"maximum":18446744073709551615}"#;
    assert!(takes(unsigned, "18446744073709551615") && takes(unsigned, "0.5"));
    assert!(!takes(unsigned, "18446744073709551616") && !takes(unsigned, "-5e-324"));
    let open = r#"{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1}"#;
    assert_eq!(
        check(open, "0").unwrap_err(),
        "field `a`: 0 is not more than 0"
    );
    assert_eq!(
        check(open, "1.0").unwrap_err(),
        "field `a`: 1.0 is not less than 1"
    );
    assert!(takes(open, "5e-324") && takes(open, "0.9999999999999999"));
}

#[test]
fn null_is_taken_where_the_schema_says_so() {
    let takes = |property: &str| check(property, "null").is_ok();
    assert!(takes(r#"{"type":["integer","null"],"minimum":1}"#));
    assert!(takes(r#"{"type":["null","object"],"required":[]}"#));
    assert!(takes(r#"{"type":["string","null"],"enum":["a",null]}"#));
    assert!(!takes(r#"{"type":["string","null"],"enum":["a"]}"#));
    assert!(!takes(r#"{"type":["string","null"],"const":"a"}"#));
    assert!(!takes(r#"{"type":"integer"}"#));
}

#[test]
fn lengths_are_counted_in_characters() {
    let text = r#"{"type":"string","minLength":2,"maxLength":3}"#;
    check(text, r#""äöü""#).unwrap();
    check(text, r#""👩👩""#).unwrap();
    assert_eq!(
        check(text, r#""ä""#).unwrap_err(),
        "field `a`: has 1 characters, at least 2 are needed"
    );
    assert_eq!(
        check(text, r#""abcd""#).unwrap_err(),
        "field `a`: has 4 characters, at most 3 are taken"
    );
    let list = r#"{"type":"array","items":{"type":"boolean"},"minItems":1,"maxItems":2}"#;
    assert_eq!(
        check(list, "[]").unwrap_err(),
        "field `a`: has 0 entries, at least 1 are needed"
    );
    // The length is checked before the entries.
    assert_eq!(
        check(list, "[1,2,3]").unwrap_err(),
        "field `a`: has 3 entries, at most 2 are taken"
    );
}

#[test]
fn errors_name_the_field_and_what_it_takes() {
    let schema = json!({
        "type": "object",
        "properties": {
            "fit": { "type": "string", "enum": ["inside", "cover"] },
            "on": { "type": "boolean" },
            "options": {
                "type": "object",
                "properties": {
                    "sizes": { "type": "array", "items": { "type": "integer", "minimum": 1, "maximum": 9 } },
                    "name": { "type": "string" },
                },
                "required": ["name"],
                "additionalProperties": false,
            },
        },
        "required": ["on"],
        "additionalProperties": false,
    });
    let schema = ConfigSchema::parse(&schema.to_string()).unwrap();
    for (config, error) in [
        (json!([]), "is not an object"),
        (json!(null), "is not an object"),
        (json!({}), "the field `on` is missing"),
        (
            json!({ "no": true }),
            "there is no field `no`; it takes fit, on, options",
        ),
        (json!({ "on": 1 }), "field `on`: 1 is not true or false"),
        (
            json!({ "on": true, "fit": "round" }),
            "field `fit`: \"round\" is none of inside, cover",
        ),
        (
            json!({ "on": true, "fit": 3 }),
            "field `fit`: 3 is none of inside, cover",
        ),
        (
            json!({ "on": true, "options": [] }),
            "field `options`: a list is not an object",
        ),
        (
            json!({ "on": true, "options": {} }),
            "field `options`: the field `name` is missing",
        ),
        (
            json!({ "on": true, "options": { "names": 1 } }),
            "field `options`: there is no field `names`; it takes name, sizes",
        ),
        (
            json!({ "on": true, "options": { "name": "a", "sizes": [1, 9, 10] } }),
            "field `options.sizes.2`: 10 is more than the maximum of 9",
        ),
        (
            json!({ "on": true, "options": { "name": "a", "sizes": [0] } }),
            "field `options.sizes.0`: 0 is less than the minimum of 1",
        ),
        (
            json!({ "on": true, "options": { "name": "a", "sizes": ["1"] } }),
            "field `options.sizes.0`: \"1\" is not an integer",
        ),
        (
            json!({ "a\u{1b}[2J\u{202e}": 1 }),
            "there is no field `a\\u{1b}[2J\\u{202e}`; it takes fit, on, options",
        ),
    ] {
        assert_eq!(schema.check(&config).unwrap_err().to_string(), error);
    }
    let long = schema
        .check(&json!({ "x".repeat(1000): 1 }))
        .unwrap_err()
        .to_string();
    assert!(long.len() < 200, "{long}");
    let none = ConfigSchema::parse(r#"{"type":"object","additionalProperties":false}"#).unwrap();
    assert_eq!(
        none.check(&json!({ "a": 1 })).unwrap_err().to_string(),
        "there is no field `a`; this plugin takes none"
    );
    let many: serde_json::Map<_, _> = (0..100)
        .map(|at| (format!("f{at:02}"), json!({ "type": "boolean" })))
        .collect();
    let many = json!({ "type": "object", "properties": many, "additionalProperties": false });
    let error = ConfigSchema::parse(&many.to_string())
        .unwrap()
        .check(&json!({ "a": 1 }));
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("f30, f31 and 68 more"), "{error}");
}

#[test]
fn a_schema_comes_out_as_it_went_in() {
    let json = with(
        json!({ "type": "integer", "format": "uint8", "default": 3, "title": "A", "description": "b\nc" }),
    );
    let schema = ConfigSchema::parse(&json.to_string()).unwrap();
    assert_eq!(schema.as_json(), &json);
    assert_eq!(serde_json::to_value(&schema).unwrap(), json);
    assert_eq!(schema, schema.clone());
}

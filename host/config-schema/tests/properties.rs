//! For any schema of the language: a value that fits is accepted, and one that does not fit is refused at its place.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use forebay_config_schema::ConfigSchema;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A schema that this test makes.
#[derive(Debug, Clone)]
enum Spec {
    Boolean,
    Integer {
        least: i64,
        more: u32,
    },
    Number {
        least: f64,
        more: f64,
        exclusive: bool,
    },
    Text {
        least: usize,
        more: usize,
    },
    Choice(Vec<String>),
    List {
        items: Box<Spec>,
        least: usize,
        more: usize,
    },
    /// Fields, and whether each is required.
    Object {
        fields: Vec<(String, Spec, bool)>,
        closed: bool,
    },
    Nullable(Box<Spec>),
}

fn leaf() -> impl Strategy<Value = Spec> {
    let least = prop_oneof![
        -100_i64..100,
        Just(i64::MIN),
        Just(i64::from(i32::MAX)),
        Just((1 << 53) - 1),
        Just(i64::MAX - 2),
    ];
    prop_oneof![
        Just(Spec::Boolean),
        (least, 0_u32..5).prop_map(|(least, more)| Spec::Integer { least, more }),
        (-1e3..1e3, 1e-3..1e3, any::<bool>()).prop_map(|(least, more, exclusive)| Spec::Number {
            least,
            more,
            exclusive
        }),
        (0_usize..4, 0_usize..4).prop_map(|(least, more)| Spec::Text { least, more }),
        btree_set("[a-zé ]{0,4}", 1..5).prop_map(|all| Spec::Choice(all.into_iter().collect())),
    ]
}

/// A schema of at most `levels` levels.
fn spec(levels: u32) -> BoxedStrategy<Spec> {
    let leaf = prop_oneof![
        3 => leaf(),
        1 => leaf().prop_map(|spec| Spec::Nullable(Box::new(spec))),
    ];
    if levels == 0 {
        return leaf.boxed();
    }
    let list = (spec(levels - 1), 0_usize..3, 0_usize..3);
    let list = list.prop_map(|(items, least, more)| Spec::List {
        items: Box::new(items),
        least,
        more,
    });
    prop_oneof![3 => leaf, 1 => list, 2 => object(levels - 1)].boxed()
}

fn object(levels: u32) -> BoxedStrategy<Spec> {
    let fields = btree_map("[A-Za-z0-9_-]{1,8}", (spec(levels), any::<bool>()), 0..5);
    (fields, any::<bool>())
        .prop_map(|(fields, closed)| Spec::Object {
            fields: fields
                .into_iter()
                .map(|(name, (spec, required))| (name, spec, required))
                .collect(),
            closed,
        })
        .boxed()
}

impl Spec {
    fn schema(&self) -> Value {
        match self {
            Self::Boolean => json!({ "type": "boolean" }),
            Self::Integer { least, more } => {
                let most = i128::from(*least) + i128::from(*more);
                let most: Value = match u64::try_from(most) {
                    Ok(most) => most.into(),
                    Err(_) => i64::try_from(most).unwrap().into(),
                };
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            Self::Number {
                least,
                more,
                exclusive: false,
            } => {
                json!({ "type": "number", "minimum": least, "maximum": least + more })
            }
            Self::Number {
                least,
                more,
                exclusive: true,
            } => {
                json!({ "type": "number", "exclusiveMinimum": least, "exclusiveMaximum": least + more })
            }
            Self::Text { least, more } => {
                json!({ "type": "string", "minLength": least, "maxLength": least + more })
            }
            Self::Choice(choices) => json!({ "type": "string", "enum": choices }),
            Self::List { items, least, more } => {
                json!({ "type": "array", "items": items.schema(), "minItems": least, "maxItems": least + more })
            }
            Self::Object { fields, closed } => {
                let properties: Map<String, Value> = fields
                    .iter()
                    .map(|(name, spec, _)| (name.clone(), spec.schema()))
                    .collect();
                let required = fields.iter().filter(|(.., required)| *required);
                let required: Vec<&str> = required.map(|(name, ..)| name.as_str()).collect();
                json!({
                    "type": "object", "properties": properties, "required": required, "additionalProperties": !closed,
                })
            }
            Self::Nullable(spec) => {
                let mut schema = spec.schema();
                schema["type"] = json!([schema["type"], "null"]);
                if let Some(choices) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                    choices.push(Value::Null);
                }
                schema
            }
        }
    }

    /// A value that fits.
    fn fits(&self) -> BoxedStrategy<Value> {
        match self {
            Self::Boolean => any::<bool>().prop_map(Value::from).boxed(),
            Self::Integer { least, more } => {
                let least = i128::from(*least);
                (0..=*more)
                    .prop_map(move |more| {
                        let value = least + i128::from(more);
                        u64::try_from(value).map_or_else(
                            |_| Value::from(i64::try_from(value).unwrap()),
                            Value::from,
                        )
                    })
                    .boxed()
            }
            Self::Number { least, more, .. } => {
                let (least, most) = (*least, least + more);
                let middle = least + more / 2.0;
                (0.1..0.9)
                    .prop_map(move |part| {
                        let value = least + (most - least) * part;
                        // Rounding may produce one of the bounds.
                        Value::from(if value > least && value < most {
                            value
                        } else {
                            middle
                        })
                    })
                    .boxed()
            }
            Self::Text { least, more } => vec(any::<char>(), *least..=least + more)
                .prop_map(|text| Value::from(text.into_iter().collect::<String>()))
                .boxed(),
            Self::Choice(choices) => proptest::sample::select(choices.clone())
                .prop_map(Value::from)
                .boxed(),
            Self::List { items, least, more } => vec(items.fits(), *least..=least + more)
                .prop_map(Value::from)
                .boxed(),
            Self::Object { fields, closed } => {
                let closed = *closed;
                let mut whole = Just(Map::new()).boxed();
                for (name, spec, required) in fields.clone() {
                    let there = if required {
                        Just(true).boxed()
                    } else {
                        any::<bool>().boxed()
                    };
                    whole = (whole, there, spec.fits())
                        .prop_map(move |(mut whole, there, value)| {
                            if there {
                                whole.insert(name.clone(), value);
                            }
                            whole
                        })
                        .boxed();
                }
                (whole, any::<bool>())
                    .prop_map(move |(mut whole, more)| {
                        if more && !closed {
                            whole.insert("not in the schema".into(), json!([1, { "a": null }]));
                        }
                        Value::from(whole)
                    })
                    .boxed()
            }
            Self::Nullable(spec) => prop_oneof![1 => Just(Value::Null), 3 => spec.fits()].boxed(),
        }
    }

    /// The value, made invalid at one place in each way that this test knows. Each comes with the place.
    fn spoiled(&self, value: &Value, place: &str) -> Vec<(String, Value)> {
        let mut all: Vec<(String, Value)> = Vec::new();
        let mut here = |value: Value| all.push((place.to_owned(), value));
        match self {
            Self::Nullable(spec) => {
                let null = |(at, spoiled): &(String, Value)| at != place || !spoiled.is_null();
                let spec = spec.spoiled(value, place);
                return spec.into_iter().filter(null).collect();
            }
            Self::Boolean => here(json!("true")),
            Self::Integer { least, more } => {
                here(json!(0.5));
                here(json!(1e300));
                here(json!(-1e300));
                here(json!("1"));
                if let Some(less) = least.checked_sub(1) {
                    here(less.into());
                }
                // Up to i64::MAX + 2.
                let most = i128::from(*least) + i128::from(*more);
                match u64::try_from(most + 1) {
                    Ok(more) => here(more.into()),
                    Err(_) => here(i64::try_from(most + 1).unwrap().into()),
                }
            }
            Self::Number {
                least,
                more,
                exclusive,
            } => {
                here(json!(least - 1.0));
                here(json!(least + more + 1.0));
                here(json!(u64::MAX));
                here(json!(false));
                if *exclusive {
                    here(json!(least));
                    here(json!(least + more));
                }
            }
            Self::Text { least, more } => {
                here(json!("ö".repeat(least + more + 1)));
                if let Some(less) = least.checked_sub(1) {
                    here(json!("ö".repeat(less)));
                }
                here(json!(1));
            }
            Self::Choice(choices) => {
                here(json!(format!("{}x", choices.concat())));
                here(json!(choices));
            }
            Self::List { items, least, more } => {
                here(json!({}));
                here(json!(vec![Value::Null; least + more + 1]));
                if let Some(less) = least.checked_sub(1) {
                    here(json!(vec![Value::Null; less]));
                }
                let entries = value.as_array().map(Vec::as_slice).unwrap_or_default();
                for (at, entry) in entries.iter().enumerate() {
                    for (place, spoiled) in items.spoiled(entry, &below(place, &at.to_string())) {
                        let mut entries = entries.to_vec();
                        entries[at] = spoiled;
                        all.push((place, entries.into()));
                    }
                }
            }
            Self::Object { fields, closed } => {
                here(json!([]));
                let whole = value.as_object().cloned().unwrap_or_default();
                // If the value itself is null, it has no fields to make invalid.
                if value.is_object() {
                    if *closed {
                        let mut whole = whole.clone();
                        whole.insert("not in the schema".into(), Value::Null);
                        here(whole.into());
                    }
                    for (name, spec, required) in fields {
                        if *required {
                            let mut whole = whole.clone();
                            whole.remove(name);
                            all.push((place.to_owned(), whole.into()));
                        }
                        let Some(field) = whole.get(name) else {
                            continue;
                        };
                        for (place, spoiled) in spec.spoiled(field, &below(place, name)) {
                            let mut whole = whole.clone();
                            whole.insert(name.clone(), spoiled);
                            all.push((place, whole.into()));
                        }
                    }
                }
            }
        }
        all.push((place.to_owned(), Value::Null));
        all
    }
}

fn below(place: &str, name: &str) -> String {
    if place.is_empty() {
        name.to_owned()
    } else {
        format!("{place}.{name}")
    }
}

/// Any JSON. Its texts include the keywords of schemas.
fn anything() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        proptest::sample::select(vec![
            "type",
            "object",
            "string",
            "integer",
            "number",
            "boolean",
            "array",
            "null",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "minItems",
            "maxLength",
            "minimum",
            "exclusiveMaximum",
            "enum",
            "const",
            "default",
            "description",
            "format",
            "$schema",
            "$ref",
            "anyOf",
            "a",
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(word.clone(), inner, 0..6)
                .prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn what_fits_is_taken_and_what_does_not_is_refused(
        (spec, fits) in object(3).prop_flat_map(|spec| {
            let fits = spec.fits();
            (Just(spec), fits)
        })
    ) {
        let schema = spec.schema();
        let schema = ConfigSchema::parse(&schema.to_string()).unwrap();
        prop_assert_eq!(schema.check(&fits), Ok(()), "{}", fits);
        for (place, spoiled) in spec.spoiled(&fits, "") {
            match schema.check(&spoiled) {
                Ok(()) => prop_assert!(false, "{} was taken", spoiled),
                Err(error) => {
                    prop_assert_eq!(&error.field, &place, "{}: {}", error, spoiled);
                    prop_assert!(!error.to_string().contains(char::is_control));
                }
            }
        }
    }

    #[test]
    fn anything_is_taken_or_refused(schema in anything(), object in object(3), config in anything()) {
        if let Err(error) = ConfigSchema::parse(&schema.to_string()) {
            prop_assert!(!error.to_string().contains(char::is_control));
        }
        let _ = ConfigSchema::parse(&object.schema().to_string()).unwrap().check(&config);
    }
}

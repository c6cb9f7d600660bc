//! What the API server would answer to an object: the definition's structural schema with strict fields, then
//! its CEL rules by kube's client-side validator, over an object with the schema's defaults.
//!
//! A keyword that this does not know fails whoever meets it: nothing is checked by half.

use std::collections::BTreeMap;

use kube::core::cel::{Validator, compile_schema};
use serde::Deserialize as _;
use serde_json::Value;

/// The definitions of all kinds.
pub(crate) struct Definitions {
    schemas: BTreeMap<String, Value>,
    validator: Validator,
}

impl Definitions {
    /// Those that the types make.
    pub(crate) fn new() -> Self {
        let schema = |crd| {
            let crd = serde_json::to_value(crd).unwrap();
            let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
            (kind, crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
        };
        let schemas: BTreeMap<String, Value> = operator_api::crds().into_iter().map(schema).collect();
        for (kind, schema) in &schemas {
            let compiled = compile_schema(schema);
            assert!(!compiled.has_errors(), "{kind}: {:?}", compiled.compilation_errors());
        }
        Self { schemas, validator: Validator::new() }
    }

    /// Everything that is wrong with `object`, as `field: sentence`; `old` is what it was before.
    pub(crate) fn check(&self, object: &Value, old: Option<&Value>) -> Vec<String> {
        let kind = object["kind"].as_str().unwrap();
        let schema = &self.schemas[kind];
        let mut found = Vec::new();
        let fields = object.as_object().unwrap();
        for (name, value) in fields {
            match name.as_str() {
                "apiVersion" => assert_eq!(value, "gregor.dev/v1alpha1"),
                "kind" | "metadata" => {}
                _ => match schema["properties"].get(name) {
                    Some(part) => walk(name, part, value, &mut found),
                    None => found.push(format!("{name}: unknown field")),
                },
            }
        }
        // Rules need a value of the right shape, and the API server leaves them out as well.
        if found.is_empty()
            && let Err(errors) = self.validator.validate(schema, object, old)
        {
            found.extend(errors.into_vec().into_iter().map(|error| error.to_string()));
        }
        found
    }
}

/// The YAML documents of a text.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|document| !document.is_null())
        .collect()
}

/// What of `value` the schema does not allow.
fn walk(path: &str, schema: &Value, value: &Value, found: &mut Vec<String>) {
    const KNOWN: [&str; 24] = [
        "additionalProperties",
        "anyOf",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "properties",
        "required",
        "type",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    ];
    let keywords = schema.as_object().unwrap();
    let unknown = keywords.keys().find(|keyword| !KNOWN.contains(&keyword.as_str()));
    assert_eq!(unknown, None, "{path}: this check does not know the keyword");
    if !has_type(schema, value) {
        found.push(format!("{path}: must be of type {}", schema["type"]));
        return;
    }
    if let Some(choices) = schema["enum"].as_array().filter(|choices| !choices.contains(value)) {
        found.push(format!("{path}: must be one of {choices:?}"));
    }
    limits(path, schema, value, found);
    match value {
        Value::Array(items) if schema["items"].is_object() => {
            for (index, item) in items.iter().enumerate() {
                walk(&format!("{path}[{index}]"), &schema["items"], item, found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let known = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
                match known {
                    Some(part) => walk(&format!("{path}.{name}"), part, field, found),
                    None if schema["x-kubernetes-preserve-unknown-fields"] == true => {}
                    None => found.push(format!("{path}.{name}: unknown field")),
                }
            }
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !fields.contains_key(name) {
                    found.push(format!("{path}.{name}: must be given"));
                }
            }
        }
        _ => {}
    }
}

fn has_type(schema: &Value, value: &Value) -> bool {
    if schema["x-kubernetes-int-or-string"] == true {
        return value.is_i64() || value.is_string();
    }
    match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some(other) => panic!("there is no type {other}"),
        None => true,
    }
}

/// Numbers, and how long something is.
fn limits(path: &str, schema: &Value, value: &Value, found: &mut Vec<String>) {
    let size = match value {
        Value::Number(number) => Some(("minimum", "maximum", number.as_f64().unwrap())),
        Value::String(text) => Some(("minLength", "maxLength", count(text.chars().count()))),
        Value::Array(items) => Some(("minItems", "maxItems", count(items.len()))),
        Value::Object(fields) => Some(("minProperties", "maxProperties", count(fields.len()))),
        Value::Null | Value::Bool(_) => None,
    };
    let Some((least, most, size)) = size else { return };
    if schema[least].as_f64().is_some_and(|least| size < least) {
        found.push(format!("{path}: {least} is {}", schema[least]));
    }
    if schema[most].as_f64().is_some_and(|most| size > most) {
        found.push(format!("{path}: {most} is {}", schema[most]));
    }
}

fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

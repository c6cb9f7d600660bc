//! What the definitions promise their readers: every field explained, every length bounded, defaults that
//! are the same in the schema and in the types.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use operator_api::{ClusterSpec, Config, Scalar, Topic};
use serde_json::{Value, json};

/// Every definition's kind with the schema of its spec or status.
fn parts(part: &str) -> Vec<(String, Value)> {
    let of = |crd: CustomResourceDefinition| {
        let crd = serde_json::to_value(crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part];
        (format!("{}.{part}", crd["spec"]["names"]["kind"].as_str().unwrap()), schema.clone())
    };
    operator_api::crds().into_iter().map(of).collect()
}

/// Calls `see` with the path and the schema of every node, Kubernetes' own types left out.
fn walk(path: &str, schema: &Value, see: &mut impl FnMut(&str, &Value)) {
    see(path, schema);
    let foreign = ["affinity", "resources", "tolerations", "imagePullSecrets", "conditions"];
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if !foreign.contains(&name.as_str()) {
            walk(&format!("{path}.{name}"), field, see);
        }
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            walk(&format!("{path}[]"), &schema[key], see);
        }
    }
}

#[test]
fn every_field_is_explained() {
    for (path, schema) in parts("spec").into_iter().chain(parts("status")) {
        walk(&path, &schema, &mut |path, schema| {
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                let text = field["description"].as_str().unwrap_or_default();
                assert!(text.len() > 5, "{path}.{name} has no words for kubectl explain");
            }
        });
    }
}

#[test]
fn what_rules_read_is_bounded() {
    for (path, schema) in parts("spec") {
        walk(&path, &schema, &mut |path, schema| {
            let bounded = match schema["type"].as_str() {
                Some("array") => schema["maxItems"].is_number(),
                Some("object") if schema["properties"].is_null() => schema["maxProperties"].is_number(),
                Some("string") => {
                    schema["maxLength"].is_number() || schema["enum"].is_array() || path.ends_with("[]")
                }
                _ => true,
            };
            assert!(bounded, "{path} has no greatest length, and rules over it cost too much to be accepted");
        });
    }
}

#[test]
fn every_rule_says_what_is_wrong() {
    let mut rules = 0;
    for (path, schema) in parts("spec") {
        walk(&path, &schema, &mut |path, schema| {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                let message = rule["message"].as_str().unwrap_or_default();
                assert!(!message.is_empty() && !message.ends_with('.'), "{path}: {rule}");
                rules += 1;
            }
        });
    }
    assert!(rules > 50, "{rules} rules were seen");
}

#[test]
fn no_field_is_nullable_or_unsigned() {
    for crd in operator_api::crds() {
        let text = serde_json::to_string(&crd).unwrap();
        assert!(!text.contains("\"nullable\":true"), "{}", crd.spec.names.kind);
        assert!(!text.contains("\"format\":\"uint"), "{}", crd.spec.names.kind);
    }
}

/// Puts the schema's defaults into `value`, as the API server does.
fn complete(schema: &Value, value: &mut Value) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if value.get(name).is_none() && field.get("default").is_some() {
            value[name] = field["default"].clone();
        }
        if let Some(inner) = value.get_mut(name).filter(|inner| inner.is_object()) {
            complete(field, inner);
        }
    }
}

#[test]
fn schema_and_types_have_the_same_defaults() {
    let (_, schema) = parts("spec").into_iter().find(|(path, _)| path == "Cluster.spec").unwrap();
    let mut completed = json!({});
    complete(&schema, &mut completed);
    let read: ClusterSpec = serde_json::from_value(completed.clone()).unwrap();
    assert_eq!(read, ClusterSpec::default());
    assert_eq!(serde_json::to_value(&read).unwrap(), completed, "reading and writing changes nothing");
}

#[test]
fn a_fresh_object_waits() {
    for (path, status) in parts("status") {
        assert_eq!(status["default"]["observedGeneration"], -1, "{path}");
        assert_eq!(status["default"]["conditions"][0]["type"], "Ready", "{path}");
        assert_eq!(status["default"]["conditions"][0]["status"], "Unknown", "{path}");
    }
}

#[test]
fn names_do_not_collide() {
    let mut seen = BTreeSet::new();
    for crd in operator_api::crds() {
        let names = crd.spec.names;
        assert_eq!(names.categories.as_deref(), Some(&["gregor".to_owned()][..]));
        seen.insert((names.plural, names.short_names.unwrap().join(",")));
    }
    let expected = [("clusters", "grc"), ("quotas", "grq"), ("topics", "grt")];
    assert_eq!(seen, expected.map(|(plural, short)| (plural.to_owned(), short.to_owned())).into());
}

#[test]
fn configuration_takes_every_scalar() {
    let config: Config =
        serde_json::from_value(json!({"a": 1, "b": true, "c": 0.5, "d": "x", "e": "1"})).unwrap();
    let text: Vec<String> = config.values().map(ToString::to_string).collect();
    assert_eq!(text, ["1", "true", "0.5", "x", "1"]);
    assert_eq!(config["a"], Scalar::Integer(1));
    assert_eq!(config["e"], Scalar::Text("1".into()));
    assert!(config.values().all(Scalar::is_scalar));
    // What a schema lets through must not make an object unreadable.
    let config: Config = serde_json::from_value(json!({"a": null, "b": [], "c": {"d": [1]}})).unwrap();
    assert!(config.values().all(|value| !value.is_scalar()));
}

#[test]
fn examples_are_the_types() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests/examples/topics.yaml");
    let text = std::fs::read_to_string(folder).unwrap();
    let topics: Vec<Topic> = serde_yaml::Deserializer::from_str(&text)
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect();
    assert_eq!(topics.len(), 2);
    assert_eq!(topics[0].spec.partitions, Some(6));
}

//! The custom resource definitions, made from the types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use crate::common::not_reconciled;
use crate::{Cluster, Quota, Topic};

/// The API group of every kind.
pub const GROUP: &str = "gregor.dev";
/// The only version, served and stored.
pub const VERSION: &str = "v1alpha1";

/// The definitions of [`Cluster`], [`Topic`] and [`Quota`], to be installed in this order or any other.
///
/// They differ from kube's `crd()` in what a reader or a tool notices. No field is nullable: the API
/// server then drops a null and applies the default, as it does for a field that is left out. And a
/// resource has a status from its first moment, so that tools that wait for conditions do not take a fresh
/// one for a healthy one.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    [Cluster::crd(), Topic::crd(), Quota::crd()].into_iter().map(finish).collect()
}

fn finish(crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let mut value = serde_json::to_value(crd).expect("a definition is made of strings, lists and maps");
    let versions = value.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
    for schema in versions.into_iter().flatten().filter_map(|v| v.pointer_mut("/schema/openAPIV3Schema")) {
        forbid_null(schema);
        // The name of the Rust type, of no use to a reader of YAML.
        if let Some(root) = schema.as_object_mut() {
            root.remove("title");
        }
        if let Some(status) = schema.pointer_mut("/properties/status").and_then(Value::as_object_mut) {
            status.insert("default".into(), not_reconciled());
        }
    }
    serde_json::from_value(value).expect("a definition keeps its shape")
}

fn forbid_null(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("nullable").is_some_and(Value::is_boolean) {
                fields.remove("nullable");
            }
            fields.values_mut().for_each(forbid_null);
        }
        Value::Array(items) => items.iter_mut().for_each(forbid_null),
        _ => {}
    }
}

//! The files in `crds/` are what the types say, and `manifests/install.yaml` has the same. The first are written
//! anew by `UPDATE=1 cargo test -p operator-api`, the second by `e2e/tools/manifests`.

use std::path::Path;

use serde::Deserialize as _;
use serde_json::Value;

/// kubectl keeps an applied object in an annotation of at most this many bytes; a larger definition
/// cannot be applied the usual way.
const BYTES_MAX: usize = 262_144;

#[test]
fn crds_on_disk_are_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds");
    for crd in operator_api::crds() {
        let path = folder.join(format!("{}.yaml", crd.spec.names.plural));
        let text = format!(
            "# Written by `UPDATE=1 cargo test -p operator-api`; the source is operator/api.\n{}",
            serde_yaml::to_string(&crd).unwrap()
        );
        assert!(text.len() < BYTES_MAX, "{} has {} bytes", path.display(), text.len());
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let on_disk = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(on_disk == text, "{} is stale: UPDATE=1 cargo test -p operator-api", path.display());
    }
}

#[test]
fn the_plain_manifests_have_the_same_definitions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/install.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut found: Vec<Value> = serde_yaml::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|object| object["kind"] == "CustomResourceDefinition")
        .collect();
    for definition in &mut found {
        // The chart's own word to Helm.
        definition["metadata"].as_object_mut().unwrap().remove("annotations");
    }
    let mut wanted: Vec<Value> =
        operator_api::crds().into_iter().map(|crd| serde_json::to_value(crd).unwrap()).collect();
    let by_name = |definition: &Value| definition["metadata"]["name"].as_str().unwrap().to_owned();
    found.sort_by_key(by_name);
    wanted.sort_by_key(by_name);
    found.iter_mut().chain(&mut wanted).for_each(as_helm);
    assert!(
        found == wanted,
        "{} is stale: e2e/tools/manifests HELM > manifests/install.yaml",
        path.display()
    );
}

/// Helm writes 1.0 as 1, and a million as 1e+06.
fn as_helm(value: &mut Value) {
    match value {
        Value::Number(number) => *value = Value::from(number.as_f64()),
        Value::Array(items) => items.iter_mut().for_each(as_helm),
        Value::Object(fields) => fields.values_mut().for_each(as_helm),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

//! What the definitions refuse and take, told by the schema and kube's client-side CEL. The API server's own
//! answers to the same files are looked at by `e2e/run kubernetes`.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod definitions;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use definitions::{Definitions, documents};
use serde_json::{Value, json};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The YAML files of a folder with their texts.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// Each file breaks one rule. Its first line has words of the rule's sentence, or names the field. Where there
/// are two documents, the first is what the second may not become.
#[test]
fn each_file_is_refused_with_its_sentence() {
    let definitions = Definitions::new();
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/refused"));
    for (path, text) in &files {
        let name = path.file_name().unwrap().display();
        let sentence = text.lines().next().unwrap().strip_prefix("# ").unwrap();
        let objects = documents(text);
        let (old, new) = match objects.as_slice() {
            [new] => (None, new),
            [old, new] => {
                assert_eq!(definitions.check(old, None), Vec::<String>::new(), "{name}: what was before");
                (Some(old), new)
            }
            _ => panic!("{name} has {} documents", objects.len()),
        };
        let found = definitions.check(new, old);
        assert_eq!(found.len(), 1, "{name} breaks one rule alone: {found:?}");
        assert!(found[0].contains(sentence), "{name}: {:?} does not say {sentence:?}", found[0]);
    }
    assert!(files.len() >= 53, "{} files", files.len());
}

/// Every sentence of a rule stands in a file that breaks it.
#[test]
fn each_rule_has_a_file_that_breaks_it() {
    let sentences: BTreeSet<String> = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/refused"))
        .iter()
        .map(|(_, text)| text.lines().next().unwrap().trim_start_matches("# ").to_owned())
        .collect();
    for crd in operator_api::crds() {
        let crd = serde_json::to_value(crd).unwrap();
        let mut rules = Vec::new();
        collect(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "", &mut rules);
        for (path, message) in rules {
            let told = sentences.iter().any(|sentence| message.contains(sentence.as_str()));
            // Of the keys that follow from other fields one stands for all: they have one sentence.
            let owned = message.starts_with("cannot be set here");
            assert!(told || owned, "{path}: no file breaks the rule {message:?}");
        }
    }
}

fn collect(schema: &Value, path: &str, rules: &mut Vec<(String, String)>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        rules.push((path.to_owned(), rule["message"].as_str().unwrap_or_default().to_owned()));
    }
    for (name, part) in schema["properties"].as_object().into_iter().flatten() {
        collect(part, &format!("{path}.{name}"), rules);
    }
    for part in ["items", "additionalProperties"] {
        if schema[part].is_object() {
            collect(&schema[part], &format!("{path}[]"), rules);
        }
    }
}

#[test]
fn examples_and_what_the_chart_makes_are_taken() {
    let definitions = Definitions::new();
    let mut objects = Vec::new();
    for (path, text) in files(&repository().join("manifests/examples")) {
        let found = documents(&text);
        assert!(!found.is_empty(), "{} is empty", path.display());
        objects.extend(found.into_iter().map(|object| (path.display().to_string(), object)));
    }
    // The chart puts these values under `spec`, and the reference to the Cluster beside them.
    let path = repository().join("charts/gregor-cluster/values.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let values: Value = serde_yaml::from_str(&text).unwrap();
    let object = |kind: &str, spec: Value| json!({"apiVersion": "gregor.dev/v1alpha1", "kind": kind, "metadata": {"name": "demo"}, "spec": spec});
    objects.push(("values.yaml".to_owned(), object("Cluster", values["cluster"].clone())));
    // The comments of values.yaml show a Topic and a Quota, as a reader would take them over.
    let shown = shown_values(&text);
    assert_eq!(shown.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), ["Topic", "Quota"]);
    for (kind, mut spec) in shown {
        spec["clusterRef"] = json!({"name": "demo"});
        objects.push((format!("a comment of values.yaml: {kind}"), object(kind, spec)));
    }
    for (place, object) in objects {
        assert_eq!(definitions.check(&object, None), Vec::<String>::new(), "{place}");
    }
}

/// `#   name: {...}` below `# Topics` and `# Quotas`.
fn shown_values(text: &str) -> Vec<(&'static str, Value)> {
    let mut kind = "";
    let mut shown = Vec::new();
    for line in text.lines() {
        kind = match line {
            _ if line.starts_with("# Topics") => "Topic",
            _ if line.starts_with("# Quotas") => "Quota",
            _ => kind,
        };
        if let Some(line) = line.strip_prefix("#   ") {
            let spec: Value = serde_yaml::from_str(line).unwrap();
            shown.extend(spec.as_object().unwrap().values().map(|spec| (kind, spec.clone())));
        }
    }
    shown
}

/// The check itself: what is not in a schema, has another type or is too long is told.
#[test]
fn a_wrong_object_is_told() {
    let definitions = Definitions::new();
    let topic = |spec: Value| json!({"apiVersion": "gregor.dev/v1alpha1", "kind": "Topic", "metadata": {"name": "t"}, "spec": spec});
    let reference = json!({"name": "demo"});
    for (spec, told) in [
        (json!({}), "spec.clusterRef: must be given"),
        (json!({"clusterRef": reference, "partition": 1}), "spec.partition: unknown field"),
        (json!({"clusterRef": reference, "partitions": "1"}), "spec.partitions: must be of type"),
        (json!({"clusterRef": reference, "partitions": 10_001}), "spec.partitions: maximum is 10000"),
        (json!({"clusterRef": reference, "deletionPolicy": "Keep"}), "spec.deletionPolicy: must be one of"),
        (json!({"clusterRef": reference, "config": {"a": [1]}}), "spec.config.a: maxItems is 0"),
        (json!({"clusterRef": reference, "topicName": "a b"}), "spec.topicName: may hold letters"),
    ] {
        let found = definitions.check(&topic(spec.clone()), None);
        assert!(found.len() == 1 && found[0].starts_with(told), "{spec}: {found:?}");
    }
    assert_eq!(definitions.check(&topic(json!({"clusterRef": reference})), None), Vec::<String>::new());
}

//! From paths to manifests: which files, how they are read, and what each document is.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use kube::core::cel::Validator;
use operator_api::{GROUP, VERSION};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::limits::{FILE_BYTES_MAX, FILES_MAX, PROBLEMS_MAX};
use super::rules::{Rules, locate};
use super::schema::{Finding, Schema};
use super::yaml::{Content, Node, Position, parse};
use super::{Loaded, Manifest, Problem, Resource, whole};

/// Reads `paths`, each a file, or a folder of which the `.yaml` and `.yml` files are taken by name.
///
/// `previous` is what was applied before: rules on changes, such as "partitions cannot go down", compare
/// with the manifest of the same kind, namespace and name in it. Whatever is wrong is in
/// [`Loaded::problems`]; this never fails as a whole.
#[must_use]
pub fn load(paths: &[PathBuf], previous: &[Manifest]) -> Loaded {
    let mut loaded = Loaded::default();
    for path in paths {
        match files(path) {
            Ok(files) => loaded.files.extend(files),
            Err(reason) => loaded.problems.push(about_file(path, reason)),
        }
    }
    if loaded.files.len() > FILES_MAX {
        let reason = format!("{} files are given, and at most {FILES_MAX} are read", loaded.files.len());
        let path = paths.first().map_or_else(PathBuf::new, Clone::clone);
        loaded.problems.push(about_file(&path, reason));
        loaded.files.clear();
    }
    let validator = Validator::new();
    let by_key = previous.iter().map(|manifest| (manifest.key(), manifest)).collect();
    for file in loaded.files.clone() {
        let mut reader = Reader {
            file: &file,
            definitions: &DEFINITIONS,
            validator: &validator,
            previous: &by_key,
            manifests: Vec::new(),
            findings: Vec::new(),
            skipped: Vec::new(),
        };
        if let Err(reason) = reader.read() {
            loaded.problems.push(about_file(&file, reason));
            continue;
        }
        let Reader { manifests, findings, skipped, .. } = reader;
        loaded.skipped.extend(skipped);
        if findings.is_empty() {
            loaded.manifests.extend(manifests);
        } else {
            loaded.problems.extend(problems(&file, findings));
        }
    }
    whole::check(&mut loaded, previous);
    loaded
}

fn about_file(file: &Path, reason: String) -> Problem {
    Problem { file: file.to_owned(), position: None, field: String::new(), reason }
}

fn problems(file: &Path, mut findings: Vec<Finding>) -> Vec<Problem> {
    findings.sort_by(|a, b| (a.position, &a.field).cmp(&(b.position, &b.field)));
    findings.dedup();
    let more = findings.len() >= PROBLEMS_MAX;
    let told = findings.into_iter().take(PROBLEMS_MAX).map(|f| Problem {
        file: file.to_owned(),
        position: Some(f.position),
        field: f.field,
        reason: f.reason,
    });
    let mut problems: Vec<Problem> = told.collect();
    if more {
        problems.push(about_file(file, format!("may have more than these {PROBLEMS_MAX} problems")));
    }
    problems
}

/// The files that a path stands for. Hidden files in a folder are what editors leave there.
pub(in crate::dev) fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let metadata = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(|error| format!("cannot be listed: {error}"))?;
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("cannot be listed: {error}"))?;
        let file = entry.path();
        let yaml = matches!(file.extension().and_then(OsStr::to_str), Some("yaml" | "yml"));
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if yaml && !hidden && !file.is_dir() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err("has no .yaml or .yml file".into());
    }
    files.sort();
    Ok(files)
}

fn text(file: &Path) -> Result<String, String> {
    let open = || {
        // A pipe would be waited on for ever.
        if !fs::metadata(file)?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    };
    let bytes = open().map_err(|error: std::io::Error| format!("cannot be read: {error}"))?;
    let bytes = bytes.ok_or("is not a file")?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("has more than {} MiB", FILE_BYTES_MAX >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())
}

/// A kind with what its definition says.
struct Definition {
    kind: String,
    schema: Schema,
    rules: Rules,
}

/// Made once: parsing all the rules takes longer than checking a file.
static DEFINITIONS: LazyLock<Vec<Definition>> = LazyLock::new(definitions);

fn definitions() -> Vec<Definition> {
    operator_api::crds()
        .into_iter()
        .filter_map(|crd| {
            let kind = crd.spec.names.kind.clone();
            let schema = crd.spec.versions.into_iter().next()?.schema?.open_api_v3_schema?;
            let schema = serde_json::to_value(schema).expect("a schema is made of strings, lists and maps");
            let rules = Rules::of_definition(&schema);
            let schema = Schema::of_definition(&schema).expect("the definitions use known keywords only");
            Some(Definition { kind, schema, rules })
        })
        .collect()
}

/// Kind, namespace and name.
type Key<'a> = (&'a str, &'a str, &'a str);

/// One file being read.
struct Reader<'a> {
    file: &'a Path,
    definitions: &'a [Definition],
    validator: &'a Validator,
    previous: &'a BTreeMap<Key<'a>, &'a Manifest>,
    manifests: Vec<Manifest>,
    findings: Vec<Finding>,
    skipped: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), String> {
        let text = text(self.file)?;
        let (documents, faults) = parse(&text);
        for fault in faults {
            self.find(fault.position, "", fault.reason);
        }
        for document in documents {
            self.document(&document);
        }
        Ok(())
    }

    fn find(&mut self, position: Position, field: &str, reason: impl Into<String>) {
        self.findings.push(Finding::new(position, field, reason));
    }

    fn document(&mut self, node: &Node) {
        if self.findings.len() >= PROBLEMS_MAX {
            return;
        }
        match &node.content {
            Content::Null => return,
            Content::Map(_) => {}
            _ => return self.find(node.position, "", "is not a resource: a map with apiVersion and kind"),
        }
        let (Some(api_version), Some(kind)) = (self.word(node, "apiVersion"), self.word(node, "kind")) else {
            return;
        };
        if (api_version, kind) == ("v1", "List") {
            if let Some(Content::List(items)) = node.entry("items").map(|entry| &entry.node.content) {
                items.iter().for_each(|item| self.document(item));
            }
            return;
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        if group != GROUP {
            self.skipped.push(format!(
                "{}:{}: {kind} of {api_version} is skipped: gregor dev takes the kinds of {GROUP} only",
                self.file.display(),
                node.position,
            ));
            return;
        }
        if version != VERSION {
            let reason = format!("must be {GROUP}/{VERSION}, not {api_version:?}");
            return self.find(locate(node, "apiVersion"), "apiVersion", reason);
        }
        let Some(definition) = self.definitions.iter().find(|definition| definition.kind == kind) else {
            let reason = format!("must be Cluster, Topic or Quota, not {kind:?}");
            return self.find(locate(node, "kind"), "kind", reason);
        };
        self.resource(definition, node);
    }

    /// A string at the root, or the finding that it is missing.
    fn word<'n>(&mut self, node: &'n Node, name: &str) -> Option<&'n str> {
        let Some(entry) = node.entry(name) else {
            self.find(node.position, name, "is required");
            return None;
        };
        let word = entry.node.text();
        if word.is_none() {
            self.find(entry.node.position, name, "must be a string");
        }
        word
    }

    fn resource(&mut self, definition: &Definition, node: &Node) {
        let mut findings = Vec::new();
        definition.schema.check(node, "", node.position, &mut findings);
        check_names(node, &mut findings);
        let mut object = node.to_json();
        definition.schema.complete(&mut object);
        if let Some(fields) = object.as_object_mut() {
            // Written by the operator alone; the API server drops it as well.
            fields.remove("status");
        }
        let name = |field: &str| object.pointer(field).and_then(Value::as_str);
        let namespace = name("/metadata/namespace").unwrap_or("default");
        let key = (definition.kind.as_str(), namespace, name("/metadata/name").unwrap_or_default());
        let previous = self.previous.get(&key).map(|manifest| &manifest.object);
        definition.rules.check(self.validator, &object, previous, node, &mut findings);
        if findings.is_empty() {
            match typed(&definition.kind, &object) {
                Ok(resource) => self.manifests.push(Manifest {
                    file: self.file.to_owned(),
                    position: node.position,
                    resource,
                    object,
                    node: node.clone(),
                }),
                Err(error) => self.find(node.position, "", format!("cannot be read: {error}")),
            }
        }
        self.findings.extend(findings);
    }
}

fn typed(kind: &str, object: &Value) -> Result<Resource, serde_json::Error> {
    fn read<T: DeserializeOwned>(object: &Value) -> Result<Box<T>, serde_json::Error> {
        T::deserialize(object).map(Box::new)
    }
    Ok(match kind {
        "Cluster" => Resource::Cluster(read(object)?),
        "Topic" => Resource::Topic(read(object)?),
        _ => Resource::Quota(read(object)?),
    })
}

/// Names as Kubernetes has them (RFC 1123): of objects with dots, of namespaces without.
fn check_names(node: &Node, findings: &mut Vec<Finding>) {
    let Some(metadata) = node.entry("metadata") else { return };
    let label = |text: &str| {
        text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !text.is_empty()
            && !text.starts_with('-')
            && !text.ends_with('-')
    };
    let mut check = |name: &str, characters_max: usize, right: &dyn Fn(&str) -> bool, rule: &str| {
        if let Some(entry) = metadata.node.entry(name)
            && let Some(text) = entry.node.text()
            && (text.len() > characters_max || !right(text))
        {
            let reason = format!("must be at most {characters_max} {rule}, not {text:?}");
            findings.push(Finding::new(entry.node.position, format!("metadata.{name}"), reason));
        }
    };
    let letters = "lower-case letters, digits and hyphens";
    check("name", 253, &|text| text.split('.').all(label), &format!("{letters}, in parts joined by dots"));
    check("namespace", 63, &label, letters);
}

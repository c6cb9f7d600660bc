//! The structural schema of a definition, checked as the API server checks it with strict fields.
//!
//! A structural schema is a small, closed part of JSON Schema with extensions of Kubernetes (closed
//! objects, integer-or-string, lists keyed by a field), so it is read into a type that refuses a keyword
//! it does not know: a definition that outgrows this check fails its test, and is not checked by half.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::limits::PROBLEMS_MAX;
use super::words::{counted, describe, distance, join, one_of, scalar};
use super::yaml::{Content, Node, Position};

/// One node of a structural schema.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Schema {
    #[serde(rename = "type")]
    kind: Option<Kind>,
    properties: BTreeMap<String, Schema>,
    required: BTreeSet<String>,
    additional_properties: Option<Box<Schema>>,
    items: Option<Box<Schema>>,
    #[serde(rename = "enum")]
    choices: Option<Vec<String>>,
    default: Option<Value>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    min_items: Option<usize>,
    max_items: Option<usize>,
    max_properties: Option<usize>,
    #[serde(rename = "x-kubernetes-int-or-string")]
    int_or_string: bool,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    open: bool,
    #[serde(rename = "x-kubernetes-list-map-keys")]
    list_keys: Vec<String>,
    /// Said of [`Schema::list_keys`] again.
    #[serde(rename = "x-kubernetes-list-type")]
    _list_type: IgnoredAny,
    /// Checked by [`super::rules`].
    #[serde(rename = "x-kubernetes-validations")]
    _rules: IgnoredAny,
    /// Stands beside `int_or_string` and says the same.
    #[serde(rename = "anyOf")]
    _any_of: IgnoredAny,
    /// Only of numbers, whose types hold what their format says, and of the status, which is not read.
    #[serde(rename = "format")]
    _format: IgnoredAny,
    #[serde(rename = "description")]
    _description: IgnoredAny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Object => "a map",
            Self::Array => "a list",
            Self::String => "a string",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
        }
    }
}

/// A finding: where, which field, what is wrong.
#[derive(Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) position: Position,
    pub(super) field: String,
    pub(super) reason: String,
    /// Longer than the schema allows: rules, whose cost grows with length, are not evaluated then.
    pub(super) too_long: bool,
}

impl Finding {
    pub(super) fn new(position: Position, field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { position, field: field.into(), reason: reason.into(), too_long: false }
    }

    fn too_long(position: Position, field: &str, most: usize, what: &str, count: usize) -> Self {
        let reason = format!("can have at most {}, and has {count}", counted(most, what));
        Self { too_long: true, ..Self::new(position, field, reason) }
    }
}

impl Schema {
    /// Reads the schema of a definition and adds what every object has.
    pub(super) fn of_definition(schema: &Value) -> Result<Self, serde_json::Error> {
        let mut root = Self::deserialize(schema)?;
        let envelope = Self::deserialize(serde_json::json!({
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string"},
                        "namespace": {"type": "string"},
                        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
                        "finalizers": {"type": "array", "items": {"type": "string"}},
                        "generateName": {}, "ownerReferences": {}, "managedFields": {}, "uid": {},
                        "resourceVersion": {}, "generation": {}, "creationTimestamp": {}, "selfLink": {},
                        "deletionTimestamp": {}, "deletionGracePeriodSeconds": {},
                    },
                },
                "status": {},
            },
        }))?;
        root.properties.extend(envelope.properties);
        root.required.insert("metadata".into());
        Ok(root)
    }

    /// Everything in `node` that the schema does not allow, up to a bound. `owner` is the place of the
    /// node's key, where a missing field is reported.
    pub(super) fn check(&self, node: &Node, field: &str, owner: Position, findings: &mut Vec<Finding>) {
        if findings.len() >= PROBLEMS_MAX {
            return;
        }
        if !self.takes_kind(&node.content) {
            findings.push(Finding::new(node.position, field, self.wrong_kind(&node.content)));
            return;
        }
        self.check_length(node, field, findings);
        let mut find = |reason: String| findings.push(Finding::new(node.position, field, reason));
        match &node.content {
            Content::Text(text) => {
                if let Some(choices) = &self.choices
                    && !choices.contains(text)
                {
                    find(format!("must be {}, not {text:?}", one_of(choices)));
                }
            }
            Content::Integer(number) => {
                #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
                self.check_number(*number as f64, &node.content, &mut find);
            }
            Content::Number(number) => self.check_number(*number, &node.content, &mut find),
            Content::Boolean(_) | Content::Null => {}
            Content::List(items) => self.check_list(items, field, findings),
            Content::Map(_) => self.check_map(node, field, owner, findings),
        }
    }

    fn check_length(&self, node: &Node, field: &str, findings: &mut Vec<Finding>) {
        let (count, least, most, what) = match &node.content {
            Content::Text(text) => (text.chars().count(), self.min_length, self.max_length, "character"),
            Content::List(items) => (items.len(), self.min_items, self.max_items, "item"),
            Content::Map(entries) => (entries.len(), None, self.max_properties, "key"),
            _ => return,
        };
        if let Some(least) = least.filter(|least| count < *least) {
            let reason = if count == 0 && least == 1 {
                "cannot be empty".to_owned()
            } else {
                format!("must have at least {}, and has {count}", counted(least, what))
            };
            findings.push(Finding::new(node.position, field, reason));
        }
        if let Some(most) = most.filter(|most| count > *most) {
            findings.push(Finding::too_long(node.position, field, most, what, count));
        }
    }

    /// Whether nothing is said of the value.
    fn takes_all(&self) -> bool {
        self.kind.is_none() && !self.int_or_string && !self.open
    }

    fn takes_kind(&self, content: &Content) -> bool {
        if self.takes_all() {
            return true;
        }
        match content {
            Content::Null => false,
            Content::Text(_) => self.int_or_string || self.is_scalar() || self.kind == Some(Kind::String),
            Content::Integer(_) => {
                self.int_or_string
                    || self.is_scalar()
                    || matches!(self.kind, Some(Kind::Integer | Kind::Number))
            }
            Content::Number(_) => self.is_scalar() || self.kind == Some(Kind::Number),
            Content::Boolean(_) => self.is_scalar() || self.kind == Some(Kind::Boolean),
            Content::List(_) => self.kind == Some(Kind::Array),
            Content::Map(_) => self.kind == Some(Kind::Object),
        }
    }

    /// A value of a configuration map. The definitions leave nothing else open but the maps themselves.
    fn is_scalar(&self) -> bool {
        self.open && self.kind.is_none()
    }

    fn wrong_kind(&self, content: &Content) -> String {
        let wanted = if self.is_scalar() {
            "a string, a number or a boolean"
        } else if self.int_or_string {
            "a whole number or a string"
        } else {
            self.kind.map_or("a value", Kind::name)
        };
        let hint = match content {
            Content::Integer(_) | Content::Number(_) | Content::Boolean(_)
                if self.int_or_string || self.kind == Some(Kind::String) =>
            {
                ": put it in quotes"
            }
            _ => "",
        };
        format!("must be {wanted}, not {}{hint}", describe(content))
    }

    fn check_number(&self, number: f64, content: &Content, find: &mut impl FnMut(String)) {
        if let Some(least) = self.minimum.filter(|least| number < *least) {
            find(format!("must be at least {least}, not {}", describe(content)));
        }
        if let Some(most) = self.maximum.filter(|most| number > *most) {
            find(format!("must be at most {most}, not {}", describe(content)));
        }
    }

    fn check_list(&self, items: &[Node], field: &str, findings: &mut Vec<Finding>) {
        let Some(schema) = &self.items else { return };
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{field}[{index}]");
            schema.check(item, &path, item.position, findings);
            let key = |name: &String| Some(format!("{name} {}", scalar(&item.entry(name)?.node.content)?));
            let Some(keys) = self.list_keys.iter().map(key).collect::<Option<Vec<_>>>() else { continue };
            if keys.is_empty() {
                continue;
            }
            let keys = keys.join(", ");
            if let Some(first) = seen.get(&keys) {
                let reason = format!("has {keys}, which {field}[{first}] has already");
                findings.push(Finding::new(item.position, path, reason));
            } else {
                seen.insert(keys, index);
            }
        }
    }

    fn check_map(&self, node: &Node, field: &str, owner: Position, findings: &mut Vec<Finding>) {
        let Content::Map(entries) = &node.content else { return };
        let scalar = Schema { open: true, ..Schema::default() };
        for entry in entries {
            let path = join(field, &entry.key);
            let schema = match self.properties.get(&entry.key) {
                Some(schema) => {
                    if entry.node.content == Content::Null {
                        continue; // As if it were left out.
                    }
                    schema
                }
                None => match &self.additional_properties {
                    Some(schema) => schema,
                    None if self.open => &scalar,
                    None if self.takes_all() => continue,
                    None => {
                        let reason = format!("is not a known field{}", self.suggest(&entry.key));
                        findings.push(Finding::new(entry.key_position, path, reason));
                        continue;
                    }
                },
            };
            schema.check(&entry.node, &path, entry.key_position, findings);
        }
        for name in &self.required {
            if node.entry(name).is_none_or(|entry| entry.node.content == Content::Null) {
                findings.push(Finding::new(owner, join(field, name), "is required"));
            }
        }
    }

    /// A field that was perhaps meant: one that differs in case, or by two letters at most.
    fn suggest(&self, unknown: &str) -> String {
        self.properties
            .keys()
            .map(|known| (distance(&unknown.to_lowercase(), &known.to_lowercase()), known))
            .filter(|(distance, known)| *distance <= 2 && *distance < known.len())
            .min()
            .map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"))
    }

    /// Drops nulls and puts defaults in place of what is missing, as the API server does before it looks
    /// at rules.
    pub(super) fn complete(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => self.complete_map(fields),
            Value::Array(items) => {
                if let Some(schema) = &self.items {
                    items.iter_mut().for_each(|item| schema.complete(item));
                }
            }
            _ => {}
        }
    }

    fn complete_map(&self, fields: &mut Map<String, Value>) {
        for (name, schema) in &self.properties {
            if fields.get(name).is_some_and(Value::is_null) {
                fields.remove(name);
            }
            if let Some(default) = &schema.default
                && !fields.contains_key(name)
            {
                fields.insert(name.clone(), default.clone());
            }
        }
        for (name, field) in fields {
            if let Some(schema) = self.properties.get(name).or(self.additional_properties.as_deref()) {
                schema.complete(field);
            }
        }
    }
}

//! The CEL rules of a definition, evaluated by kube's client-side validator over an object with defaults.

use kube::core::cel::{CompiledSchema, ErrorKind, ValidationError, Validator, compile_schema};
use serde_json::Value;

use super::schema::Finding;
use super::yaml::{Content, Node, Position};

/// The rules of one kind.
pub(super) struct Rules {
    compiled: CompiledSchema,
}

impl Rules {
    /// Takes the rules out of a definition's schema.
    pub(super) fn of_definition(schema: &Value) -> Self {
        Self { compiled: compile_schema(schema) }
    }

    /// Every rule that `object` breaks; `previous` is the version that was applied before, for rules on
    /// changes. `findings` has what the schema found: a rule that cannot be evaluated because of that, or
    /// that speaks of the same field, is left out, and all are when something is longer than allowed.
    pub(super) fn check(
        &self,
        validator: &Validator,
        object: &Value,
        previous: Option<&Value>,
        node: &Node,
        findings: &mut Vec<Finding>,
    ) {
        if findings.iter().any(|finding| finding.too_long) {
            return;
        }
        let Err(errors) = validator.validate_compiled(&self.compiled, object, previous) else { return };
        let known = findings.len();
        for error in errors {
            let field = error.field_path.clone();
            let told = findings.iter().take(known).any(|f| related(&f.field, &field));
            let broken = error.kind == ErrorKind::ValidationFailure;
            if told || (known > 0 && !broken) {
                continue;
            }
            findings.push(Finding::new(locate(node, &field), field, reason(error)));
        }
    }
}

fn reason(error: ValidationError) -> String {
    match error.kind {
        ErrorKind::ValidationFailure => error.message,
        _ => format!("cannot be checked by the rule {:?}: {}", error.rule, error.message),
    }
}

/// Whether one of two fields is the other or lies in it.
fn related(a: &str, b: &str) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    inside(a, b) || inside(b, a)
}

/// The place of a field: its value, or if it is not written, the key of what it would stand in.
pub(super) fn locate(root: &Node, field: &str) -> Position {
    let mut node = root;
    let mut owner = root.position;
    let mut rest = field;
    loop {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if rest.is_empty() {
            return node.position;
        }
        if let (Content::List(items), Some((index, after))) =
            (&node.content, rest.strip_prefix('[').and_then(|r| r.split_once(']')))
        {
            let Some(item) = index.parse::<usize>().ok().and_then(|i| items.get(i)) else { return owner };
            (node, owner, rest) = (item, item.position, after);
            continue;
        }
        let Content::Map(entries) = &node.content else { return owner };
        // Keys may hold dots themselves: the longest one that fits is meant.
        let fits =
            |key: &str| rest.strip_prefix(key).is_some_and(|r| r.is_empty() || r.starts_with(['.', '[']));
        let Some(entry) = entries.iter().filter(|e| fits(&e.key)).max_by_key(|e| e.key.len()) else {
            return owner;
        };
        (node, owner, rest) = (&entry.node, entry.key_position, &rest[entry.key.len()..]);
    }
}

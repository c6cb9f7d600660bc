//! YAML with the place of every node: saphyr's events, put together within bounds.
//!
//! As kubectl does, keys of any scalar type become strings, `<<` merges, and a key that stands twice is
//! refused. An anchored node is copied where an alias names it, and copies count against the bound.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::limits::{DEPTH_MAX, NODES_MAX, PROBLEMS_MAX};
use super::resolve;

/// A place in a file, counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl From<Marker> for Position {
    fn from(marker: Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// A value and where it starts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) content: Content,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_position: Position,
    pub(super) node: Node,
}

impl Node {
    /// The entry of a map; `None` when there is none or this is no map.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The text of a string.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same as JSON.
    pub(super) fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Boolean(value) => Value::from(*value),
            Content::Integer(value) => Value::from(*value),
            Content::Number(value) => Value::from(*value),
            Content::Text(text) => Value::from(text.as_str()),
            Content::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Content::Map(entries) => Value::Object(
                entries.iter().map(|e| (e.key.clone(), e.node.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }
}

/// What is wrong with the YAML, and where.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) position: Position,
    pub(super) reason: String,
}

/// The documents of a file up to the first fault of syntax, and every fault.
pub(super) fn parse(text: &str) -> (Vec<Node>, Vec<Fault>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder {
        parser: Parser::new_from_str(text),
        anchors: BTreeMap::new(),
        nodes: 0,
        faults: Vec::new(),
    };
    let mut documents = Vec::new();
    if let Err(fault) = builder.documents(&mut documents) {
        builder.faults.push(fault);
    }
    (documents, builder.faults)
}

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// Anchored nodes of the document, with the number of nodes in each.
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
    faults: Vec<Fault>,
}

impl<'a> Builder<'a> {
    fn documents(&mut self, documents: &mut Vec<Node>) -> Result<(), Fault> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                event => {
                    self.anchors.clear();
                    documents.push(self.node(event, span, 0)?);
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let reason = format!("not YAML: {}", error.info());
                Err(Fault { position: Position::from(*error.marker()), reason })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// Notes what does not keep the rest from being read.
    fn fault(&mut self, position: Position, reason: String) {
        if self.faults.len() < PROBLEMS_MAX {
            self.faults.push(Fault { position, reason });
        }
    }

    fn count(&mut self, nodes: usize, position: Position) -> Result<(), Fault> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES_MAX {
            return Err(Fault { position, reason: format!("the file has more than {NODES_MAX} values") });
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Fault> {
        let position = Position::from(span.start);
        if depth > DEPTH_MAX {
            return Err(Fault { position, reason: format!("nested deeper than {DEPTH_MAX} levels") });
        }
        self.count(1, position)?;
        let before = self.nodes;
        let (content, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (scalar(&text, style, tag, position)?, anchor),
            Event::SequenceStart(anchor, _) => (Content::List(self.list(depth)?), anchor),
            Event::MappingStart(anchor, _) => (Content::Map(self.map(depth)?), anchor),
            Event::Alias(anchor) => {
                let Some((node, nodes)) = self.anchors.get(&anchor).cloned() else {
                    return Err(Fault { position, reason: "the alias names no anchor before it".into() });
                };
                self.count(nodes, position)?;
                return Ok(Node { position, content: node.content });
            }
            _ => return Err(Fault { position, reason: "not YAML: a value is missing".into() }),
        };
        let node = Node { position, content };
        if anchor != 0 {
            let nodes = self.nodes - before + 1;
            self.count(nodes, position)?;
            self.anchors.insert(anchor, (node.clone(), nodes));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Fault> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Fault> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        let mut seen: BTreeMap<String, Position> = BTreeMap::new();
        loop {
            let (event, span) = self.next()?;
            let key_position = Position::from(span.start);
            let (key, merges) = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, style, _, _) => {
                    self.count(1, key_position)?;
                    let plain = style == ScalarStyle::Plain;
                    if plain && let Some(meaning) = resolve::other_meaning(&text) {
                        let reason = format!("the key {text} means {meaning} in YAML: put it in quotes");
                        self.fault(key_position, reason);
                    }
                    (text.clone().into_owned(), plain && text == "<<")
                }
                _ => {
                    return Err(Fault { position: key_position, reason: "a key must be a scalar".into() });
                }
            };
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            if merges {
                merge(node, &mut merged)?;
                continue;
            }
            if let Some(first) = seen.get(&key) {
                let reason = format!("the key {key:?} stands at {first} already");
                self.fault(key_position, reason);
                continue;
            }
            seen.insert(key.clone(), key_position);
            entries.push(Entry { key, key_position, node });
        }
        for entry in merged {
            if let std::collections::btree_map::Entry::Vacant(free) = seen.entry(entry.key.clone()) {
                free.insert(entry.key_position);
                entries.push(entry);
            }
        }
        Ok(entries)
    }
}

/// Takes in what `<<` names: a map, or a list of maps of which the first to have a key wins.
fn merge(node: Node, into: &mut Vec<Entry>) -> Result<(), Fault> {
    match node.content {
        Content::Map(entries) => into.extend(entries),
        Content::List(items) => {
            for item in items {
                let Content::Map(entries) = item.content else {
                    return Err(Fault { position: item.position, reason: "<< takes maps only".into() });
                };
                into.extend(entries);
            }
        }
        _ => return Err(Fault { position: node.position, reason: "<< takes maps only".into() }),
    }
    Ok(())
}

fn scalar(
    text: &str,
    style: ScalarStyle,
    tag: Option<Cow<'_, Tag>>,
    position: Position,
) -> Result<Content, Fault> {
    let Some(tag) = tag else {
        let plain = style == ScalarStyle::Plain;
        return Ok(if plain { resolve::plain(text) } else { Content::Text(text.to_owned()) });
    };
    let wrong = |what: &str| Fault { position, reason: format!("{text:?} is not {what}, as its tag says") };
    if !tag.is_yaml_core_schema() {
        let reason = format!("the tag {}{} is not one of YAML's own", tag.handle, tag.suffix);
        return Err(Fault { position, reason });
    }
    match (tag.suffix.as_str(), resolve::plain(text)) {
        ("str" | "binary" | "timestamp", _) => Ok(Content::Text(text.to_owned())),
        ("null", Content::Null) => Ok(Content::Null),
        ("bool", Content::Boolean(value)) => Ok(Content::Boolean(value)),
        ("int", Content::Integer(value)) => Ok(Content::Integer(value)),
        ("float", content @ (Content::Integer(_) | Content::Number(_))) => Ok(content),
        ("null" | "bool" | "int" | "float", _) => Err(wrong(&tag.suffix)),
        _ => Err(wrong("a scalar")),
    }
}

#[cfg(test)]
mod tests;

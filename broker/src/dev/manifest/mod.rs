//! The YAML of `gregor dev -f`: the files that Kubernetes takes, read and checked as its API server would.
//!
//! [`load`] reads files and folders and gives what may be applied, what is wrong and where, and what is
//! none of our business. A file is taken whole or not at all. Checked are the YAML itself ([`yaml`]), the
//! schema of the definitions ([`schema`]), their CEL rules ([`rules`]), and what only shows when all files
//! are seen together ([`whole`]). Runs on the caller's thread, when a command starts and when a file
//! changed; every size is bounded in [`limits`].
//!
//! Deliberately absent: applying, and what only a broker knows, such as the range of a topic's setting.

mod load;
mod resolve;
mod rules;
mod schema;
mod whole;
mod words;
mod yaml;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use operator_api::{Cluster, Quota, Topic};
use serde_json::Value;

pub(super) use load::files;
pub use load::load;
pub use yaml::Position;

/// How much is read at most, so that a mistaken path or a hostile file costs little.
pub mod limits {
    /// Bytes of one file: more than 10,000 topics.
    pub const FILE_BYTES_MAX: u64 = 4 << 20;
    /// Files, after folders are listed.
    pub const FILES_MAX: usize = 1_000;
    /// Scalars, lists and maps in one file, after aliases are put in place.
    pub const NODES_MAX: usize = 250_000;
    /// Lists and maps in one another.
    pub const DEPTH_MAX: usize = 64;
    /// Problems that are told of one file.
    pub const PROBLEMS_MAX: usize = 100;
}

/// A resource that was read and found right.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The file that it stands in, as it was named or found in a folder.
    pub file: PathBuf,
    /// Where it starts.
    pub position: Position,
    /// The resource, with defaults.
    pub resource: Resource,
    /// The same as JSON, which rules on changes compare with.
    object: Value,
    /// The same as it stands in the file.
    node: yaml::Node,
}

/// A resource of Gregor's.
#[derive(Clone, Debug, PartialEq)]
pub enum Resource {
    /// Brokers and their configuration.
    Cluster(Box<Cluster>),
    /// A topic.
    Topic(Box<Topic>),
    /// A quota.
    Quota(Box<Quota>),
}

impl Manifest {
    /// Kind, namespace and name, by which Kubernetes tells objects apart.
    #[must_use]
    pub fn key(&self) -> (&'static str, &str, &str) {
        let (kind, metadata) = match &self.resource {
            Resource::Cluster(cluster) => ("Cluster", &cluster.metadata),
            Resource::Topic(topic) => ("Topic", &topic.metadata),
            Resource::Quota(quota) => ("Quota", &quota.metadata),
        };
        let namespace = metadata.namespace.as_deref().unwrap_or("default");
        (kind, namespace, metadata.name.as_deref().unwrap_or_default())
    }

    /// The name of the topic in Kafka, when this is one: `spec.topicName`, or else `metadata.name`.
    #[must_use]
    pub fn topic_name(&self) -> Option<&str> {
        match &self.resource {
            Resource::Topic(topic) => topic.spec.topic_name.as_deref().or(topic.metadata.name.as_deref()),
            Resource::Cluster(_) | Resource::Quota(_) => None,
        }
    }

    /// Where a field stands, such as `spec.config.retention.ms`; where it would stand, when it is not given.
    #[must_use]
    pub fn field_position(&self, field: &str) -> Position {
        rules::locate(&self.node, field)
    }

    /// Something wrong with a field that shows only when it is applied.
    #[must_use]
    pub fn problem(&self, field: &str, reason: impl Into<String>) -> Problem {
        Problem {
            file: self.file.clone(),
            position: Some(self.field_position(field)),
            field: field.to_owned(),
            reason: reason.into(),
        }
    }

    /// `file:line` of its first line.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.position.line)
    }
}

/// Something wrong, and where: prints as `file:line:column: field.path: reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file or folder.
    pub file: PathBuf,
    /// The place in it; none when the file could not be read at all.
    pub position: Option<Position>,
    /// The field, such as `spec.listeners[0].port`; empty when it is not about one.
    pub field: String,
    /// What is wrong, in a sentence without its full stop.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(position) = self.position {
            write!(f, ":{position}")?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// What [`load`] found.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The files that were read, in order: each named one, and the ones of each named folder by name.
    pub files: Vec<PathBuf>,
    /// What may be applied, in the order of the files.
    pub manifests: Vec<Manifest>,
    /// What is wrong. Nothing of a file that is named here is in `manifests`.
    pub problems: Vec<Problem>,
    /// Lines about resources of other groups, which `gregor dev` leaves alone.
    pub skipped: Vec<String>,
}

impl Loaded {
    /// Whether something is wrong with `file`: what was applied from it before stays as it is.
    #[must_use]
    pub fn refused(&self, file: &Path) -> bool {
        self.problems.iter().any(|problem| problem.file == file)
    }
}

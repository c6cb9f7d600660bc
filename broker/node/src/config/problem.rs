//! Where a value comes from, and what is wrong with one.

use std::fmt;
use std::sync::Arc;

use super::key::Key;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// On this line of this file, counted from 1.
    File {
        /// The file's name as the user gave it.
        name: Arc<str>,
        /// The line where the key begins.
        line: u32,
    },
    /// By `--set key=value`.
    Override,
    /// While the broker ran, through IncrementalAlterConfigs.
    Dynamic,
    /// Nowhere: the key is missing, or it stands at its default.
    Missing,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Override => f.write_str("--set"),
            Self::Dynamic => f.write_str("dynamic configuration"),
            Self::Missing => f.write_str("configuration"),
        }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub origin: Origin,
    /// The key; empty when the line has none.
    pub key: String,
    /// The value as it may be shown: `None` for a missing one, stars for a secret.
    pub value: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Shown instead of a secret.
pub(crate) const HIDDEN: &str = "********";

/// The longest value that a message repeats, in bytes; a longer one is cut.
const VALUE_SHOWN_MAX: usize = 100;

impl Problem {
    /// A problem with a value; a secret is not repeated.
    pub(crate) fn with_value(
        origin: Origin,
        key: &str,
        row: Option<&Key>,
        value: &str,
        message: String,
    ) -> Self {
        let shown = match row {
            Some(row) if row.is_sensitive() => HIDDEN.to_owned(),
            _ if value.len() > VALUE_SHOWN_MAX => {
                format!("{}...", value.get(..value.floor_char_boundary(VALUE_SHOWN_MAX)).unwrap_or_default())
            }
            _ => value.to_owned(),
        };
        Self { origin, key: key.to_owned(), value: Some(shown), message }
    }
}

impl Problem {
    /// For whoever asked for the value: `Invalid value 0 for configuration num.partitions: must be ...`.
    #[must_use]
    pub fn for_client(&self) -> String {
        let value = self.value.as_deref().unwrap_or("null").escape_debug();
        format!("Invalid value {value} for configuration {}: {}", self.key, self.message)
    }
}

impl fmt::Display for Problem {
    /// `server.properties:12: num.partitions=0: must be a whole number from 1 to 2147483647`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        match (&self.value, self.key.is_empty()) {
            (Some(value), false) => write!(f, "{}={}: ", self.key, value.escape_debug())?,
            (None, false) => write!(f, "{}: ", self.key)?,
            (_, true) => {}
        }
        f.write_str(&self.message)
    }
}

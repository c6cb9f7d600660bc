//! What one configuration key is: type, default, valid values, standing.

use std::fmt;

pub use machines::topic_config::ConfigType;

/// How much a key matters to most users, in Kafka's judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Most installations think about it.
    High,
    /// Some do.
    Medium,
    /// Few do.
    Low,
}

/// Whether a running broker takes a new value (KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateMode {
    /// Only a restart changes it.
    ReadOnly,
    /// It can be set for one broker.
    PerBroker,
    /// It can be set for one broker or for all.
    ClusterWide,
}

/// What Gregor does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has the effect that its documentation says.
    Acts,
    /// It is checked, kept and described; the feature that it governs is not part of this version.
    Later,
    /// It has no meaning here, for the given reason; it is accepted, so that Kafka's files start.
    Meaningless(&'static str),
    /// Only its default is accepted, for the given reason: running on as if it were unset would be unsafe.
    Fixed(&'static str),
}

/// Which values of its type a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Valid {
    /// Every one.
    Any,
    /// Text that is not empty, or a list with an item.
    NonEmpty,
    /// Numbers from this one on.
    AtLeast(i64),
    /// Numbers from the first to the second, both included.
    Between(i64, i64),
    /// -1, or numbers from the first to the second, both included.
    MinusOneOr(i64, i64),
    /// Decimal numbers from the first to the second, both included.
    Fraction(f64, f64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these words, in any case.
    OneOfAnyCase(&'static [&'static str]),
    /// A list of some of these words.
    ListOf(&'static [&'static str]),
    /// A list of some of these words, or an empty one.
    ListOfOrEmpty(&'static [&'static str]),
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Kafka's name.
    pub name: &'static str,
    /// The type of its values.
    pub kind: ConfigType,
    /// The value when none is given; `None` is Kafka's null.
    pub default: Option<&'static str>,
    /// Which values it takes.
    pub valid: Valid,
    /// How much it matters.
    pub importance: Importance,
    /// Whether it can change while the broker runs.
    pub update: UpdateMode,
    /// What Gregor does with it.
    pub standing: Standing,
    /// What it means, in one sentence or two.
    pub documentation: &'static str,
}

impl Key {
    /// Checks a value.
    ///
    /// # Errors
    /// What would be right, as the end of a sentence: "must be ...".
    pub fn check(&self, value: &str) -> Result<(), String> {
        let value = value.trim();
        let right = match self.kind {
            ConfigType::Boolean => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
            ConfigType::Short => value.parse::<i16>().is_ok_and(|n| self.in_range(i64::from(n))),
            ConfigType::Int => value.parse::<i32>().is_ok_and(|n| self.in_range(i64::from(n))),
            ConfigType::Long => value.parse::<i64>().is_ok_and(|n| self.in_range(n)),
            ConfigType::Double => value.parse::<f64>().is_ok_and(|n| self.in_fraction(n)),
            ConfigType::String | ConfigType::Class | ConfigType::Password => self.is_word(value),
            ConfigType::List => self.is_list(value),
        };
        if right { self.check_fixed(value) } else { Err(format!("must be {}", self.right_values())) }
    }

    fn check_fixed(&self, value: &str) -> Result<(), String> {
        match self.standing {
            Standing::Fixed(why) if !value.eq_ignore_ascii_case(self.default.unwrap_or_default()) => {
                Err(format!("must be left at its default, {}: {why}", self.default_text()))
            }
            _ => Ok(()),
        }
    }

    fn in_range(&self, number: i64) -> bool {
        match self.valid {
            Valid::AtLeast(least) => number >= least,
            Valid::Between(least, most) => (least..=most).contains(&number),
            Valid::MinusOneOr(least, most) => number == -1 || (least..=most).contains(&number),
            _ => true,
        }
    }

    fn in_fraction(&self, number: f64) -> bool {
        match self.valid {
            Valid::Fraction(least, most) => (least..=most).contains(&number),
            _ => !number.is_nan(),
        }
    }

    fn is_word(&self, value: &str) -> bool {
        match self.valid {
            Valid::NonEmpty => !value.is_empty(),
            Valid::OneOf(words) => words.contains(&value),
            Valid::OneOfAnyCase(words) => words.iter().any(|word| word.eq_ignore_ascii_case(value)),
            _ => true,
        }
    }

    fn is_list(&self, value: &str) -> bool {
        let mut items = list_items(value);
        match self.valid {
            Valid::NonEmpty => items.next().is_some(),
            Valid::ListOf(words) => !value.is_empty() && items.all(|item| words.contains(&item)),
            Valid::ListOfOrEmpty(words) => items.all(|item| words.contains(&item)),
            _ => true,
        }
    }

    /// Which values the key takes, as a person says it: `a whole number of at least 1`.
    #[must_use]
    pub fn right_values(&self) -> String {
        let noun = match self.kind {
            ConfigType::Boolean => "true or false",
            ConfigType::Short | ConfigType::Int | ConfigType::Long => "a whole number",
            ConfigType::Double => "a number",
            ConfigType::List => "a comma-separated list",
            ConfigType::String | ConfigType::Class | ConfigType::Password => "text",
        };
        match (self.valid, self.kind) {
            (Valid::AtLeast(least), ConfigType::Int) => format!("{noun} from {least} to {}", i32::MAX),
            (Valid::AtLeast(least), ConfigType::Short) => format!("{noun} from {least} to {}", i16::MAX),
            (Valid::AtLeast(least), _) => format!("{noun} of at least {least}"),
            (Valid::Between(least, most), _) => format!("{noun} from {least} to {most}"),
            (Valid::MinusOneOr(least, most), _) => format!("-1 or {noun} from {least} to {most}"),
            (Valid::Fraction(least, most), _) => format!("{noun} from {least} to {most}"),
            (Valid::OneOf(words) | Valid::OneOfAnyCase(words), _) => format!("one of {}", words.join(", ")),
            (Valid::ListOf(words), _) => format!("{noun} of some of {}", words.join(", ")),
            (Valid::ListOfOrEmpty(words), _) => format!("{noun} of some of {}, or empty", words.join(", ")),
            (Valid::NonEmpty, ConfigType::List) => format!("{noun} with at least one item"),
            (Valid::NonEmpty, _) => "text that is not empty".to_owned(),
            (Valid::Any, ConfigType::Int) => format!("{noun} from {} to {}", i32::MIN, i32::MAX),
            (Valid::Any, ConfigType::Short) => format!("{noun} from {} to {}", i16::MIN, i16::MAX),
            (Valid::Any, _) => noun.to_owned(),
        }
    }

    /// The default as it is shown: `null` where there is none, `empty` for empty text.
    #[must_use]
    pub fn default_text(&self) -> &'static str {
        match self.default {
            None => "null",
            Some("") => "empty",
            Some(text) => text,
        }
    }

    /// Whether values are secrets.
    #[must_use]
    pub const fn is_sensitive(&self) -> bool {
        matches!(self.kind, ConfigType::Password)
    }
}

/// The items of a list: between commas, without surrounding blanks. Kafka takes empty text as no item.
pub(crate) fn list_items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

impl fmt::Display for UpdateMode {
    /// Kafka's words: `read-only`, `per-broker`, `cluster-wide`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "read-only",
            Self::PerBroker => "per-broker",
            Self::ClusterWide => "cluster-wide",
        })
    }
}

//! Topic configuration: every key of Kafka 4.3.1 and Gregor's own, what each may be, and the typed result.
//!
//! One table serves all who ask: the controller refuses bad values with it, DescribeConfigs shows it, and
//! [`TopicConfig::resolve`] turns a topic's overrides and the broker's defaults into numbers. It is pure: the
//! broker's configuration comes in as a function.

mod resolve;
mod table;

#[cfg(test)]
mod tests;

pub use resolve::{CleanupPolicy, CompressionType, ThrottledReplicas, TopicConfig};

/// Kafka's types of configuration values, of topics' and of brokers' keys; the numbers are those of DescribeConfigs
/// (KIP-569).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i8)]
pub enum ConfigType {
    /// `true` or `false`, in any case.
    Boolean = 1,
    /// Text.
    String = 2,
    /// A whole number of 32 bits.
    Int = 3,
    /// A whole number of 16 bits.
    Short = 4,
    /// A whole number of 64 bits.
    Long = 5,
    /// A decimal number.
    Double = 6,
    /// Items separated by commas.
    List = 7,
    /// The name of a Java class.
    Class = 8,
    /// A secret: never printed, logged or described.
    Password = 9,
}

impl ConfigType {
    /// The number in a DescribeConfigs answer.
    #[must_use]
    pub const fn wire(self) -> i8 {
        self as i8
    }

    /// What a value of the type is, for a refusal.
    const fn noun(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::String | Self::Class | Self::Password => "text",
            Self::Short => "a whole number of 16 bits",
            Self::Int => "a whole number of 32 bits",
            Self::Long => "a whole number of 64 bits",
            Self::Double => "a decimal number",
            Self::List => "a list separated by commas",
        }
    }
}

/// Which values of its type a key takes. Bounds are included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Valid {
    /// Every one.
    Any,
    /// Numbers from this one on.
    AtLeast(i64),
    /// Numbers from the first to the second.
    Between(i64, i64),
    /// -1, or numbers from the first to the second.
    MinusOneOr(i64, i64),
    /// Decimal numbers from the first to the second.
    Fraction(f64, f64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Some of these words, or none.
    SomeOf(&'static [&'static str]),
    /// `*`, or pairs of a partition and a broker: `0:1,1:2`.
    ThrottledReplicas,
}

/// A broker's key that gives a topic's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerSynonym {
    /// Its name in `server.properties`.
    pub name: &'static str,
    /// What one unit of it is in the topic key's unit: 3,600,000 for hours of a key in milliseconds, else 1.
    pub unit: i64,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct TopicKey {
    /// The key's name, Kafka's.
    pub name: &'static str,
    /// The type of its values.
    pub config_type: ConfigType,
    /// The value where neither topic nor broker sets one; `None` is Kafka's null.
    pub default: Option<&'static str>,
    /// Which values it takes.
    pub valid: Valid,
    /// Broker's keys that give the default, the first that is set wins (Kafka's `ServerTopicConfigSynonyms`).
    pub synonyms: &'static [ServerSynonym],
    /// Accepted and kept, but left out when all keys are described.
    pub internal: bool,
    /// What it means, in one sentence or two.
    pub documentation: &'static str,
}

/// Every key, in the order of their names.
#[must_use]
pub const fn keys() -> &'static [TopicKey] {
    table::KEYS
}

/// The row of a key.
#[must_use]
pub fn find(name: &str) -> Option<&'static TopicKey> {
    let index = table::KEYS.binary_search_by(|key| key.name.cmp(name)).ok()?;
    table::KEYS.get(index)
}

/// Checks one override.
///
/// # Errors
/// A sentence that names key, value and rule: the message of `INVALID_CONFIG`.
pub fn validate(key: &str, value: &str) -> Result<(), String> {
    match find(key) {
        Some(row) => row.check(value),
        None => Err(unknown(key)),
    }
}

/// Checks all overrides that a topic would have, one by one and against each other.
///
/// # Errors
/// A sentence that names keys, values and rule: the message of `INVALID_CONFIG`.
pub fn validate_all<'a>(overrides: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), String> {
    let overrides: Vec<_> = overrides.into_iter().collect();
    for (key, value) in &overrides {
        validate(key, value)?;
    }
    // Kafka holds the two against each other with the table's defaults, not with the broker's.
    let topic = TopicConfig::resolve(overrides, |_| None);
    let (min, max) = (topic.min_compaction_lag_ms, topic.max_compaction_lag_ms);
    if min > max {
        return Err(format!(
            "Conflict of min.compaction.lag.ms ({min}) and max.compaction.lag.ms ({max}): {SWAPPED}"
        ));
    }
    if topic.remote_storage_enable {
        return Err(format!(
            "Invalid value true for configuration remote.storage.enable: {NO_REMOTE_STORAGE}"
        ));
    }
    Ok(())
}

const SWAPPED: &str = "the first must not be larger";
const NO_REMOTE_STORAGE: &str = "there is no remote storage, so it must be false";

fn unknown(key: &str) -> String {
    // The nearest name by a common beginning is what a typing error usually means.
    let shared = |name: &str| name.bytes().zip(key.bytes()).take_while(|(a, b)| a == b).count();
    let nearest = table::KEYS.iter().max_by_key(|row| shared(row.name));
    match nearest.filter(|row| shared(row.name) >= 5) {
        Some(row) => format!("Unknown topic config name: {key}; the nearest is {}", row.name),
        None => format!("Unknown topic config name: {key}"),
    }
}

impl TopicKey {
    /// Checks a value, as Kafka's `ConfigDef` does: spaces around it do not count.
    ///
    /// # Errors
    /// A sentence that names key, value and rule.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let text = value.trim();
        let right = match self.config_type {
            ConfigType::Boolean => parse_bool(text).is_some(),
            ConfigType::String | ConfigType::Class | ConfigType::Password => {
                matches!(self.valid, Valid::OneOf(words) if words.contains(&text))
            }
            ConfigType::Short => text.parse::<i16>().is_ok_and(|number| self.holds(i64::from(number))),
            ConfigType::Int => text.parse::<i32>().is_ok_and(|number| self.holds(i64::from(number))),
            ConfigType::Long => text.parse::<i64>().is_ok_and(|number| self.holds(number)),
            ConfigType::Double => text.parse::<f64>().is_ok_and(|number| self.holds_fraction(number)),
            ConfigType::List => self.holds_list(text),
        };
        if right {
            return Ok(());
        }
        Err(format!("Invalid value {value} for configuration {}: it must be {}", self.name, self.rule()))
    }

    fn holds(&self, number: i64) -> bool {
        match self.valid {
            Valid::AtLeast(least) => number >= least,
            Valid::Between(least, most) => (least..=most).contains(&number),
            Valid::MinusOneOr(least, most) => number == -1 || (least..=most).contains(&number),
            _ => true,
        }
    }

    fn holds_fraction(&self, number: f64) -> bool {
        match self.valid {
            Valid::Fraction(least, most) => (least..=most).contains(&number),
            _ => number.is_finite(),
        }
    }

    fn holds_list(&self, text: &str) -> bool {
        match self.valid {
            Valid::SomeOf(words) => items(text).all(|item| words.contains(&item)),
            Valid::ThrottledReplicas => ThrottledReplicas::parse(text).is_some(),
            _ => items(text).all(|item| !item.is_empty()),
        }
    }

    /// What is right, as the end of a sentence: "a whole number of 64 bits, at least -1".
    #[must_use]
    pub fn rule(&self) -> String {
        let noun = self.config_type.noun();
        match self.valid {
            Valid::Any => noun.to_owned(),
            Valid::AtLeast(least) => format!("{noun}, at least {least}"),
            Valid::Between(least, most) => format!("{noun} from {least} to {most}"),
            Valid::MinusOneOr(least, most) => format!("{noun} from {least} to {most}, or -1"),
            Valid::Fraction(least, most) => format!("{noun} from {least} to {most}"),
            Valid::OneOf(words) => format!("one of {}", words.join(", ")),
            Valid::SomeOf(words) => format!("a list of {}, separated by commas", words.join(" and ")),
            Valid::ThrottledReplicas => {
                "* or a list of partition:broker pairs, separated by commas, such as 0:1,1:2".to_owned()
            }
        }
    }

    /// The default that a broker's configuration gives: the value of the first synonym that is set, in this
    /// key's unit, and that synonym. `None` when the broker sets none of them.
    ///
    /// `set` is asked for values that were set, not for the broker's own defaults: those are the table's.
    pub fn server_default(
        &self,
        set: impl Fn(&'static str) -> Option<String>,
    ) -> Option<(String, ServerSynonym)> {
        self.synonyms.iter().find_map(|synonym| Some((synonym.in_unit(set(synonym.name)?), *synonym)))
    }
}

impl ServerSynonym {
    /// A value of this key in the topic key's unit; -1 stays -1.
    fn in_unit(self, value: String) -> String {
        match value.trim().parse::<i64>() {
            Ok(number) if self.unit != 1 && number >= 0 => number.saturating_mul(self.unit).to_string(),
            _ => value,
        }
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// The items of a list; an empty text has none, and a comma with nothing before or behind it has an empty
/// one.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.split(',').map(str::trim)).into_iter().flatten()
}

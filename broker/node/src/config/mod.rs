//! Configuration: Kafka's keys, read from a `server.properties` file, `--set` pairs and dynamic changes, checked
//! against one table, and given to the broker as typed fields.
//!
//! Pure: nothing here opens a file or asks the machine its name. Everything wrong is reported at once, each with
//! file, line, key, value and what would be right.

mod addresses;
mod bounds;
mod describe;
mod identity;
mod key;
mod listener;
mod problem;
mod properties;
mod settings;
pub mod table;
mod typed;
mod values;

#[cfg(test)]
mod tests;

pub use bounds::*;
pub use describe::{Described, TopicDefault};
pub use key::{ConfigType, Importance, Key, Standing, UpdateMode, Valid};
pub use listener::{Listener, split_host_port};
pub use problem::{Origin, Problem};
pub use properties::{FILE_BYTES_MAX, Property, parse as parse_properties};
pub use settings::Config;
pub use values::{Source, Synonym, Values, check_dynamic, is_list};

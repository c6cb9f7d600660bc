//! A raw Kafka-protocol load generator, cheap enough not to be what is measured.
//!
//! It sends record batches that it encoded once, over plain blocking sockets, one thread a connection, and
//! counts the load it held beside what the broker's process spent on it. On purpose it shares no code with
//! the crate `protocol`: what it encodes and checks is a second opinion on the wire format.
//!
//! It speaks versions that every Kafka 4.x broker answers: Produce 7, Fetch 11, Metadata 4, CreateTopics 4,
//! DeleteTopics 3; `group` names its own.

pub mod api;
pub mod batch;
pub mod deliver;
pub mod fetch;
pub mod floor;
pub mod group;
pub mod metadata;
pub mod meter;
pub mod produce;
pub mod usage;
pub mod verify;
pub mod wire;

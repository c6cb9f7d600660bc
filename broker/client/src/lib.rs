//! A Kafka client for programs that administer: one connection, and typed admin calls over it.
//!
//! [`Connection`] sends one request at a time. [`Admin`] keeps one to any of several addresses and gives topics,
//! configuration and the cluster as values. [`check`] produces and consumes, to show that a cluster serves. It is no
//! client for data: it neither batches nor follows leaders.

mod admin;
pub mod check;
mod connection;
mod error;

pub use admin::{
    Admin, Alteration, BROKER, ClusterDescription, ConfigEntry, NewTopic, TOPIC, TopicDescription,
};
pub use connection::Connection;
pub use error::{Error, Refusal};

//! Kafka's wire types and record batches; no input or output.

// What `#[derive(Message)]` emits names this crate from outside, so that it also works inside.
extern crate self as protocol;

pub mod api_key;
pub mod error_code;
pub mod header;
pub mod hot;
pub mod id;
pub mod message;
pub mod metadata_record;
pub mod random;
pub mod records;
pub mod wire;

pub use api_key::ApiKey;
pub use error_code::ErrorCode;
pub use wire::{Message, Request};

//! Kafka's wire types and record batches; no input or output.

pub mod error_code;
pub mod id;

pub use error_code::ErrorCode;

//! Record batches, format 2 (KIP-98): the unit that a producer sends, a log stores and a consumer fetches.
//!
//! A batch is checked once, where a producer's bytes come in ([`check()`]), and is then moved as it is: only
//! its base offset and leader epoch are written into it ([`patch`]), which its CRC does not cover. Nothing
//! here does input or output, nothing allocates what a batch announces, and every decompression has a cap.
//!
//! Formats 0 and 1 are deliberately absent: Kafka 4 has removed them too (KIP-724).

mod builder;
mod check;
pub mod codec;
mod control;
mod header;
mod read;
mod recompress;
mod varint;
mod walk;

#[cfg(test)]
mod tests;

pub use builder::{BatchBuilder, BuildError};
pub use check::{
    BatchError, CheckRules, CheckedBatch, Origin, RECORD_ERRORS_MAX, RecordError, Validation, check,
};
pub use codec::Compression;
pub use control::{ControlRecord, ControlType};
pub use header::{
    Attributes, BATCH_OVERHEAD, BatchHeader, Batches, HeaderError, TimestampType, compute_crc, crc_matches,
    patch,
};
pub use read::{Headers, ReadError, Record, Records};
pub use recompress::recompress;

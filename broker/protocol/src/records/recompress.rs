//! Writing a producer's batch with the codec that its topic demands (`compression.type`).

use crate::ErrorCode;
use crate::records::check::{BatchError, CheckRules, CheckedBatch};
use crate::records::codec::{self, Compression};
use crate::records::header::{self, BATCH_OVERHEAD, BatchHeader, LENGTH_END};

/// Writes `batch` into `buffer` with another codec, whose level is as in [`codec::compress`].
///
/// Everything but codec, length and CRC stays. Where the records were not walked
/// ([`crate::records::Validation`]), they are not walked here either: a topic with a codec of its own is best
/// checked strictly, as Kafka does.
///
/// # Errors
/// [`BatchError`]: records that do not come out of their codec, or a batch that is now larger than
/// `max.message.bytes`.
pub fn recompress<'a>(
    batch: &CheckedBatch<'_>,
    compression: Compression,
    level: Option<i32>,
    rules: &CheckRules,
    buffer: &'a mut Vec<u8>,
) -> Result<CheckedBatch<'a>, BatchError> {
    let records = batch.bytes.get(BATCH_OVERHEAD..).unwrap_or_default();
    buffer.clear();
    buffer.resize(BATCH_OVERHEAD, 0);
    let failed = |error: codec::CompressError| BatchError {
        code: ErrorCode::UnknownServerError,
        message: error.to_string(),
        record_errors: Vec::new(),
    };
    match batch.header.attributes.compression() {
        Ok(Compression::None) | Err(_) => {
            codec::compress(compression, level, records, buffer).map_err(failed)?;
        }
        Ok(source) => {
            let mut plain = Vec::new();
            codec::decompress(source, records, rules.decompressed_bytes_max, &mut plain)?;
            codec::compress(compression, level, &plain, buffer).map_err(failed)?;
        }
    }
    let size = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
    let batch_length = i32::try_from(buffer.len() - LENGTH_END).unwrap_or(i32::MAX);
    if size > rules.max_message_bytes || batch_length == i32::MAX {
        return Err(BatchError {
            code: ErrorCode::MessageTooLarge,
            message: format!(
                "the batch has {size} bytes as {} and max.message.bytes is {}",
                compression.name(),
                rules.max_message_bytes
            ),
            record_errors: Vec::new(),
        });
    }
    let attributes = batch.header.attributes.with_compression(compression);
    let crc = header::write(buffer, &BatchHeader { batch_length, attributes, ..batch.header });
    let header = BatchHeader { batch_length, attributes, crc, ..batch.header };
    Ok(CheckedBatch { header, bytes: buffer })
}

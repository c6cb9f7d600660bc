//! Compression of a batch's records, in the forms that Kafka's own clients read.

use std::io::{self, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use super::{Compression, snappy::XERIAL_HEADER};

/// Bytes of a snappy block before compression, as in snappy-java.
const SNAPPY_BLOCK_BYTES: usize = 32 << 10;

/// A codec failed, which only memory or a level out of range can cause.
#[derive(Debug, thiserror::Error)]
#[error("compress records with {}: {reason}", .compression.name())]
pub struct CompressError {
    compression: Compression,
    reason: String,
}

/// Appends the compressed form of `input` to `output`.
///
/// `level` is the codec's (`compression.gzip.level` 1 to 9, `compression.zstd.level` up to 22); `None` is its
/// default. Snappy has no levels, and LZ4 is always written at the fastest.
///
/// # Errors
/// [`CompressError`] when the codec refuses.
pub fn compress(
    compression: Compression,
    level: Option<i32>,
    input: &[u8],
    output: &mut Vec<u8>,
) -> Result<(), CompressError> {
    let done = match compression {
        Compression::None => output.write_all(input),
        Compression::Gzip => gzip(level, input, output),
        Compression::Snappy => snappy(input, output),
        Compression::Lz4 => lz4(input, output),
        Compression::Zstd => zstd(level, input, output),
    };
    done.map_err(|error| CompressError { compression, reason: error.to_string() })
}

fn gzip(level: Option<i32>, input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    let level = level
        .and_then(|level| u32::try_from(level).ok())
        .map_or_else(flate2::Compression::default, |level| flate2::Compression::new(level.min(9)));
    let mut encoder = flate2::write::GzEncoder::new(output, level);
    encoder.write_all(input)?;
    encoder.finish().map(|_| ())
}

fn snappy(input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    output.extend_from_slice(XERIAL_HEADER);
    let mut encoder = snap::raw::Encoder::new();
    for block in input.chunks(SNAPPY_BLOCK_BYTES) {
        let length_at = output.len();
        output.resize(length_at + 4 + snap::raw::max_compress_len(block.len()), 0);
        let (length, room) = output[length_at..].split_at_mut(4);
        let made = encoder.compress(block, room).map_err(io::Error::other)?;
        length.copy_from_slice(&u32::try_from(made).map_err(io::Error::other)?.to_be_bytes());
        output.truncate(length_at + 4 + made);
    }
    Ok(())
}

fn lz4(input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    // 64 KiB blocks that stand alone, without a content checksum: what Kafka's Lz4BlockOutputStream writes.
    let form = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(form, output);
    encoder.write_all(input)?;
    encoder.finish().map_err(io::Error::other).map(|_| ())
}

fn zstd(level: Option<i32>, input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    let mut compressor = zstd::bulk::Compressor::new(level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL))?;
    output.append(&mut compressor.compress(input)?);
    Ok(())
}

//! Record batches (magic 2) made once and sent many times.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::wire::Encoder;

/// Bytes before a batch's first record: Kafka's `RECORD_BATCH_OVERHEAD`.
pub const BATCH_OVERHEAD: usize = 61;
/// Where the range that the checksum covers begins: at the attributes.
pub const CRC_START: usize = 21;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Codec {
    /// Not at all, and the records cannot be: random bytes.
    None,
    /// LZ4 frames of independent blocks, as Kafka wants them.
    Lz4,
    /// Zstandard at its default level.
    Zstd,
}

/// What one batch holds.
#[derive(Clone, Copy, Debug)]
pub struct BatchShape {
    /// Records in a batch.
    pub records: u32,
    /// Bytes of each record's value.
    pub record_bytes: usize,
    /// Compressed batches hold records that shrink about four to one under LZ4.
    pub codec: Codec,
}

/// An encoded batch with what a counter needs to know of it.
#[derive(Clone)]
pub struct Batch {
    /// The batch as it goes into a Produce request.
    pub bytes: Vec<u8>,
    /// Its size were it not compressed, header included: what MB/s and CPU per GB count.
    pub uncompressed_bytes: u64,
    /// Its records.
    pub records: u32,
}

impl Batch {
    /// The checksum that stands in the header; a broker must hand it back unchanged.
    pub fn crc(&self) -> u32 {
        u32::from_be_bytes(self.bytes[17..21].try_into().expect("four bytes"))
    }
}

/// The checksums of all these batches, to know them again when they are read back.
pub fn checksums<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> BTreeSet<u32> {
    batches.into_iter().map(Batch::crc).collect()
}

/// Encodes a batch whose content follows from `seed`; its timestamps are the present.
pub fn build(shape: &BatchShape, seed: u64) -> Result<Batch> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).context("read the clock")?.as_millis();
    build_at(shape, seed, i64::try_from(now_ms)?)
}

fn build_at(shape: &BatchShape, seed: u64, now_ms: i64) -> Result<Batch> {
    let mut random = XorShift(seed | 1);
    let mut records = Encoder::default();
    for index in 0..shape.records {
        let mut record = Encoder::default();
        record.i8(0);
        record.varint(0);
        record.varint(i64::from(index));
        record.varint(-1);
        record.varint(i64::try_from(shape.record_bytes).expect("a record's size fits"));
        match shape.codec {
            Codec::None => random.bytes(shape.record_bytes, &mut record.0),
            Codec::Lz4 | Codec::Zstd => random.text(shape.record_bytes, &mut record.0),
        }
        record.varint(0);
        records.varint(i64::try_from(record.0.len()).expect("a record's size fits"));
        records.0.append(&mut record.0);
    }
    let uncompressed_bytes = (BATCH_OVERHEAD + records.0.len()) as u64;
    let (attributes, payload) = match shape.codec {
        Codec::None => (0, records.0),
        Codec::Lz4 => (3, lz4(&records.0)?),
        Codec::Zstd => (4, zstd::bulk::compress(&records.0, 3)?),
    };
    Ok(Batch {
        bytes: envelope(shape.records, attributes, now_ms, &payload),
        uncompressed_bytes,
        records: shape.records,
    })
}

fn envelope(records: u32, attributes: i16, now_ms: i64, payload: &[u8]) -> Vec<u8> {
    let count = i32::try_from(records).expect("a batch's records fit 31 bits");
    let mut tail = Encoder::default();
    tail.i16(attributes);
    tail.i32(count - 1);
    tail.i64(now_ms);
    tail.i64(now_ms);
    tail.i64(-1);
    tail.i16(-1);
    tail.i32(-1);
    tail.i32(count);
    tail.0.extend(payload);
    let mut batch = Encoder::default();
    batch.i64(0);
    batch.length(tail.0.len() + CRC_START - 12);
    batch.i32(-1);
    batch.i8(2);
    batch.i32(crc32c::crc32c(&tail.0).cast_signed());
    batch.0.append(&mut tail.0);
    batch.0
}

fn lz4(records: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(records)?;
    Ok(encoder.finish()?)
}

/// Marsaglia's xorshift: the same bytes for the same seed on every machine.
struct XorShift(u64);

impl XorShift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, mut count: usize, into: &mut Vec<u8>) {
        while count > 0 {
            let word = self.next().to_le_bytes();
            let part = count.min(word.len());
            into.extend(&word[..part]);
            count -= part;
        }
    }

    /// Text like an event's: repeated names, and values of which a few bytes change.
    fn text(&mut self, count: usize, into: &mut Vec<u8>) {
        let end = into.len() + count;
        while into.len() < end {
            let value = self.next();
            let line = format!(
                "{{\"event\":\"order.updated\",\"account\":\"{:08x}\",\"region\":\"eu-west\",\"state\":\"{}\",\"amount\":{:05}}}\n",
                value & 0xffff_ffff,
                ["packed", "shipped", "delivered"][(value % 3) as usize],
                (value >> 32) % 100_000,
            );
            into.extend(line.as_bytes());
        }
        into.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(codec: Codec) -> BatchShape {
        BatchShape { records: 160, record_bytes: 100, codec }
    }

    #[test]
    fn the_header_describes_the_batch() {
        let batch = build_at(&shape(Codec::None), 1, 5).unwrap();
        let length = i32::from_be_bytes(batch.bytes[8..12].try_into().unwrap());
        assert_eq!(usize::try_from(length).unwrap() + 12, batch.bytes.len());
        assert_eq!(batch.uncompressed_bytes, batch.bytes.len() as u64);
        assert_eq!(batch.crc(), crc32c::crc32c(&batch.bytes[CRC_START..]));
        assert_eq!(batch.bytes[57..61], 160_i32.to_be_bytes());
    }

    #[test]
    fn compressible_records_shrink_about_four_to_one_under_lz4() {
        for records in [160, 5_000] {
            let batch = build_at(&BatchShape { records, ..shape(Codec::Lz4) }, 9, 0).unwrap();
            let ratio = batch.uncompressed_bytes as f64 / batch.bytes.len() as f64;
            println!("{ratio}");
            assert!((3.5..4.5).contains(&ratio), "{ratio} with {records} records");
        }
    }

    #[test]
    fn one_seed_gives_one_batch() {
        let build = |seed| build_at(&shape(Codec::Zstd), seed, 0).unwrap().crc();
        assert_eq!(build(3), build(3));
        assert_ne!(build(3), build(5));
    }
}

//! Checkpoints of offsets, in Kafka's text form: a version, the number of lines, and `topic partition offset` lines.
//!
//! Written whole and replaced by rename, so that a crash leaves the old or the new one.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use protocol::id::{Offset, PartitionIndex, TopicPartition};

use crate::disk::{Disk, read_file, replace_file};
use crate::error::Error;

/// Room for a million partitions.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Writes one offset per partition and makes it durable.
pub(crate) fn write<'a>(
    disk: &dyn Disk,
    path: &Path,
    offsets: impl Iterator<Item = (&'a TopicPartition, Offset)>,
) -> Result<(), Error> {
    replace(disk, path, &encode(offsets))
}

/// A file's text with one offset per partition.
pub(crate) fn encode<'a>(offsets: impl Iterator<Item = (&'a TopicPartition, Offset)>) -> String {
    let mut lines = String::new();
    let mut count = 0;
    for (partition, offset) in offsets {
        lines.push_str(&format!("{} {} {offset}\n", partition.topic, partition.partition));
        count += 1;
    }
    format!("0\n{count}\n{lines}")
}

/// Puts a text in the place of a file, durably.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, text: &str) -> Result<(), Error> {
    replace_file(disk, path, text.as_bytes()).map_err(|e| Error::io("write", path, e))
}

/// Reads the offsets; none when there is no file.
pub(crate) fn read(disk: &dyn Disk, path: &Path) -> Result<BTreeMap<TopicPartition, Offset>, Error> {
    let bytes = match read_file(disk, path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(Error::io("read", path, error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    if text.is_empty() {
        // Kafka makes its checkpoints empty and fills them later.
        return Ok(BTreeMap::new());
    }
    let mut lines = text.lines();
    if lines.next().map(str::trim) != Some("0") {
        return Err(Error::corrupt(path, "unknown version"));
    }
    let count = lines.next().and_then(|line| line.trim().parse::<usize>().ok());
    let mut offsets = BTreeMap::new();
    let mut found = 0;
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let entry = parse_line(line).ok_or_else(|| Error::corrupt(path, format!("not an entry: {line}")))?;
        offsets.insert(entry.0, entry.1);
        found += 1;
    }
    if count == Some(found) { Ok(offsets) } else { Err(Error::corrupt(path, "wrong number of entries")) }
}

fn parse_line(line: &str) -> Option<(TopicPartition, Offset)> {
    let mut words = line.split_whitespace();
    let topic = words.next()?.to_owned();
    let partition = PartitionIndex(words.next()?.parse().ok()?);
    let offset = Offset(words.next()?.parse().ok()?);
    words.next().is_none().then_some((TopicPartition { topic, partition }, offset))
}

/// Writes a file with one offset and makes it durable.
pub(crate) fn write_one(disk: &dyn Disk, path: &Path, offset: Offset) -> Result<(), Error> {
    replace_file(disk, path, format!("0\n{offset}\n").as_bytes()).map_err(|e| Error::io("write", path, e))
}

/// Reads a file with one offset; `None` when there is none.
pub(crate) fn read_one(disk: &dyn Disk, path: &Path) -> Result<Option<Offset>, Error> {
    let bytes = match read_file(disk, path, 4096) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path, error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    let offset = text.strip_prefix("0\n").and_then(|rest| rest.trim().parse().ok());
    offset.map(|offset| Some(Offset(offset))).ok_or_else(|| Error::corrupt(path, "not an offset"))
}

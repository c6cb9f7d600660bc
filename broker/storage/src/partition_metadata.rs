//! `partition.metadata`: which topic a partition's folder belongs to (KIP-516).

use std::io;
use std::path::Path;

use protocol::id::{TopicId, Uuid};

use crate::disk::{Disk, read_file, replace_file};
use crate::error::Error;
use crate::names::PARTITION_METADATA;

/// Two short lines.
const FILE_BYTES_MAX: u64 = 4096;

/// Writes the file and makes it durable.
pub(crate) fn write(disk: &dyn Disk, folder: &Path, topic_id: TopicId) -> Result<(), Error> {
    let path = folder.join(PARTITION_METADATA);
    let text = format!("version: 0\ntopic_id: {topic_id}");
    replace_file(disk, &path, text.as_bytes()).map_err(|e| Error::io("write", &path, e))
}

/// Reads the file; zero when there is none.
pub(crate) fn read(disk: &dyn Disk, folder: &Path) -> Result<TopicId, Error> {
    let path = folder.join(PARTITION_METADATA);
    let bytes = match read_file(disk, &path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Uuid::ZERO),
        Err(error) => return Err(Error::io("read", &path, error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    if value("version:") != Some("0") {
        return Err(Error::corrupt(&path, "unknown version"));
    }
    value("topic_id:").and_then(Uuid::parse).ok_or_else(|| Error::corrupt(&path, "no topic id"))
}

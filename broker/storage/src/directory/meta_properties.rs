//! `meta.properties`: whose directory this is (KIP-631, KIP-858).

use std::io;
use std::path::Path;

use protocol::id::{BrokerId, DirectoryId, Uuid};

use crate::disk::{Disk, read_file, replace_file};
use crate::error::Error;
use crate::names::META_PROPERTIES;

const FILE_BYTES_MAX: u64 = 64 << 10;

/// Who opens a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The cluster's id.
    pub cluster_id: String,
    /// The broker's id.
    pub node_id: BrokerId,
}

/// What `meta.properties` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaProperties {
    /// The cluster's id.
    pub cluster_id: String,
    /// The broker's id.
    pub node_id: BrokerId,
    /// The directory's own id: a wiped directory gets another.
    pub directory_id: DirectoryId,
}

impl MetaProperties {
    /// Refuses a directory of another cluster or broker.
    pub(super) fn check(&self, path: &Path, identity: &Identity) -> Result<(), Error> {
        let foreign = |reason: String| Err(Error::Foreign { path: path.to_owned(), reason });
        if self.cluster_id != identity.cluster_id {
            return foreign(format!("cluster.id is {}, not {}", self.cluster_id, identity.cluster_id));
        }
        if self.node_id != identity.node_id {
            return foreign(format!("node.id is {}, not {}", self.node_id, identity.node_id));
        }
        Ok(())
    }
}

/// Reads the file; `None` when the directory was never formatted.
pub(super) fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<MetaProperties>, Error> {
    let path = directory.join(META_PROPERTIES);
    let bytes = match read_file(disk, &path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", &path, error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    let value = |key: &str| {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| name.trim() == key)
            .map(|(_, value)| value.trim())
    };
    let missing = |key: &str| Error::corrupt(&path, format!("no valid {key}"));
    if value("version") != Some("1") {
        return Err(missing("version (1 is known)"));
    }
    let node_id = value("node.id").and_then(|id| id.parse().ok()).ok_or_else(|| missing("node.id"))?;
    Ok(Some(MetaProperties {
        cluster_id: value("cluster.id").ok_or_else(|| missing("cluster.id"))?.to_owned(),
        node_id: BrokerId(node_id),
        directory_id: value("directory.id").and_then(Uuid::parse).ok_or_else(|| missing("directory.id"))?,
    }))
}

/// Writes the file of a new directory and makes it durable.
pub(super) fn format(
    disk: &dyn Disk,
    directory: &Path,
    identity: &Identity,
    directory_id: DirectoryId,
) -> Result<MetaProperties, Error> {
    let path = directory.join(META_PROPERTIES);
    let Identity { cluster_id, node_id } = identity;
    let text =
        format!("#\nnode.id={node_id}\ndirectory.id={directory_id}\nversion=1\ncluster.id={cluster_id}\n");
    replace_file(disk, &path, text.as_bytes()).map_err(|e| Error::io("write", &path, e))?;
    Ok(MetaProperties { cluster_id: cluster_id.clone(), node_id: *node_id, directory_id })
}

//! What an earlier run left in a log directory.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use protocol::id::{TopicId, TopicPartition, Uuid};

use super::meta_properties::{self, MetaProperties};
use super::{Directory, NAME_BYTES_MAX};
use crate::disk::Disk;
use crate::error::Error;
use crate::log::Start;
use crate::names;
use crate::partition_metadata;

/// How a partition's folder was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// By a clean close, of this topic: opening it touches no file.
    Clean(TopicId),
    /// In any other way: opening it recovers it.
    Unclean(TopicId),
}

/// What `meta.properties` of a directory says, without opening the directory; `None` when it has none.
///
/// # Errors
/// What the disk says, or that the file is none.
pub fn read_meta_properties(disk: &dyn Disk, path: &Path) -> Result<Option<MetaProperties>, Error> {
    meta_properties::read(disk, path)
}

impl Directory {
    /// How a partition that was not opened so far was left; `None` when it has no folder, or one that got neither
    /// metadata nor records before its maker was stopped.
    ///
    /// # Errors
    /// What the disk says, or that its `partition.metadata` is none: then it cannot be told whose records it holds.
    pub fn left(&self, partition: &TopicPartition) -> Result<Option<Left>, Error> {
        match self.starts.lock().unwrap_or_else(PoisonError::into_inner).get(partition) {
            None => return Ok(None),
            Some(Start::Clean(state)) => return Ok(Some(Left::Clean(state.topic_id))),
            Some(Start::Unclean { .. }) => {}
        }
        let folder = self.folder(partition);
        let topic_id = partition_metadata::read(self.disk(), &folder)?;
        let entries = self.disk().list(&folder).map_err(|e| Error::io("list", &folder, e))?;
        if topic_id.is_zero()
            && !entries.iter().any(|entry| entry.len > 0 && entry.name.ends_with(names::LOG))
        {
            self.starts.lock().unwrap_or_else(PoisonError::into_inner).remove(partition);
            return Ok(None);
        }
        Ok(Some(Left::Unclean(topic_id)))
    }

    /// Renames the folder of a partition that nobody opened and whose topic is deleted. The returned folder is to be
    /// removed with [`super::remove_folder`].
    ///
    /// # Errors
    /// What the disk says.
    pub fn delete_left(&self, partition: &TopicPartition, unique: Uuid) -> Result<PathBuf, Error> {
        self.rename_left(partition, &self.deleted_folder(partition, unique))
    }

    /// Renames the folder of a partition that nobody opened and that belongs to no topic, as Kafka names it: it is in
    /// nobody's way, and whoever misses the records finds them there. Where it is now.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keep_stray(&self, partition: &TopicPartition, unique: Uuid) -> Result<PathBuf, Error> {
        self.rename_left(partition, &self.folder_with_suffix(partition, unique, names::STRAY_FOLDER))
    }

    fn rename_left(&self, partition: &TopicPartition, to: &Path) -> Result<PathBuf, Error> {
        let from = self.folder(partition);
        let failed = |error| Error::io("rename", &from, error);
        self.disk().rename(&from, to).map_err(failed)?;
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).remove(partition);
        self.points.forget(partition);
        self.disk().sync_directory(&self.path).map_err(failed)?;
        Ok(to.to_owned())
    }

    /// Where a folder goes that waits for its removal.
    pub(super) fn deleted_folder(&self, partition: &TopicPartition, unique: Uuid) -> PathBuf {
        self.folder_with_suffix(partition, unique, names::DELETE_FOLDER)
    }

    fn folder_with_suffix(&self, partition: &TopicPartition, unique: Uuid, suffix: &str) -> PathBuf {
        let unique: String = unique.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let tail = format!("-{}.{unique}{suffix}", partition.partition);
        // Topic names are ASCII.
        let topic: String = partition.topic.chars().take(NAME_BYTES_MAX - tail.len()).collect();
        self.path.join(format!("{topic}{tail}"))
    }
}

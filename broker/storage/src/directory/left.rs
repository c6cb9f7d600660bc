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
    /// How a partition that was not opened so far was left; `None` when it has no folder.
    ///
    /// # Errors
    /// What the disk says, or that its `partition.metadata` is none.
    pub fn left(&self, partition: &TopicPartition) -> Result<Option<Left>, Error> {
        let starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        match starts.get(partition) {
            None => Ok(None),
            Some(Start::Clean(state)) => Ok(Some(Left::Clean(state.topic_id))),
            Some(Start::Unclean { .. }) => {
                drop(starts);
                let topic_id = partition_metadata::read(self.disk(), &self.folder(partition))?;
                Ok(Some(Left::Unclean(topic_id)))
            }
        }
    }

    /// Renames the folder of a partition that nobody opened and that belongs to no topic any more. The returned
    /// folder is to be removed with [`super::remove_folder`].
    ///
    /// # Errors
    /// What the disk says.
    pub fn delete_stray(&self, partition: &TopicPartition, unique: Uuid) -> Result<PathBuf, Error> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).remove(partition);
        let (from, to) = (self.folder(partition), self.deleted_folder(partition, unique));
        let failed = |error| Error::io("rename", &from, error);
        self.disk().rename(&from, &to).map_err(failed)?;
        self.disk().sync_directory(&self.path).map_err(failed)?;
        Ok(to)
    }

    /// Where a folder goes that waits for its removal.
    pub(super) fn deleted_folder(&self, partition: &TopicPartition, unique: Uuid) -> PathBuf {
        let unique: String = unique.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let tail = format!("-{}.{unique}{}", partition.partition, names::DELETE_FOLDER);
        // Topic names are ASCII.
        let topic: String = partition.topic.chars().take(NAME_BYTES_MAX - tail.len()).collect();
        self.path.join(format!("{topic}{tail}"))
    }
}

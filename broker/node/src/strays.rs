//! What an earlier run left in the log directory: which of it is a partition's log, which is to be removed, and which
//! belongs to nobody.
//!
//! Only a deletion removes records: a topic whose removal was replayed, or a folder that a deletion renamed. Whatever
//! else the image does not know may be all that is left of somebody's records, and is kept under another name.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use machines::image::{MetadataImage, TopicImage};
use protocol::id::{TopicId, TopicPartition};
use storage::Left;

use crate::effects::{Effects, Job, Ticket, TicketKind};
use crate::hosting::Removal;
use crate::node::Node;
use crate::partition::Partition;

/// The metadata log's folder lies among the partitions'.
const METADATA_TOPIC: &str = "__cluster_metadata";

impl Node {
    /// What a folder holds of this topic's partition; one of another topic is put aside first (KAFKA-14616).
    ///
    /// # Errors
    /// It cannot be told whose records it holds.
    pub(crate) fn left_behind(
        &self,
        name: &TopicPartition,
        id: TopicId,
        effects: &mut Effects,
    ) -> Result<Option<Left>, storage::Error> {
        let Some(left) = self.directory().left(name)? else { return Ok(None) };
        let (Left::Clean(owner) | Left::Unclean(owner)) = left;
        if owner == id {
            return Ok(Some(left));
        }
        if let Err(error) = self.keep_stray(name, effects) {
            self.directory_failed(&error, effects);
            return Err(error);
        }
        Ok(None)
    }

    /// Whether the folder of a partition that has no open log is there, and its own.
    pub(crate) fn is_left(&self, partition: &Partition) -> bool {
        let left = self.directory().left(&partition.name());
        matches!(left, Ok(Some(Left::Clean(owner) | Left::Unclean(owner))) if owner == partition.topic_id)
    }

    /// A topic was deleted whose logs are not open: the process was stopped before it had removed them.
    pub(crate) fn delete_left(&self, topic: &TopicImage, effects: &mut Effects) {
        let mut folders = Vec::new();
        for (partition, _) in topic.partitions() {
            let name = TopicPartition { topic: topic.name.to_string(), partition };
            let Ok(Some(Left::Clean(owner) | Left::Unclean(owner))) = self.directory().left(&name) else {
                continue;
            };
            if owner == topic.id {
                folders.extend(self.delete_folder(&name, effects));
            }
        }
        self.remove_folders(folders, effects);
    }

    /// Folders of partitions that the image does not have are kept as strays; what deletions left is removed.
    pub(crate) fn put_strays_aside(&self, image: &MetadataImage, effects: &mut Effects) {
        let directory = self.directory();
        let hosted: BTreeSet<TopicPartition> = image
            .topics()
            .flat_map(|topic| {
                topic
                    .partitions()
                    .map(|(partition, _)| TopicPartition { topic: topic.name.to_string(), partition })
            })
            .collect();
        let strays = directory.partitions().into_iter();
        self.keep_strays(
            strays.filter(|name| !hosted.contains(name) && name.topic != METADATA_TOPIC),
            effects,
        );
        self.remove_folders(directory.leftovers().to_vec(), effects);
    }

    fn keep_strays(&self, strays: impl IntoIterator<Item = TopicPartition>, effects: &mut Effects) {
        for stray in strays {
            if let Err(error) = self.keep_stray(&stray, effects) {
                self.directory_failed(&error, effects);
            }
        }
    }

    fn keep_stray(&self, stray: &TopicPartition, effects: &mut Effects) -> Result<(), storage::Error> {
        let folder = self.directory().keep_stray(stray, self.random_uuid())?;
        let kept = folder.display();
        effects.notices.push(format!("{stray} is no partition of a topic of this cluster: kept as {kept}"));
        Ok(())
    }

    /// Renames the folder of a deleted partition whose log is not open, for its removal.
    pub(crate) fn delete_folder(&self, name: &TopicPartition, effects: &mut Effects) -> Option<PathBuf> {
        match self.directory().delete_left(name, self.random_uuid()) {
            Ok(folder) => Some(folder),
            Err(error) => {
                self.directory_failed(&error, effects);
                None
            }
        }
    }

    /// Removes renamed folders by a job.
    pub(crate) fn remove_folders(&self, folders: Vec<PathBuf>, effects: &mut Effects) {
        if !folders.is_empty() {
            let removal = Removal::folders(self.directory(), folders);
            effects.jobs.push((Ticket(TicketKind::Nobody), Job::Remove(Arc::new(removal))));
        }
    }
}

#[cfg(test)]
mod tests;

//! The partitions that this broker hosts follow the metadata image: logs are made, opened, reconfigured
//! and deleted as topics come, change and go.

use std::path::PathBuf;
use std::sync::Arc;

use machines::image::{MetadataImage, TopicImage};
use protocol::id::PartitionIndex;
use storage::{Directory, DirectoryState, Left, remove_files, remove_folder};

use crate::coordinator::OFFSETS_TOPIC;
use crate::effects::{Effects, Now};
use crate::metadata::Changes;
use crate::node::Node;
use crate::partition::Partition;
use crate::recovery::Abandoned;
use crate::table::{HostedTopic, Table};
use crate::topic_settings::TopicSettings;

/// Folders and files that were renamed for deletion.
#[derive(Debug)]
pub struct Removal {
    directory: Arc<Directory>,
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Removal {
    pub(crate) fn folders(directory: &Arc<Directory>, folders: Vec<PathBuf>) -> Self {
        Self { directory: Arc::clone(directory), folders, files: Vec::new() }
    }

    pub(crate) fn files(directory: &Arc<Directory>, files: Vec<PathBuf>) -> Self {
        Self { directory: Arc::clone(directory), folders: Vec::new(), files }
    }

    /// Removes them. What cannot be removed is found again as a leftover at the next start.
    pub(crate) fn run(&self) -> Result<(), storage::Error> {
        let disk = self.directory.files().disk();
        self.folders.iter().try_for_each(|folder| remove_folder(disk, folder))?;
        remove_files(disk, &self.files)
    }
}

impl Node {
    /// Brings partitions and table in line with an image, then shows both to readers.
    pub(crate) fn publish(
        &self,
        now: Now,
        image: &Arc<MetadataImage>,
        changes: &Changes,
        effects: &mut Effects,
    ) {
        if changes.brokers_configured {
            self.reconfigure(image, effects);
        }
        let mut table = Table::clone(&self.table());
        let mut topics = changes.topics.clone();
        if changes.brokers_configured {
            // Defaults of every topic may have changed.
            topics.extend(image.topics().map(|topic| topic.id));
        }
        // Deletions first: a topic that is new may have the name of one that is gone.
        for topic in changes.deleted.values() {
            self.unhost(topic, &mut table, effects);
        }
        if !changes.deleted.is_empty() {
            // Before anybody can commit for a new topic of the same name.
            let names: Vec<&str> = changes.deleted.values().map(|topic| &*topic.name).collect();
            self.forget_offsets(now, &names, effects);
        }
        let mut without_log = Vec::new();
        for topic in topics.iter().filter_map(|id| image.topic_by_id(*id)) {
            self.host(now, image, topic, (&mut table, &mut without_log), effects);
        }
        self.show(table, Arc::clone(image));
        // A log that was recovered meanwhile took up what the image before said.
        for partition in without_log {
            if let Some(registration) = image.partition_by_id(partition.topic_id, partition.index) {
                partition.apply(now, registration, effects);
            }
        }
        if self.directory_state() == DirectoryState::Offline {
            // It failed while logs were made that were not in the table so far.
            self.close_all(effects);
        }
    }

    fn host(
        &self,
        now: Now,
        image: &MetadataImage,
        topic: &Arc<TopicImage>,
        (table, without_log): (&mut Table, &mut Vec<Arc<Partition>>),
        effects: &mut Effects,
    ) {
        let local = self.config().node_id;
        let settings = Arc::new(TopicSettings::resolve(&self.config(), image, &topic.name));
        let before = table.by_id(topic.id).cloned();
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for (index, registration) in topic.partitions() {
            if !registration.replicas.contains(&local) {
                partitions.push(None);
                continue;
            }
            let known = before.as_ref().and_then(|hosted| hosted.partition(index)).cloned();
            let partition = match known {
                Some(partition) => {
                    partition.configure(now, &settings, effects);
                    partition
                }
                None => self.open_partition(now, topic, index, &settings, effects),
            };
            if !partition.apply(now, registration, effects) {
                without_log.push(Arc::clone(&partition));
            }
            partitions.push(Some(partition));
        }
        table.insert(HostedTopic { name: Arc::clone(&topic.name), id: topic.id, settings, partitions });
    }

    /// A partition that this broker did not host: its log is made, or opened where one was left.
    fn open_partition(
        &self,
        now: Now,
        topic: &TopicImage,
        index: PartitionIndex,
        settings: &Arc<TopicSettings>,
        effects: &mut Effects,
    ) -> Arc<Partition> {
        let identity = (Arc::clone(&topic.name), topic.id, index);
        let local = self.config().node_id;
        let queue = Arc::clone(self.recovery_queue());
        let partition = Partition::new(identity, local, Arc::clone(settings), queue);
        let partition =
            if *topic.name == *OFFSETS_TOPIC { partition.with_coordinator() } else { Arc::new(partition) };
        if !self.waits_for_name(&partition) {
            self.open_log(now, &partition, effects);
        }
        partition
    }

    /// Gives a partition its log: what its folder holds, recovered by a job where that is needed, or a new one.
    pub(crate) fn open_log(&self, now: Now, partition: &Arc<Partition>, effects: &mut Effects) {
        let directory = self.directory();
        if directory.state() == DirectoryState::Offline {
            return;
        }
        let name = partition.name();
        let config = partition.lock().settings.log.clone();
        let opened = match self.left_behind(&name, partition.topic_id, effects) {
            Ok(Some(Left::Clean(_))) => directory.open_log(&name, config, now.wall).map(|(log, _)| log),
            Ok(Some(Left::Unclean(_))) => return self.recover(now, partition, effects),
            Ok(None) => directory.create_log(&name, partition.topic_id, config, now.wall),
            // Nothing is made in the place of what may be this partition's log.
            Err(error) if error.is_fatal() => return Self::note_offline(partition, &error, effects),
            Err(error) => Err(error),
        };
        match opened {
            Ok(log) => partition.opened(log),
            Err(error) => self.not_opened(partition, &error, effects),
        }
    }

    /// Opens the logs for which there was no room on the disk before, or no descriptor.
    pub(crate) fn open_left_out(&self, now: Now, effects: &mut Effects) {
        if self.directory_state() != DirectoryState::Online || !self.space().take_left_out() {
            return;
        }
        for partition in self.table().partitions().filter(|partition| partition.is_left_out()) {
            if self.recovery_queue().has(partition) || self.waits_for_name(partition) {
                // What it waits for is about to end.
                self.space().note_left_out();
                continue;
            }
            if !partition.take_left_out() || partition.lock().log.is_some() {
                continue;
            }
            self.open_log(now, partition, effects);
            // Asked for behind the opening: an image that was shown before it found no log here.
            let image = Arc::clone(&self.image());
            if let Some(registration) = image.partition_by_id(partition.topic_id, partition.index) {
                partition.apply(now, registration, effects);
            }
        }
    }

    /// A topic is gone: its logs are closed, renamed and removed.
    fn unhost(&self, deleted: &TopicImage, table: &mut Table, effects: &mut Effects) {
        let Some(topic) = table.remove(deleted.id) else { return self.delete_left(deleted, effects) };
        let directory = self.directory();
        let mut folders = Vec::new();
        for partition in topic.partitions.iter().flatten() {
            // First, so that no log that is recovered at this moment is opened behind it.
            let abandoned = self.recovery_queue().abandon(partition);
            let renamed = match (partition.close(effects), abandoned) {
                (Some(mut log), _) => directory.delete_log(&partition.name(), &mut log, self.random_uuid()),
                (None, Abandoned::Waiting) => directory.delete_left(&partition.name(), self.random_uuid()),
                (None, Abandoned::Running) => continue,
                (None, Abandoned::Unknown) => {
                    // Its log could not be opened, or its directory is offline.
                    if !self.is_left(partition) {
                        continue;
                    }
                    directory.delete_left(&partition.name(), self.random_uuid())
                }
            };
            match renamed {
                Ok(folder) => folders.push(folder),
                Err(error) => self.directory_failed(&error, effects),
            }
        }
        self.remove_folders(folders, effects);
    }
}

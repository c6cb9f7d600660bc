//! Replaying what is committed: into the image, then into the partitions that are hosted here, then the replies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use machines::image::{Change, MetadataImage, TopicImage};
use machines::quorum::{Entry, Payload, batch, snapshot};
use protocol::id::TopicId;
use protocol::records::BatchHeader;

use super::persist::PersistMetadata;
use super::waiting::Outcome;
use super::{Applier, Metadata, Waiting};
use crate::effects::{Effects, Job, Now, Ticket, TicketKind};
use crate::node::Node;

/// What changed, for those who follow the image.
#[derive(Default)]
pub(crate) struct Changes {
    /// Topics of which a partition or the configuration changed.
    pub(crate) topics: BTreeSet<TopicId>,
    /// Topics that are gone.
    pub(crate) deleted: BTreeMap<TopicId, Arc<TopicImage>>,
    /// Configuration of brokers changed, which every topic may take defaults from.
    pub(crate) brokers_configured: bool,
}

impl Node {
    /// Replays all that is committed; on whatever thread found that out.
    pub(crate) fn apply_metadata(&self, now: Now, effects: &mut Effects) {
        let metadata = self.metadata();
        let mut applier = metadata.applier.lock();
        let entries: Vec<Entry> = metadata.state.lock().committed.drain(..).collect();
        if !entries.is_empty() {
            let mut changes = Changes::default();
            for entry in &entries {
                applier.replay(entry, &mut changes);
            }
            let image = Arc::new(applier.image.clone());
            self.publish(now, &image, &changes, effects);
            self.activate(now, &image, &entries, effects);
            self.follow_lifecycle(now, &image, effects);
            metadata.snapshot_if_due(now, self, &mut applier, effects);
            for waiting in metadata.take_applied(applier.applied) {
                self.committed(now, waiting, effects);
            }
        }
        drop(applier);
    }

    /// A decision is committed and applied.
    pub(crate) fn committed(&self, now: Now, waiting: Waiting, effects: &mut Effects) {
        match waiting {
            Waiting::Request(parked) => self.answer(now, &parked, Outcome::Committed, effects),
            Waiting::Lifecycle => self.lifecycle_done(now, effects),
            Waiting::ProducerIds(block) => self.producer_ids_granted(block, effects),
            Waiting::Bootstrap => {}
        }
    }

    /// Nobody knows what becomes of a decision: who asked has to ask the next controller.
    pub(crate) fn lost(&self, now: Now, waiting: Waiting, effects: &mut Effects) {
        match waiting {
            Waiting::Request(parked) => self.answer(now, &parked, Outcome::Lost, effects),
            Waiting::ProducerIds(_) => self.producer_ids_granted(None, effects),
            other => self.committed(now, other, effects),
        }
    }
}

impl Applier {
    fn replay(&mut self, entry: &Entry, changes: &mut Changes) {
        assert_eq!(entry.index, self.applied + 1, "entries are replayed in order");
        self.applied = entry.index;
        let provenance = &mut self.image.provenance;
        provenance.end_offset = entry.end_offset();
        provenance.epoch = entry.leader_epoch();
        let Payload::Records(bytes) = &entry.payload else { return };
        if let Ok(header) = BatchHeader::parse(bytes) {
            self.image.provenance.timestamp = header.max_timestamp;
        }
        self.bytes_since_snapshot += bytes.len() as u64;
        let records =
            batch::decode_records(bytes).expect("a committed batch was checked when it was written");
        for record in &records {
            // The same records give the same image everywhere: one that does not fit is a bug, and this broker must
            // not serve from an image that others do not have.
            let change = self.image.apply(record).expect("a committed record fits the image");
            changes.note(change, &self.image);
        }
    }
}

impl Changes {
    fn note(&mut self, change: Change, image: &MetadataImage) {
        use machines::image::ResourceType::{Broker, Topic};
        match change {
            Change::TopicCreated(id) | Change::PartitionCreated(id, _) | Change::PartitionChanged(id, _) => {
                self.topics.insert(id);
            }
            Change::TopicDeleted(topic) => {
                self.deleted.insert(topic.id, topic);
            }
            Change::Config(resource, _) if resource.resource_type == Topic => {
                self.topics.extend(image.topic(&resource.name).map(|topic| topic.id));
            }
            Change::Config(resource, _) => self.brokers_configured |= resource.resource_type == Broker,
            Change::Nothing | Change::Broker(_) | Change::Feature(_) | Change::ProducerIds => {}
        }
    }
}

impl Metadata {
    fn take_applied(&self, applied: u64) -> Vec<Waiting> {
        let mut state = self.state.lock();
        let later = state.appended.split_off(&(applied + 1));
        std::mem::replace(&mut state.appended, later).into_values().flatten().collect()
    }

    fn snapshot_if_due(&self, now: Now, node: &Node, applier: &mut Applier, effects: &mut Effects) {
        let mut state = self.state.lock();
        let limit = node.config().metadata_log_max_record_bytes_between_snapshots;
        if !state.snapshot_wanted && applier.bytes_since_snapshot < limit {
            return;
        }
        let end_offset = applier.image.provenance.end_offset;
        let Some(meta) = state.quorum.snapshot_meta(end_offset) else { return };
        state.snapshot_wanted = false;
        drop(state);
        let Ok(bytes) = snapshot::encode(&meta, applier.image.records(), applier.image.provenance.timestamp)
        else {
            return;
        };
        applier.bytes_since_snapshot = 0;
        applier.snapshot_end = end_offset;
        let work = PersistMetadata::snapshot(&self.journal, now.wall, meta, bytes);
        effects.jobs.push((Ticket(TicketKind::Metadata), Job::PersistMetadata(Box::new(work))));
    }
}

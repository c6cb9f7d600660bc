//! Judges what clients see: it knows what was acknowledged and what was read, and says what must not be.

mod counters;
mod groups;
mod log;
mod look_up;
mod topic;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use protocol::id::{ProducerEpoch, ProducerId, TopicId};

pub use counters::Counters;
pub(crate) use groups::Groups;
pub(crate) use log::{Fact, Log};
pub(crate) use look_up::Span;
pub(crate) use topic::{Kind, Place, Topic};
pub(crate) use value::{Value, batch};

/// All that is known.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    topics: BTreeMap<String, Topic>,
    /// Topics whose deletion was acknowledged, and when.
    deleted: BTreeMap<TopicId, u64>,
    /// Names that were asked to be created without an answer so far, for what.
    creations: BTreeMap<String, (Kind, i32)>,
    logs: BTreeMap<Place, Log>,
    producers: BTreeSet<(ProducerId, ProducerEpoch)>,
    next_producer: u32,
    /// The power was lost, and what that took is not yet found out.
    pub(crate) cut_pending: bool,
    pub(crate) power_losses: u64,
    /// When the broker's directory went offline: nothing that was sent later may be acknowledged.
    pub(crate) offline_since: Option<u64>,
    /// The cluster's id, once it was told.
    cluster_id: Option<String>,
    pub(crate) groups: Groups,
    pub(crate) counters: Counters,
}

impl Oracle {
    /// Topics that exist and that nobody asked to delete.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values().filter(|topic| !topic.deletion_asked)
    }

    pub(crate) fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    pub(crate) fn topic_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.topics.get_mut(name)
    }

    /// The topic with this identity, if it is the one of its name.
    pub(crate) fn by_id(&self, id: TopicId) -> Option<&Topic> {
        self.topics.values().find(|topic| topic.id == id)
    }

    pub(crate) fn log(&mut self, place: Place) -> &mut Log {
        self.logs.entry(place).or_default()
    }

    pub(crate) fn floor(&self, place: Place) -> i64 {
        self.logs.get(&place).map_or(0, Log::floor)
    }

    /// A number for a new incarnation of a producer.
    pub(crate) const fn producer(&mut self) -> u32 {
        self.next_producer += 1;
        self.next_producer
    }

    /// A producer id was given out, which nobody may have got before.
    pub(crate) fn producer_id(&mut self, id: ProducerId, epoch: ProducerEpoch) -> Result<(), String> {
        if self.producers.insert((id, epoch)) {
            return Ok(());
        }
        Err(format!("producer id {id} epoch {epoch} was given out twice"))
    }

    /// A topic is asked to be created.
    pub(crate) fn creating(&mut self, name: &str, kind: Kind, partitions: i32) {
        self.creations.insert(name.to_owned(), (kind, partitions));
    }

    /// The creation was refused.
    pub(crate) fn not_created(&mut self, name: &str) {
        self.creations.remove(name);
    }

    /// A topic that had been asked for is there.
    pub(crate) fn created(&mut self, name: &str, id: TopicId, now: u64) -> Result<(), String> {
        let Some((kind, partitions)) = self.creations.remove(name) else {
            return Err(format!("topic {name} exists, and nobody created it"));
        };
        if self.deleted.contains_key(&id) {
            return Err(format!("topic {name} was created with the id of a deleted one"));
        }
        self.counters.created += 1;
        let topic = Topic {
            name: name.to_owned(),
            id,
            kind,
            partitions,
            created_at: now,
            grown_at: now,
            partitions_maybe: partitions,
            configs: BTreeMap::new(),
            configs_maybe: Vec::new(),
            deletion_asked: false,
        };
        self.topics.insert(name.to_owned(), topic);
        Ok(())
    }

    /// A topic that was asked to be deleted is gone.
    pub(crate) fn deleted(&mut self, name: &str, now: u64) {
        let Some(topic) = self.topics.remove(name) else { return };
        self.counters.deleted += 1;
        self.deleted.insert(topic.id, now);
        self.logs.retain(|(id, _), _| *id != topic.id);
    }

    pub(crate) fn is_deleted(&self, id: TopicId) -> bool {
        self.deleted.contains_key(&id)
    }

    /// Metadata of all topics was read by a request that was sent at `sent`.
    pub(crate) fn listed(
        &mut self,
        found: &[(String, TopicId, i32)],
        sent: u64,
        now: u64,
    ) -> Result<(), String> {
        for (name, id, partitions) in found {
            let replaced = self.topics.get(name).is_some_and(|topic| !topic.deletion_asked);
            match self.topics.get_mut(name).filter(|topic| topic.id == *id) {
                Some(topic) => {
                    if *partitions == topic.partitions_maybe {
                        self.counters.grown += u64::from(topic.partitions != *partitions);
                        topic.grown_at = if topic.partitions == *partitions { topic.grown_at } else { now };
                        topic.partitions = *partitions;
                    } else if *partitions != topic.partitions && topic.grown_at <= sent {
                        return Err(format!("{name} has {partitions} partitions, not {}", topic.partitions));
                    }
                }
                None if self.deleted.get(id).is_some_and(|at| *at <= sent) => {
                    return Err(format!("{name} was deleted and is there again"));
                }
                None if self.deleted.contains_key(id) => {}
                None if replaced => {
                    return Err(format!("{name} has another id than it was created with"));
                }
                None => {
                    self.deleted(name, now);
                    self.created(name, *id, now)?;
                    // Of several creations that were asked for, an earlier one may have come to pass.
                    if let Some(topic) = self.topics.get_mut(name) {
                        (topic.partitions, topic.partitions_maybe) = (*partitions, *partitions);
                    }
                }
            }
        }
        let listed: BTreeSet<TopicId> = found.iter().map(|(_, id, _)| *id).collect();
        let gone: Vec<Topic> =
            self.topics.values().filter(|topic| !listed.contains(&topic.id)).cloned().collect();
        for topic in gone {
            if topic.created_at > sent {
                continue;
            }
            if !topic.deletion_asked {
                return Err(format!("{} is gone, and nobody deleted it", topic.name));
            }
            self.deleted(&topic.name, now);
        }
        Ok(())
    }

    /// Settings of a topic were read.
    pub(crate) fn described(&mut self, name: &str, found: &BTreeMap<String, String>) -> Result<(), String> {
        let Some(topic) = self.topics.get_mut(name) else { return Ok(()) };
        for (key, value) in &topic.configs {
            let maybe = topic.configs_maybe.iter().any(|(k, v)| k == key && found.get(k) == Some(v));
            if found.get(key) != Some(value) && !maybe {
                return Err(format!("{name}: {key} is {:?} and was set to {value}", found.get(key)));
            }
        }
        Ok(())
    }

    /// What was not synced may be gone: the power was lost, or the page cache gave up what a sync had failed for.
    pub(crate) fn unsynced_lost(&mut self) {
        self.groups.unsynced_lost();
        // Nobody scans topics that were to be deleted. Where the power took the deletion, it took records too.
        let doomed = |id: &TopicId| self.topics.values().any(|topic| topic.id == *id && topic.deletion_asked);
        self.logs.retain(|(id, _), _| !doomed(id));
        self.cut_pending = true;
        self.power_losses += 1;
    }

    /// Something that was asked for at `sent` was acknowledged.
    pub(crate) fn acknowledged(&self, sent: u64) -> Result<(), String> {
        match self.offline_since {
            Some(since) if since < sent => Err("acknowledged after the directory went offline".to_owned()),
            _ => Ok(()),
        }
    }

    /// The cluster's id was told: it never changes.
    pub(crate) fn cluster(&mut self, id: &str) -> Result<(), String> {
        match &self.cluster_id {
            Some(known) if known != id => Err(format!("cluster {known} is now called {id}")),
            _ => {
                self.cluster_id = Some(id.to_owned());
                Ok(())
            }
        }
    }

    /// Records known in all.
    pub(crate) fn records(&self) -> usize {
        self.logs.values().map(Log::len).sum()
    }
}

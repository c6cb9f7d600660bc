//! Judges what clients see: it knows what was acknowledged and what was read, and says what must not be.

mod counters;
mod groups;
mod log;
mod look_up;
mod topic;
mod value;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::id::{ProducerEpoch, ProducerId, TopicId};

pub use counters::Counters;
pub(crate) use groups::Groups;
pub(crate) use log::{Fact, Log};
pub(crate) use look_up::Span;
pub(crate) use topic::{Kind, Place, Topic};
pub(crate) use value::{Value, batch};

/// How often it is noted how far the logs go, in nanoseconds.
const LOOK_EVERY: u64 = 10_000_000;

/// Deletions of whatever has a name: several topics may have had it meanwhile.
#[derive(Debug, Default)]
struct Deletions {
    /// How many may still be carried out.
    pending: u32,
    /// When the last one was answered.
    answered: u64,
}

/// A creation that was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Creation {
    pub(crate) kind: Kind,
    pub(crate) partitions: i32,
    /// When.
    pub(crate) sent: u64,
}

/// All that is known.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    topics: BTreeMap<String, Topic>,
    /// Topics whose deletion was acknowledged, and when.
    deleted: BTreeMap<TopicId, u64>,
    /// Creations that were asked for without an answer so far, by name.
    creations: BTreeMap<String, Vec<(Kind, i32)>>,
    /// Deletions of whatever has a name.
    deletions: BTreeMap<String, Deletions>,
    logs: BTreeMap<Place, Log>,
    /// How far every log was seen to go, and when.
    seen: VecDeque<(u64, Vec<(Place, i64)>)>,
    /// When the process began that runs now, or the last one ended.
    process_since: u64,
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

    /// Topics that exist, or may.
    pub(crate) fn all_topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values()
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
        self.creations.entry(name.to_owned()).or_default().push((kind, partitions));
    }

    /// The creation was refused, or came to pass.
    pub(crate) fn take_creation(&mut self, name: &str, kind: Kind, partitions: i32) {
        let pending = self.creations.get_mut(name);
        if let Some(pending) = pending
            && let Some(at) = pending.iter().position(|creation| *creation == (kind, partitions))
        {
            pending.remove(at);
        }
    }

    /// The creation of a topic was acknowledged.
    pub(crate) fn created(
        &mut self,
        name: &str,
        id: TopicId,
        creation: Creation,
        now: u64,
    ) -> Result<(), String> {
        self.take_creation(name, creation.kind, creation.partitions);
        if self.topics.get(name).is_some_and(|topic| topic.id == id) {
            // Somebody's list was faster.
            return Ok(());
        }
        match self.deleted.get(&id) {
            // So was somebody's deletion.
            Some(at) if *at >= creation.sent => return Ok(()),
            Some(_) => return Err(format!("topic {name} was created with the id of a deleted one")),
            None => {}
        }
        self.exists(name, id, (creation.kind, creation.partitions), (creation.sent, now))
    }

    /// A topic is there, by what was asked for at `since` and answered now.
    fn exists(
        &mut self,
        name: &str,
        id: TopicId,
        (kind, partitions): (Kind, i32),
        (since, now): (u64, u64),
    ) -> Result<(), String> {
        if let Some(before) = self.topics.get(name) {
            if !before.deletion_asked {
                return Err(format!("{name} has another id than it was created with"));
            }
            let before = before.id;
            self.deleted(before, now);
        }
        self.counters.created += 1;
        let deletions = self.deletions.get(name);
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
            // What was to delete another one of the name may delete this one.
            deletion_asked: deletions.is_some_and(|asked| asked.pending > 0 || asked.answered >= since),
            asked_at: now,
        };
        self.topics.insert(name.to_owned(), topic);
        Ok(())
    }

    /// Whatever has a name is asked to be deleted.
    pub(crate) fn deleting(&mut self, name: &str) {
        self.deletions.entry(name.to_owned()).or_default().pending += 1;
    }

    /// Such a deletion was carried out, or found nothing.
    pub(crate) fn deletion_answered(&mut self, name: &str, now: u64) {
        let deletions = self.deletions.entry(name.to_owned()).or_default();
        deletions.pending = deletions.pending.saturating_sub(1);
        deletions.answered = now;
    }

    /// A topic that was asked to be deleted is gone.
    pub(crate) fn deleted(&mut self, id: TopicId, now: u64) {
        self.deleted.entry(id).or_insert(now);
        let Some(name) = self.by_id(id).map(|topic| topic.name.clone()) else { return };
        self.topics.remove(&name);
        self.counters.deleted += 1;
        self.logs.retain(|(of, _), _| *of != id);
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
            match self.topics.get_mut(name).filter(|topic| topic.id == *id) {
                Some(topic) => {
                    if topic.asked_at < self.process_since && self.process_since <= sent {
                        // Who was asked has ended, and what it had decided is replayed: nobody deletes it any more.
                        self.counters.undeleted += u64::from(topic.deletion_asked);
                        topic.deletion_asked = false;
                    }
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
                None => {
                    // Of several creations that were asked for, any may have come to pass.
                    let Some((kind, _)) = self.creations.get_mut(name).and_then(Vec::pop) else {
                        return Err(format!("topic {name} exists, and nobody created it"));
                    };
                    self.exists(name, *id, (kind, *partitions), (sent, now))?;
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
            self.deleted(topic.id, now);
        }
        Ok(())
    }

    /// Settings of a topic were read by a request that was sent at `sent`.
    pub(crate) fn described(
        &mut self,
        name: &str,
        found: &BTreeMap<String, String>,
        sent: u64,
    ) -> Result<(), String> {
        let Some(topic) = self.topics.get_mut(name) else { return Ok(()) };
        for (key, (value, _)) in topic.configs.iter().filter(|(_, (_, at))| *at <= sent) {
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
        self.cut_pending = true;
        self.power_losses += 1;
        self.seen.clear();
    }

    /// The broker's process ended.
    pub(crate) fn process_ended(&mut self, now: u64) {
        self.process_since = now;
        self.offline_since = None;
        for deletions in self.deletions.values_mut() {
            deletions.answered = if deletions.pending > 0 { now } else { deletions.answered };
            deletions.pending = 0;
        }
    }

    /// Notes from time to time how far each log is seen to go; not while it is not known what a loss of power took.
    pub(crate) fn look(&mut self, now: u64) {
        if !self.cut_pending && self.seen.back().is_none_or(|(at, _)| *at + LOOK_EVERY <= now) {
            self.seen.push_back((now, self.logs.iter().map(|(place, log)| (*place, log.floor())).collect()));
        }
    }

    /// A checkpoint has come of everything that was seen by then.
    pub(crate) fn is_checkpointed(&mut self, then: u64) {
        while self.seen.front().is_some_and(|(at, _)| *at <= then) {
            for (place, end) in self.seen.pop_front().into_iter().flat_map(|(_, ends)| ends) {
                if let Some(log) = self.logs.get_mut(&place) {
                    log.is_durable_until(end);
                    self.counters.checkpointed += 1;
                }
            }
        }
    }

    /// The broker stopped in order: all that was seen is on the device.
    pub(crate) fn stopped(&mut self) {
        if !self.cut_pending {
            self.logs.values_mut().for_each(|log| log.is_durable_until(log.floor()));
        }
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

//! The partitions of one fetch, in the order in which they are read.

use std::collections::BTreeMap;

use protocol::id::Offset;

use super::{Answer, Asked, PartitionKey};

#[derive(Debug, Clone)]
struct Entry {
    key: PartitionKey,
    asked: Asked,
    /// What the fetcher was last told; -1 after an error, so that its end is told too.
    high_watermark: Offset,
    log_start_offset: Offset,
    /// The response of this fetch has records of it.
    served: bool,
}

/// Entries keep their slots; the order is beside them, so that a served partition goes behind the others
/// without the index being built again.
#[derive(Debug, Clone, Default)]
pub(super) struct Partitions {
    slots: Vec<Entry>,
    free: Vec<usize>,
    order: Vec<usize>,
    index: BTreeMap<PartitionKey, usize>,
}

impl Partitions {
    pub(super) fn new(asked: Vec<(PartitionKey, Asked)>) -> Self {
        let mut partitions = Self {
            slots: Vec::with_capacity(asked.len()),
            order: Vec::with_capacity(asked.len()),
            index: BTreeMap::new(),
            free: Vec::new(),
        };
        partitions.ask(asked);
        partitions
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Adds partitions at the end, or changes what is asked of those that are there.
    pub(super) fn ask(&mut self, asked: Vec<(PartitionKey, Asked)>) {
        for (key, asked) in asked {
            if let Some(slot) = self.index.get(&key) {
                self.slots[*slot].asked = asked;
                continue;
            }
            let entry = Entry {
                key: key.clone(),
                asked,
                high_watermark: Offset::UNKNOWN,
                log_start_offset: Offset::UNKNOWN,
                served: false,
            };
            let slot = match self.free.pop() {
                Some(slot) => {
                    self.slots[slot] = entry;
                    slot
                }
                None => {
                    self.slots.push(entry);
                    self.slots.len() - 1
                }
            };
            self.order.push(slot);
            self.index.insert(key, slot);
        }
    }

    pub(super) fn forget(&mut self, keys: &[PartitionKey]) {
        let before = self.free.len();
        self.free.extend(keys.iter().filter_map(|key| self.index.remove(key)));
        let mut gone = self.free[before..].to_vec();
        if gone.is_empty() {
            return;
        }
        gone.sort_unstable();
        self.order.retain(|slot| gone.binary_search(slot).is_err());
    }

    pub(super) fn get(&self, position: usize) -> (&PartitionKey, &Asked) {
        let entry = &self.slots[self.order[position]];
        (&entry.key, &entry.asked)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&PartitionKey, &Asked)> {
        self.order.iter().map(|slot| (&self.slots[*slot].key, &self.slots[*slot].asked))
    }

    /// Remembers what the fetcher is told, and says whether it must be told (KIP-227: data, a moved high
    /// watermark or log start, an error, a divergence, another replica).
    pub(super) fn tell(&mut self, position: usize, answer: &Answer) -> bool {
        let entry = &mut self.slots[self.order[position]];
        let moved = entry.high_watermark != answer.high_watermark
            || entry.log_start_offset != answer.log_start_offset;
        entry.high_watermark = if answer.is_error { Offset::UNKNOWN } else { answer.high_watermark };
        entry.log_start_offset = answer.log_start_offset;
        entry.served = answer.has_records;
        moved || answer.has_records || answer.is_error || answer.is_diverging || answer.has_preferred_replica
    }

    /// Puts the partitions that were served behind those that were not, so that the next fetch, which may be
    /// full before its end, begins with the others.
    pub(super) fn rotate(&mut self) {
        let slots = &mut self.slots;
        let served: Vec<_> = self.order.iter().copied().filter(|slot| slots[*slot].served).collect();
        if served.is_empty() {
            return;
        }
        self.order.retain(|slot| !slots[*slot].served);
        served.iter().for_each(|slot| slots[*slot].served = false);
        self.order.extend(served);
    }

    /// A new session starts in the order of its first fetch.
    pub(super) fn clear_served(&mut self) {
        self.slots.iter_mut().for_each(|entry| entry.served = false);
    }
}

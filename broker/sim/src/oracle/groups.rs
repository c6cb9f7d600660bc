//! What is known of groups: generations that were synced, and offsets that were committed.
//!
//! A generation counts once a member has its assignment: until then a broker that dies may forget it, and give its
//! number again. What an unsynced loss takes back may be any of what came last; all else stands.

use std::collections::{BTreeMap, BTreeSet};

use super::Place;

/// All groups.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<String, Group>,
    assignments: u64,
}

#[derive(Debug, Default)]
struct Group {
    /// The newest generation of which a member has its assignment.
    synced: i32,
    /// Which assignment each generation got.
    assignments: BTreeMap<i32, u64>,
    /// What leaders asked for, by generation.
    proposed: BTreeSet<(i32, Vec<u8>)>,
    offsets: BTreeMap<Place, Committed>,
}

/// Offsets that a group committed for a partition; later ones are greater.
#[derive(Debug, Clone, Copy)]
struct Committed {
    /// The greatest that was acknowledged; -1 is none.
    acknowledged: i64,
    /// The greatest that anybody asked to commit.
    asked: i64,
}

impl Default for Committed {
    fn default() -> Self {
        Self { acknowledged: -1, asked: -1 }
    }
}

impl Groups {
    fn group(&mut self, name: &str) -> &mut Group {
        self.groups.entry(name.to_owned()).or_default()
    }

    /// What was not synced may be gone.
    pub(crate) fn unsynced_lost(&mut self) {
        for group in self.groups.values_mut() {
            group.synced = 0;
            group.assignments.clear();
            group.offsets.values_mut().for_each(|committed| committed.acknowledged = -1);
        }
    }

    /// The newest generation that everybody has to have left behind, or be in.
    pub(crate) fn generation(&mut self, name: &str) -> i32 {
        self.group(name).synced
    }

    /// A member joined: not in a generation before one that was synced when it asked.
    pub(crate) fn joined(&mut self, name: &str, generation: i32, at_least: i32) -> Result<(), String> {
        let known = self.group(name).synced.min(at_least);
        if generation < known {
            return Err(format!("{name} is in generation {generation} and was in {known}"));
        }
        Ok(())
    }

    /// A leader is about to assign partitions: gives a number for the assignment.
    pub(crate) const fn assignment(&mut self) -> u64 {
        self.assignments += 1;
        self.assignments
    }

    /// A leader asks for a part of its assignment.
    pub(crate) fn proposed(&mut self, name: &str, generation: i32, part: Vec<u8>) {
        self.group(name).proposed.insert((generation, part));
    }

    /// A member got a part of an assignment: a leader asked for it, and the generation has no other.
    pub(crate) fn synced(
        &mut self,
        name: &str,
        generation: i32,
        part: &[u8],
        assignment: u64,
    ) -> Result<(), String> {
        let group = self.group(name);
        if !group.proposed.contains(&(generation, part.to_vec())) {
            return Err(format!("{name} {generation} has an assignment that no leader asked for"));
        }
        let known = *group.assignments.entry(generation).or_insert(assignment);
        if known != assignment {
            return Err(format!(
                "{name} has assignments {known} and {assignment} in generation {generation}"
            ));
        }
        group.synced = group.synced.max(generation);
        Ok(())
    }

    /// The next offset to commit for a partition.
    pub(crate) fn next_offset(&mut self, name: &str, place: Place, ahead: i64) -> i64 {
        let committed = self.group(name).offsets.entry(place).or_default();
        committed.asked += 1 + ahead;
        committed.asked
    }

    /// An offset was committed.
    pub(crate) fn committed(&mut self, name: &str, place: Place, offset: i64) {
        let committed = self.group(name).offsets.entry(place).or_default();
        committed.acknowledged = committed.acknowledged.max(offset);
    }

    /// The least offset that may be found, of what is acknowledged now.
    pub(crate) fn floor(&mut self, name: &str, place: Place) -> i64 {
        self.group(name).offsets.get(&place).map_or(-1, |committed| committed.acknowledged)
    }

    /// An offset was found by a request that was sent when `floor` was acknowledged.
    pub(crate) fn found(&mut self, name: &str, place: Place, offset: i64, floor: i64) -> Result<(), String> {
        let committed = self.group(name).offsets.get(&place).copied().unwrap_or_default();
        // What was lost since the request was sent is forgiven.
        let floor = floor.min(committed.acknowledged);
        if offset < floor {
            return Err(format!("{name} committed {floor} in partition {} and finds {offset}", place.1));
        }
        if offset > committed.asked {
            return Err(format!("{name} finds {offset} in partition {} and never committed it", place.1));
        }
        Ok(())
    }
}

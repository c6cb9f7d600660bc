//! Proof that runs were worth their time: what happened how often, and which APIs were spoken.

use std::collections::{BTreeMap, BTreeSet};

use protocol::api_key::ApiKey;

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// What happened how often in a run, or in several.
        #[derive(Debug, Clone, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $field: u64,)*
            /// Responses of each API.
            pub answers: BTreeMap<ApiKey, u64>,
            /// The APIs that the broker says it serves.
            pub advertised: BTreeSet<ApiKey>,
        }

        impl Counters {
            /// Adds another run's.
            pub fn add(&mut self, other: &Self) {
                $(self.$field += other.$field;)*
                for (key, count) in &other.answers {
                    *self.answers.entry(*key).or_default() += count;
                }
                self.advertised.extend(&other.advertised);
            }

            /// Each with its name.
            #[must_use]
            pub fn fields(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($field), self.$field)),*]
            }
        }
    };
}

counters! {
    /// Requests that clients sent.
    operations,
    /// Records acknowledged.
    acknowledged,
    /// Records read.
    read,
    /// Batches sent again that had been written before.
    duplicates,
    /// Produces with batches for several partitions.
    wide_produces,
    /// Faults of any kind.
    faults,
    /// Processes killed.
    kills,
    /// Times the power went.
    power_losses,
    /// Crashes in the middle of a call to the disk.
    torn_calls,
    /// Logs whose end was cut by recovery.
    torn_ends,
    /// Ordered stops.
    stops,
    /// Connections reset.
    resets,
    /// Jumps of the wall clock forward.
    clock_forward,
    /// Jumps of the wall clock back.
    clock_back,
    /// Writes, and changes of names, that failed with EIO.
    failed_writes,
    /// Syncs that failed with EIO.
    failed_syncs,
    /// Reads that failed with EIO.
    failed_reads,
    /// Times a directory went offline.
    offline,
    /// Starts that a failing or full disk prevented.
    failed_starts,
    /// Times the page cache gave up what a failed sync had not written.
    evictions,
    /// Times the disk became full.
    full_disks,
    /// Calls that found no room.
    found_no_room,
    /// Appends refused because of the disk.
    refused_appends,
    /// Fetches that found nothing in memory.
    cold_reads,
    /// Logs that were recovered.
    recoveries,
    /// Times a log was held to what a checkpoint must have made durable.
    checkpointed,
    /// Topics that outlived a request for their deletion.
    undeleted,
    /// Records that a loss of power took, as their topic allows.
    records_lost,
    /// Partitions whose oldest records retention deleted.
    retentions,
    /// Logs whose start DeleteRecords moved.
    starts_moved,
    /// Decisions refused because the metadata log takes none so large.
    too_large,
    /// Topics created.
    created,
    /// Topics deleted.
    deleted,
    /// Topics that got more partitions.
    grown,
    /// Fetches answered in a session that had begun before.
    session_fetches,
    /// Times in which jobs took long.
    slow_phases,
    /// Incarnations of idempotent producers that a loss of power ended.
    producers_reset,
    /// Offsets looked up by time and compared.
    times_checked,
    /// Ends of leader epochs compared that were not the newest.
    epochs_checked,
    /// Requests fenced by their leader epoch.
    fenced,
    /// Lists of all topics and partitions, read page by page and compared.
    lists_checked,
    /// Pages of such lists that ended within a topic.
    cursors,
    /// Logs from which groups were read.
    group_loads,
    /// Members that got into a generation.
    group_joins,
    /// Members that got their part of an assignment.
    group_syncs,
    /// Static members that found their generation again.
    static_returns,
    /// Members that forgot who they were.
    members_crashed,
    /// Members that took leave.
    members_left,
    /// Offsets committed by members.
    offset_commits,
    /// Commits that were refused.
    refused_commits,
    /// Committed offsets read and compared.
    offset_fetches,
    /// Committed offsets that were deleted.
    offsets_deleted,
    /// Groups that were deleted.
    groups_deleted,
    /// Groups in lists of them.
    groups_listed,
}

impl Counters {
    /// What never happened, and the APIs that nobody spoke.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let never = self.fields().into_iter().filter(|(_, count)| *count == 0);
        let unspoken = self.advertised.iter().filter(|key| !self.answers.contains_key(key));
        let never = never.map(|(name, _)| format!("there were no {name}"));
        never.chain(unspoken.map(|key| format!("no {key} was answered"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_named() {
        let mut counters = Counters { kills: 1, ..Counters::default() };
        counters.advertised.extend([ApiKey::Fetch, ApiKey::Produce]);
        counters.answers.insert(ApiKey::Fetch, 3);
        let missing = counters.missing();
        assert!(missing.contains(&"no Produce was answered".to_owned()));
        assert!(!missing.iter().any(|line| line.contains("Fetch") || line.contains("kills")));
    }
}

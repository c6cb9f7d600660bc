//! The node's values at the moment of a scrape, on the scraper's thread.

use std::sync::{Arc, OnceLock, Weak};

use node::{Node, NodeView};
use protocol::id::Timestamp;

use crate::disk::Stalls;
use crate::metrics::declared::*;
use crate::metrics::{Families, PartitionSample, Source, counters};
use crate::shell::Shell;

/// Scrapes a shell's node, from when it is there for as long as it runs.
pub(crate) struct NodeSource {
    shell: OnceLock<Weak<Shell>>,
    stalls: Stalls,
}

impl NodeSource {
    pub(crate) const fn new(stalls: Stalls) -> Self {
        Self { shell: OnceLock::new(), stalls }
    }

    /// From here on there is something to scrape.
    pub(crate) fn started(&self, shell: &Arc<Shell>) {
        // Nobody else sets it.
        let _ = self.shell.set(Arc::downgrade(shell));
    }

    fn shell(&self) -> Option<Arc<Shell>> {
        self.shell.get()?.upgrade()
    }
}

impl Source for NodeSource {
    fn scrape(&self, families: &mut Families) {
        let Some(shell) = self.shell() else { return };
        families.count(&BROKER_ID, &[], u64::from(shell.node.config().node_id.0.unsigned_abs()));
        counters::scrape(&shell.node.metrics().snapshot(), families);
        families.count(&REQUEST_MEMORY_BYTES, &[], shell.request_memory.used_bytes());
        let sums = partitions(&shell.node, families);
        gauges(&shell.node.view(), &sums, families);
        groups(&shell.node, shell.clock.now().wall, families);
        families.seconds(&WRITE_STALL_SECONDS, &[], self.stalls.read_ns());
    }

    fn ready(&self) -> Result<(), String> {
        let shell = self.shell().ok_or("the broker is starting")?;
        match shell.node.recovering() {
            _ if shell.node.is_ready() => Ok(()),
            0 => Err("the broker is fenced".to_owned()),
            count => Err(format!("{count} partitions are being recovered")),
        }
    }
}

/// Sums over the partitions that are open.
#[derive(Default)]
struct Sums {
    leaders: u64,
    under_replicated: u64,
    under_min_isr: u64,
    size_bytes: u64,
    unsynced_bytes: u64,
}

fn partitions(node: &Node, families: &mut Families) -> Sums {
    let mut sums = Sums::default();
    node.visit_partitions(|view| {
        sums.leaders += u64::from(view.is_leader);
        sums.under_replicated += u64::from(view.is_under_replicated);
        sums.under_min_isr += u64::from(view.is_under_min_isr);
        sums.size_bytes += view.size_bytes;
        sums.unsynced_bytes += view.unsynced_bytes;
        families.partition(&PartitionSample {
            topic: view.topic,
            partition: view.partition.0,
            log_start_offset: view.log_start_offset.0,
            high_watermark: view.high_watermark.0,
            log_end_offset: view.log_end_offset.0,
            size_bytes: view.size_bytes,
            leader_epoch: view.leader_epoch.0,
            is_leader: view.is_leader,
        });
    });
    sums
}

fn groups(node: &Node, now: Timestamp, families: &mut Families) {
    let counts = node.group_counts();
    for (state, count) in [
        ("Empty", counts.empty),
        ("PreparingRebalance", counts.preparing_rebalance),
        ("CompletingRebalance", counts.completing_rebalance),
        ("Stable", counts.stable),
    ] {
        families.count(&GROUPS, &[state], count as u64);
    }
    for (metric, value) in [
        (&GROUP_MEMBERS, counts.members as u64),
        (&GROUP_OFFSETS, counts.offsets as u64),
        (&GROUP_IGNORED_RECORDS, counts.ignored_records),
        (&GROUP_REBALANCES, counts.rebalances),
        (&GROUP_OFFSET_COMMITS, counts.offset_commits),
        (&GROUP_OFFSET_EXPIRATIONS, counts.offset_expirations),
    ] {
        families.count(metric, &[], value);
    }
    let left_out = node.visit_group_lag(now, |lag| families.group_lag(&lag));
    families.count(&UNLISTED_GROUP_PARTITIONS, &[], left_out);
}

fn gauges(view: &NodeView<'_>, sums: &Sums, families: &mut Families) {
    let offset = |offset: protocol::id::Offset| u64::try_from(offset.0).unwrap_or(0);
    for (metric, value) in [
        (&UNFENCED, u64::from(view.is_ready)),
        (&FETCH_SESSIONS, view.fetch_sessions as u64),
        (&FETCH_SESSIONS_EVICTED, view.fetch_sessions_evicted),
        (&PARKED_REQUESTS, view.parked_requests as u64),
        (&OPEN_FILES, view.directory.open_files as u64),
        (&RECOVERING_PARTITIONS, view.recovering_partitions as u64),
        (&TOPICS, view.topics as u64),
        (&PARTITIONS, view.partitions as u64),
        (&LEADERS, sums.leaders),
        (&UNDER_REPLICATED, sums.under_replicated),
        (&UNDER_MIN_ISR, sums.under_min_isr),
        (&QUORUM_LEADER, u64::from(view.quorum.is_leader)),
        (&QUORUM_TERM, view.quorum.term),
        (&QUORUM_COMMITTED_OFFSET, offset(view.quorum.committed_offset)),
        (&QUORUM_APPLIED_OFFSET, offset(view.quorum.applied_offset)),
    ] {
        families.count(metric, &[], value);
    }
    let path = view.directory.path.to_string_lossy();
    for (metric, value) in [
        (&DIRECTORY_OFFLINE, u64::from(view.directory.is_offline)),
        (&DIRECTORY_FULL, u64::from(view.directory.is_full)),
        (&DIRECTORY_USED_BYTES, sums.size_bytes),
        (&UNSYNCED_BYTES, sums.unsynced_bytes),
        (&DAMAGED_BYTES, view.directory.damaged_bytes),
    ] {
        families.count(metric, &[&path], value);
    }
    if let Some(bytes) = view.directory.free_bytes {
        families.count(&DIRECTORY_FREE_BYTES, &[&path], bytes);
    }
}

//! The node's values at the moment of a scrape, on the scraper's thread.

use std::sync::{Arc, Weak};

use crate::metrics::{Families, PartitionSample, Source, counters};
use crate::shell::Shell;

/// Scrapes a shell's node for as long as it runs.
pub(crate) struct NodeSource(Weak<Shell>);

impl NodeSource {
    pub(crate) fn new(shell: &Arc<Shell>) -> Self {
        Self(Arc::downgrade(shell))
    }
}

impl Source for NodeSource {
    fn scrape(&self, families: &mut Families) {
        let Some(shell) = self.0.upgrade() else { return };
        counters::scrape(&shell.node.metrics().snapshot(), families);
        shell.node.visit_partitions(|view| {
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
    }
}

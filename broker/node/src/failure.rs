//! When a disk fails: the directory goes offline at once, and what it held is answered with a code that sends
//! clients elsewhere (D9).

use std::sync::Arc;

use machines::quorum::Event;
use storage::{DirectoryState, RecoveryReport};

use crate::effects::{Effects, Now};
use crate::node::Node;
use crate::partition::Partition;

impl Node {
    /// Notes a storage error. One that leaves the disk's content in doubt closes every log of the directory: nothing
    /// is acknowledged or served from it until the broker is started again.
    pub(crate) fn directory_failed(&self, error: &storage::Error, effects: &mut Effects) {
        let before = self.directory().state();
        let after = self.directory().note_error(error);
        if let storage::Error::Exhausted { .. } = error
            && self.is_exhaustion_new()
        {
            let advice = "raise the limit of open files; what needs one is refused until some are closed";
            effects.notices.push(format!("{error}: {advice}"));
        }
        if after == before {
            return;
        }
        effects.notices.push(format!("log directory {}: {error}", self.directory().path().display()));
        if after == DirectoryState::Full {
            // There may be room for smaller things, or again: appends are refused no longer than need be.
            self.measure_space(effects);
        }
        if after == DirectoryState::Offline {
            for partition in self.table().partitions() {
                if let Some(mut log) = partition.close(effects) {
                    log.set_offline();
                }
            }
        }
    }

    /// The metadata is on stable storage, or will never be.
    pub(crate) fn metadata_persisted(
        &self,
        now: Now,
        result: Result<Option<Event>, storage::Error>,
        effects: &mut Effects,
    ) {
        match result {
            Ok(Some(event)) => self.metadata().event(now, event, effects),
            Ok(None) => {}
            // A quorum that lost writes must not go on as if it had them (KAFKA-14644): nothing is committed any
            // more, and the notice says why.
            Err(error) => self.directory_failed(&error, effects),
        }
    }

    /// Says what recovery found where that is more than the ordinary.
    pub(crate) fn note_recovery(
        &self,
        partition: &Arc<Partition>,
        report: &RecoveryReport,
        effects: &mut Effects,
    ) {
        if report.lost_records > 0 {
            effects.notices.push(format!(
                "{partition:?}: {} records that had been synced are missing: the device lost them",
                report.lost_records
            ));
        }
        if report.cut_bytes > 0 {
            effects.notices.push(format!(
                "{partition:?}: cut {} bytes behind the last whole batch, written when the broker was ended",
                report.cut_bytes
            ));
        }
    }
}

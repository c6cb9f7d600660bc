//! When a disk fails: the directory goes offline at once, and what it held is answered with a code that sends
//! clients elsewhere (D9).

use std::sync::Arc;
use std::time::Duration;

use storage::{DirectoryState, Error, RecoveryReport};

use crate::effects::{Effects, Now, Ticket, TicketKind};
use crate::metadata::Persisted;
use crate::node::Node;
use crate::partition::Partition;

/// How long metadata that found no room waits before it is written again.
const STALLED_RETRY: Duration = Duration::from_millis(200);

/// What is to be done about a failure that takes a log directory offline.
fn advice(error: &storage::Error) -> &'static str {
    match error {
        storage::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::ReadOnlyFilesystem => {
            "a kernel makes a file system read-only when it is damaged: check and mount it anew, then start the broker"
        }
        storage::Error::Io { .. } => {
            "see what the kernel's log says of the device, and start the broker again when it works"
        }
        _ => "put the file right or a copy in its place, then start the broker again",
    }
}

impl Node {
    /// Notes a storage error. One that leaves the disk's content in doubt closes every log of the directory: nothing
    /// is acknowledged or served from it until the broker is started again.
    pub(crate) fn directory_failed(&self, error: &Error, effects: &mut Effects) {
        let before = self.directory().state();
        let after = self.directory().note_error(error);
        if let Error::Exhausted { .. } = error
            && self.is_exhaustion_new()
        {
            let advice = "raise the limit of open files; what needs one is refused until some are closed";
            effects.notices.push(format!("{error}: {advice}"));
        }
        if !error.is_fatal() {
            self.space().note_left_out();
        }
        if after == before {
            return;
        }
        let path = self.directory().path().display();
        effects.notices.push(match after {
            DirectoryState::Offline => format!("log directory {path} is offline: {error}; {}", advice(error)),
            DirectoryState::Online | DirectoryState::Full => format!("log directory {path}: {error}"),
        });
        if after == DirectoryState::Full {
            // There may be room for smaller things, or again: appends are refused no longer than need be.
            self.measure_space(effects);
        }
        if after == DirectoryState::Offline {
            effects.halt = true;
            self.close_all(effects);
        }
    }

    /// Closes every log of a directory that is offline.
    pub(crate) fn close_all(&self, effects: &mut Effects) {
        for partition in self.table().partitions() {
            if let Some(mut log) = partition.close(effects) {
                log.set_offline();
            }
        }
    }

    /// Judges what was collected while locks were held.
    pub(crate) fn judge_failures(&self, effects: &mut Effects) {
        for error in std::mem::take(&mut effects.failures) {
            match error {
                // Its cause was told when it came.
                Error::Offline { .. } => {}
                // The disk did what it was asked to: the others go on.
                Error::Corrupt { .. } => {
                    effects.notices.push(format!("a log takes no more appends: {error}"))
                }
                _ => self.directory_failed(&error, effects),
            }
        }
    }

    /// A partition's log cannot be opened or made. For want of room or of a descriptor it is tried again; when its own
    /// files are not what they should be, it alone is offline, and they are left as they are.
    pub(crate) fn not_opened(&self, partition: &Partition, error: &Error, effects: &mut Effects) {
        match error {
            Error::Corrupt { .. } => Self::note_offline(partition, error, effects),
            _ => {
                if !error.is_fatal() {
                    partition.leave_out();
                }
                self.directory_failed(error, effects);
            }
        }
    }

    /// Says that a partition has no log, and why.
    pub(crate) fn note_offline(partition: &Partition, error: &Error, effects: &mut Effects) {
        effects.notices.push(format!("{partition:?} is offline, its files are left as they are: {error}"));
    }

    /// The metadata is on stable storage, or waits for room, or will never be.
    pub(crate) fn metadata_persisted(&self, now: Now, persisted: Persisted, effects: &mut Effects) {
        // Nothing is acknowledged any more once the directory is offline, whatever still got through.
        if self.directory_state() == DirectoryState::Offline {
            return;
        }
        for event in persisted.events {
            self.metadata().event(now, event, effects);
        }
        // A quorum that lost writes must not go on as if it had them (KAFKA-14644): nothing is committed any more, and
        // the notice says why. What found no room was not written, and is tried again.
        if let Some(error) = persisted.error {
            self.directory_failed(&error, effects);
            if !error.is_fatal() {
                let again = now.monotonic.plus(STALLED_RETRY);
                effects.timers.push((again, Ticket(TicketKind::MetadataStalled)));
            }
        }
    }

    /// Whether the log directory can be used: offline it stays until the broker is started again.
    #[must_use]
    pub fn directory_state(&self) -> DirectoryState {
        self.directory().state()
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

//! The process that does it, until the disk fails.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use protocol::id::{
    BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicPartition, Uuid,
};

use super::model::{Model, Operation};
use crate::disk::{Disk, VirtualDisk};
use crate::testing::{NOW, TOPIC_ID, append};
use crate::{Depth, Directory, Error, Identity, Limits, Log, LogConfig, remove_files};

const PATH: &str = "/d";

pub(super) fn config() -> LogConfig {
    LogConfig { segment_bytes: 700, index_interval_bytes: 100, retention_ms: None, ..LogConfig::default() }
}

pub(super) fn partition() -> TopicPartition {
    TopicPartition { topic: "t".into(), partition: PartitionIndex(0) }
}

pub(super) fn open(disk: &VirtualDisk) -> Result<Directory, Error> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let identity = Identity { cluster_id: "c".into(), node_id: BrokerId(1) };
    Directory::open(disk, Path::new(PATH), &identity, Uuid([1; 16]), Limits::default())
}

/// A process that uses the disk.
pub(super) struct Process {
    pub(super) directory: Option<Directory>,
    pub(super) log: Option<Log>,
}

impl Process {
    pub(super) fn start(disk: &VirtualDisk) -> Result<Self, Error> {
        let directory = open(disk)?;
        let log = if directory.partitions().is_empty() {
            directory.create_log(&partition(), TOPIC_ID, config(), NOW)?
        } else {
            directory.open_log(&partition(), config(), NOW)?.0
        };
        Ok(Self { directory: Some(directory), log: Some(log) })
    }

    pub(super) fn log(&mut self) -> &mut Log {
        self.log.as_mut().unwrap()
    }

    pub(super) fn checkpoint(&mut self, depth: Depth) -> Result<(), Error> {
        let log = self.log.as_mut().unwrap();
        if let Some(plan) = log.unsynced(depth) {
            plan.run()?;
            log.synced(&plan)?;
        }
        if depth == Depth::Checkpoint {
            let directory = self.directory.as_ref().unwrap();
            directory.note_points(&partition(), log);
            directory.write_points()?;
            log.recovery_point_stored()?;
        }
        Ok(())
    }

    /// Ends without a word and starts again.
    pub(super) fn restart(&mut self, disk: &VirtualDisk) -> Result<(), Error> {
        self.log = None;
        self.directory = None;
        *self = Self::start(disk)?;
        Ok(())
    }

    pub(super) fn play(
        &mut self,
        disk: &VirtualDisk,
        model: &Model,
        operation: Operation,
    ) -> Result<(), Error> {
        match operation {
            Operation::Append { .. } => {
                append(self.log(), model.epoch, model.bytes(operation))?;
            }
            Operation::Sync(depth) => self.checkpoint(depth)?,
            Operation::Truncate { records } => {
                let end = model.truncation(records);
                let removed = self.log().truncate_to(Offset(end), NOW)?;
                remove_files(disk, &removed)?;
            }
            Operation::TruncateFully => {
                let removed = self.log().truncate_fully(Offset(model.end() + 100), NOW)?;
                remove_files(disk, &removed)?;
            }
            Operation::Retention { records } => {
                self.log().set_log_start_offset(Offset((model.start + records).min(model.end())));
                let removed = self.log().retention(NOW, Offset(model.end()))?;
                remove_files(disk, &removed)?;
            }
            Operation::Expire => {
                self.log().update_config(LogConfig { retention_ms: Some(1), ..config() });
                let removed = self.log().retention(Timestamp(1 << 50), Offset(model.end()));
                self.log().update_config(config());
                remove_files(disk, &removed?)?;
            }
            Operation::CloseCleanly => {
                let state = self.log().close_clean()?;
                let states = BTreeMap::from([(partition(), state)]);
                self.directory.as_ref().unwrap().close_clean(BrokerEpoch(1), states)?;
                self.restart(disk)?;
            }
            Operation::Kill => {
                self.restart(disk)?;
            }
            Operation::NewEpoch => self.log().begin_epoch(LeaderEpoch(model.epoch + 1)),
        }
        Ok(())
    }
}

/// Plays a workload until it ends or the power goes; the log before and after the operation that was under way.
pub(super) fn play(disk: &VirtualDisk, operations: &[Operation]) -> (Model, Model) {
    let mut model = Model::default();
    let Ok(mut process) = Process::start(disk) else { return (model.clone(), model) };
    for operation in operations {
        let mut after = model.clone();
        after.apply(*operation);
        match process.play(disk, &model, *operation) {
            Ok(()) => {}
            Err(_) => {
                // A truncation that did not end may have taken any part of what it was to take.
                let sure = match operation {
                    Operation::TruncateFully => model.base,
                    _ => model.durable.min(after.durable),
                };
                return (Model { durable: sure, ..model }, Model { durable: sure, ..after });
            }
        }
        assert_eq!(process.log().log_end_offset(), Offset(after.end()), "after {operation:?}");
        model = after;
    }
    (model.clone(), model)
}

//! Kafka's log on disk: segments, indexes, recovery, producer state, retention.
//!
//! Blocking, behind [`disk::Disk`], without threads, clocks or logging: time is an argument, what waits for the
//! device is a plan that the caller runs where it wants. Files and formats are Kafka's, so that its tools read
//! our directories and a directory of Kafka's can be opened here.

pub mod directory;
pub mod disk;
pub mod log;

mod checkpoint;
mod config;
mod epochs;
mod error;
mod headers;
mod index;
pub mod metadata_log;
mod names;
mod open_files;
mod partition_metadata;
mod producers;
mod proof;
mod segment;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod testing;

pub use config::LogConfig;
pub use directory::{
    Directory, DirectoryState, Identity, Left, MetaProperties, read_meta_properties, remove_files,
    remove_folder,
};
pub use error::Error;
pub use log::{
    AbortedPlan, AbortedTransaction, AppendOutcome, Appended, CleanState, Damage, Depth, FetchedRange, Log,
    OffsetOutOfRange, ReadPlan, RecoveryReport, RetentionPlan, SegmentState, Start, SyncPlan, TimeFound,
    TimePlan, VerifyPlan,
};
pub use metadata_log::{MetadataLog, SnapshotId};
pub use open_files::{Limits, OpenFiles};
pub use producers::ActiveProducer;

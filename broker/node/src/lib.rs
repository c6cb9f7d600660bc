//! Everything that a broker does, without sockets, threads or clock (D1).
//!
//! [`Node`] takes an input with the time, runs to completion and gives [`Effects`]. It is shared by all cores;
//! the same code runs under real sockets and disks and in the simulator. Lock order: a parked Fetch, then the
//! metadata, then a partition's coordinator, then a partition; a session's outbox and a parked Produce are leaves;
//! nothing waits under a lock.

mod api;
pub mod config;
mod coordinator;
mod effects;
mod failure;
mod fetch_work;
mod hosting;
mod housekeeping;
mod log_sync;
mod metadata;
pub mod metrics;
mod node;
mod parked;
mod partition;
mod produce_round;
mod producer_ids;
mod random;
mod recovery;
mod refused;
mod retention;
mod room;
mod session;
mod settle;
mod space;
mod strays;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod topic_settings;
mod turn;
mod view;

pub use api::ParkedLookUp;
pub use config::Config;
pub use coordinator::{GroupLag, GroupLoad, LagRound};
pub use effects::{Effects, Job, JobResult, Now, Part, Reply, Ticket};
pub use log_sync::SyncRound;
pub use machines::group::GroupCounts;

pub use fetch_work::WarmUp;
pub use hosting::Removal;
pub use metadata::{PersistMetadata, Persisted};
pub use node::{Node, OpenError};
pub use parked::{ParkedFetch, ParkedProduce};
pub use partition::Partition;
pub use recovery::Recovery;
pub use retention::RetentionRound;
pub use session::{Answered, Output, Session, Slot, Wake};
pub use space::SpaceCheck;
pub use turn::{Next, Turn};
pub use view::{DirectoryView, NodeView, PartitionView, QuorumView};

//! The coordinator of the groups that are kept in one partition of `__consumer_offsets`, on the broker that leads it.
//!
//! What a group is and may do is the concern of `machines::group`; here its records are appended to the partition, its
//! replies leave when they are committed, its timer is set, and it is loaded and unloaded as leadership comes and goes.
//! One mutex guards a partition's groups. It is taken before that of a partition, and behind the metadata's applier;
//! nothing waits under it. Whoever changes a partition under its lock collects it into the effects, and its
//! coordinator looks what that means to it when every lock is released.

mod append;
mod follow;
mod lag;
mod load;
mod offsets_topic;
mod state;
#[cfg(test)]
mod tests;
mod waiter;

use std::sync::Arc;
use std::time::Duration;

use machines::group::{GroupSettings, Moment};

pub(crate) use lag::LagTable;
pub use lag::{GroupLag, LagRound};
pub use load::GroupLoad;
pub(crate) use offsets_topic::{OFFSETS_TOPIC, offsets_topic};
pub(crate) use state::Coordinator;
pub(crate) use waiter::{DeletedGroups, Form, Waiter};

use crate::config::Config;
use crate::effects::{Effects, Now};
use crate::node::Node;
use crate::partition::Partition;

/// What a coordinator acts with.
pub(crate) struct Scene<'a> {
    pub(crate) node: &'a Node,
    pub(crate) now: Now,
    /// The partition that the coordinator belongs to.
    pub(crate) partition: &'a Arc<Partition>,
    pub(crate) effects: &'a mut Effects,
}

fn moment(now: Now) -> Moment {
    Moment { monotonic: now.monotonic, wall: now.wall }
}

/// What the configuration says of groups.
fn settings(config: &Config) -> GroupSettings {
    let millis = |millis: i32| Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    let count = |count: i32| usize::try_from(count).unwrap_or(0);
    GroupSettings {
        min_session_timeout: millis(config.group_min_session_timeout_ms),
        max_session_timeout: millis(config.group_max_session_timeout_ms),
        initial_rebalance_delay: millis(config.group_initial_rebalance_delay_ms),
        max_size: count(config.group_max_size),
        offset_metadata_max_bytes: count(config.offset_metadata_max_bytes),
        offsets_retention: Duration::from_secs(60 * count(config.offsets_retention_minutes) as u64),
        ..GroupSettings::default()
    }
}

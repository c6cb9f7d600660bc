//! The cluster's metadata as every broker holds it: an immutable image, made by replaying the metadata log.

mod topic;

pub use topic::{LeaderRecoveryState, PartitionRegistration, TopicImage};

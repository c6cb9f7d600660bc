//! State machines that know no socket, disk, thread or clock.
//!
//! Two kinds. A *protocol machine* is stepped with an event and the time and gives effects. A *replicated machine*
//! decides records and a response from its state, and only replaying records changes that state, so that every
//! broker which replays the same records holds the same state. Whatever a machine needs from the world (time,
//! random numbers, ids) is an argument; one input sequence gives one output sequence, which is what the simulator
//! and the transcripts in `testdata` rely on.

pub mod controller;
pub mod fetch_session;
pub mod group;
pub mod image;
pub mod partition;
pub mod quorum;
pub mod topic_config;

#[cfg(test)]
mod replication_tests;
#[cfg(test)]
mod transcript;

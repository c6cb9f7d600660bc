//! Gregor beside Apache Kafka and beside the floor: the same loads on the same disk, one after the other.
//!
//! Kafka is measured twice in every round, around Gregor, so that one table says both how they compare and
//! whether this machine was quiet enough to tell. A row on which Kafka does not agree with itself is printed
//! as unresolved, with its spread. A run fails when a goal is short without a reason in `known_short`, when Gregor is
//! not there to measure, or when a record is lost.

pub mod cold;
pub mod fresh;
pub mod groups;
pub mod known_short;
pub mod rounds;
pub mod rows;
pub mod size;
pub mod stalls;
pub mod start;
pub mod stats;
pub mod table;
pub mod target;
pub mod touch;

//! The harness that drives Gregor with real clients, real disks and Apache Kafka beside it.
//!
//! Two things live here as a library: the load generator (`kbench`) and the side by side measurement that
//! uses it (`bench`). Everything else of `e2e` is scripts under `parts/`, which `e2e/run` calls.

pub mod bench;
pub mod kbench;

//! Targets for a fuzzer. Each takes bytes, may not panic, and may not allocate beyond its limit ([`allocations`]).
//!
//! The same targets run in two ways: `e2e/run fuzz` lets a fuzzer look for new inputs, guided by coverage, and the
//! tests of this crate replay what it found worth keeping ([`corpus`]).

pub mod allocations;
mod broker;
pub mod corpus;
pub mod seeds;
pub mod targets;

pub use targets::{TARGETS, Target};

//! `gregor dev`: a cluster in one process for a laptop.

pub mod manifest;

//! What a user of the process sees: bounds, metrics and health, through its sockets.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests")]

mod bounds;
mod broker;
mod check;
mod descriptors;
mod health;
mod metrics;

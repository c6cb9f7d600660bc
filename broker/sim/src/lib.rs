//! A cluster of one broker in one thread, from one seed.
//!
//! The real node runs on a virtual clock and a virtual disk; model clients send it encoded frames; connections,
//! processes and the power fail; an oracle compares what clients see with what they were promised. Everything that
//! happens follows from the seed, so that a failing one is played again until its cause is found.

mod client;
mod fault;
mod oracle;
mod random;
mod server;
mod trace;
mod world;

#[cfg(test)]
mod tests;

pub use oracle::Counters;
pub use world::Outcome;

/// Plays the run of a seed. With `aloud` every event is printed when it happens.
#[must_use]
pub fn play(seed: u64, aloud: bool) -> Outcome {
    match world::World::new(seed, aloud) {
        Ok(world) => world.run(),
        Err(why) => Outcome {
            failure: Some((why, Vec::new())),
            trace: 0,
            events: 0,
            records: 0,
            counters: Counters::default(),
        },
    }
}

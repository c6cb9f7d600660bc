//! Seeds that every change has to pass.

use crate::{Counters, play};

/// Seeds of each half. So many have every fault in them and speak every API that is served.
const SEEDS: u64 = 12;

fn pass(seed: u64) -> crate::Outcome {
    let outcome = play(seed, false);
    if let Some((why, last)) = &outcome.failure {
        panic!("seed {seed}: {why}\n{}", last.join("\n"));
    }
    outcome
}

fn interesting(seeds: std::ops::RangeInclusive<u64>) {
    let mut all = Counters::default();
    for seed in seeds {
        let outcome = pass(seed);
        assert!(outcome.events >= 20_000 && outcome.counters.operations >= 2_000, "seed {seed} is too short");
        all.add(&outcome.counters);
    }
    assert_eq!(all.missing(), Vec::<String>::new());
}

// Two halves, so that two cores play them.

#[test]
fn half_of_the_seeds_pass_and_interesting_things_happen() {
    interesting(1..=SEEDS);
}

#[test]
fn the_other_half_passes_too() {
    interesting(SEEDS + 1..=2 * SEEDS);
}

#[test]
fn a_seed_played_twice_gives_one_trace() {
    let (first, second) = (pass(7), pass(7));
    assert_eq!((first.events, first.trace), (second.events, second.trace));
    assert_ne!(first.trace, pass(8).trace);
}

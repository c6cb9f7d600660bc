//! Seeds that every change has to pass.

use crate::{Counters, play};

/// Seeds of each half. Both together have every fault in them and speak every API that is served.
const SEEDS: u64 = 12;
/// The first of them. The rarest fault comes once in 25 seeds: a kill between a failed sync and its notice.
const FIRST: u64 = 36;

fn pass(seed: u64) -> crate::Outcome {
    let outcome = play(seed, false);
    if let Some((why, last)) = &outcome.failure {
        panic!("seed {seed}: {why}\n{}", last.join("\n"));
    }
    outcome
}

fn play_all(seeds: std::ops::RangeInclusive<u64>) -> Counters {
    let mut all = Counters::default();
    for seed in seeds {
        let outcome = pass(seed);
        assert!(outcome.events >= 20_000 && outcome.counters.operations >= 2_000, "seed {seed} is too short");
        all.add(&outcome.counters);
    }
    all
}

#[test]
#[expect(clippy::disallowed_methods, reason = "each world has one thread; two of them share nothing")]
fn seeds_pass_and_interesting_things_happen() {
    // Two halves, so that two cores play them.
    let all = std::thread::scope(|scope| {
        let other = scope.spawn(|| play_all(FIRST + SEEDS..=FIRST + 2 * SEEDS - 1));
        let mut all = play_all(FIRST..=FIRST + SEEDS - 1);
        all.add(&other.join().expect("a failed seed was told"));
        all
    });
    assert_eq!(all.missing(), Vec::<String>::new());
}

#[test]
fn a_seed_played_twice_gives_one_trace() {
    let (first, second) = (pass(7), pass(7));
    assert_eq!((first.events, first.trace), (second.events, second.trace));
    assert_ne!(first.trace, pass(8).trace);
}

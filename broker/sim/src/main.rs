//! `sim --seeds N [--seed S] [--aloud]`: plays N seeds from S on and stops at the first that fails.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sim::Counters;

/// So many seeds must have every fault in them and speak every API that is served.
const SEEDS_FOR_ALL: u64 = 25;

const USAGE: &str = "usage: sim [--seeds N] [--seed FIRST] [--aloud]";

struct Options {
    first: u64,
    count: u64,
    aloud: bool,
}

fn options() -> Option<Options> {
    let mut options = Options { first: 1, count: 1, aloud: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let number = |value: Option<String>| value?.parse().ok();
        match argument.as_str() {
            "--seeds" => options.count = number(arguments.next())?,
            "--seed" => options.first = number(arguments.next())?,
            "--aloud" => options.aloud = true,
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let playing = Arc::new(AtomicU64::new(0));
    let (seed, report) = (Arc::clone(&playing), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        eprintln!("seed {} panics", seed.load(Ordering::Relaxed));
        report(panic);
    }));
    let (mut counters, mut events) = (Counters::default(), 0);
    for seed in options.first..options.first + options.count {
        playing.store(seed, Ordering::Relaxed);
        let outcome = sim::play(seed, options.aloud);
        events += outcome.events;
        counters.add(&outcome.counters);
        if let Some((why, last)) = outcome.failure {
            last.iter().for_each(|event| println!("{event}"));
            eprintln!("seed {seed} fails after {} events: {why}", outcome.events);
            return ExitCode::FAILURE;
        }
    }
    println!("{} seeds from {} pass, {events} events", options.count, options.first);
    for (name, count) in counters.fields() {
        println!("{name:>16} {count}");
    }
    for (key, count) in &counters.answers {
        println!("{:>24} {count}", key.name());
    }
    let missing = counters.missing();
    if options.count >= SEEDS_FOR_ALL && !missing.is_empty() {
        missing.iter().for_each(|line| eprintln!("{line}"));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

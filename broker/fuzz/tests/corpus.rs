//! What a fuzzer found worth keeping still finds nothing.

use fuzz::targets::{TARGETS, reached, served};
use fuzz::{corpus, seeds};

#[test]
fn every_input_of_the_corpus_is_survived() {
    for target in TARGETS {
        let inputs = corpus::read(target.name).unwrap_or_else(|error| panic!("{}: {error}", target.name));
        assert!(!inputs.is_empty(), "{} has no corpus", target.name);
        inputs.iter().for_each(|input| target.check(input));
    }
}

#[test]
fn every_api_and_version_that_is_served_is_reached() {
    let requests = TARGETS.iter().find(|target| target.name == "requests").expect("the target");
    let seeds = seeds::all().into_iter().filter(|(target, _, _)| *target == "requests");
    seeds.for_each(|(_, _, input)| requests.check(&input));
    let served = served();
    assert!(served.len() > 50, "{} versions of APIs are served", served.len());
    let reached = reached();
    let missed: Vec<_> = served.difference(&reached).collect();
    assert!(missed.is_empty(), "(API, version) that no seed reaches: {missed:?}");
}

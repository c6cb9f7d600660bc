//! Words that have no place in a file of ours.
//!
//! They are put together from halves here, so that this file does not find itself.

use super::tree::{Source, report, sources};

/// Unfinished work belongs to nobody once it is committed.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
    concat!("not yet ", "implemented"),
    concat!("for n", "ow,"),
    concat!("for n", "ow."),
];
/// Paths of one machine, and hosts that only some machines reach.
const PLACES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("npmjs", ".org"),
    concat!("maven.org", "/"),
    concat!("proxy.golang", ".org"),
    concat!("deb.debian", ".org"),
];
/// What ties code to one processor: DESIGN D14 keeps aarch64 possible.
const PROCESSOR: &[&str] = &[
    concat!("core::", "arch"),
    concat!("std::", "arch"),
    concat!("a", "sm!("),
    concat!("target_", "feature"),
    concat!("cfg(target_", "arch"),
    concat!("target_", "endian"),
    concat!("to_ne_", "bytes"),
    concat!("from_ne_", "bytes"),
];

/// Files that tools write.
fn is_generated(source: &Source) -> bool {
    source.path == "Cargo.lock" || source.path == "LICENSE" || source.path.ends_with("go.sum")
}

fn find(sources: &[Source], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in (1..).zip(source.text.lines()) {
            for word in words.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    found
}

fn written() -> Vec<Source> {
    sources().into_iter().filter(|source| !is_generated(source)).collect()
}

#[test]
fn a_word_is_found_with_its_line() {
    let text = format!("fine\nlet x = {};\n", concat!("to", "do!()"));
    let source = Source { path: "a.rs".to_owned(), text };
    assert_eq!(find(&[source], UNFINISHED), [concat!("a.rs:2: to", "do!(")]);
}

#[test]
fn nothing_is_left_for_later() {
    report("finish it, or say in ARCHITECTURE.md that it is not done", &find(&written(), UNFINISHED));
}

#[test]
fn no_file_knows_one_machine() {
    report("paths and hosts of one machine", &find(&written(), PLACES));
}

#[test]
fn no_code_knows_one_processor() {
    let rust: Vec<Source> = written().into_iter().filter(Source::is_rust).collect();
    report("code for one processor", &find(&rust, PROCESSOR));
}

#[test]
fn silenced_lints_have_a_reason() {
    let mut found = Vec::new();
    for source in written().iter().filter(|source| source.is_rust()) {
        for opening in [concat!("[", "allow("), concat!("[", "expect(")] {
            for (at, _) in source.text.match_indices(opening) {
                let attribute = source.text[at..].split(']').next().unwrap_or_default();
                if !attribute.contains("reason = ") {
                    found.push(format!("{}: {attribute}] gives no reason", source.path));
                }
            }
        }
    }
    report("a silenced lint says why", &found);
}

/// The names of tests that cargo passes over.
fn ignored(sources: &[Source]) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        for (at, _) in source.text.match_indices(concat!("#[", "ignore")) {
            let function = source.text[at..].split("fn ").nth(1).unwrap_or_default();
            found.push((source.path.as_str(), function.split('(').next().unwrap_or_default()));
        }
    }
    found
}

#[test]
fn ignored_tests_are_run_by_a_part() {
    let sources = sources();
    let named = |name: &str| {
        let parts = sources.iter().filter(|source| source.path.starts_with("e2e/") && !source.is_rust());
        parts.into_iter().any(|source| source.text.contains(name))
    };
    let found: Vec<String> = ignored(&sources)
        .into_iter()
        .filter(|(_, name)| !named(name))
        .map(|(path, name)| format!("{path}: {name}"))
        .collect();
    report("a test that cargo passes over is run by name in e2e/", &found);
    let text = format!("#[test]\n{}]\nfn left() {{}}\n", concat!("#[", "ignore"));
    assert_eq!(ignored(&[Source { path: "a.rs".to_owned(), text }]), [("a.rs", "left")]);
}

#[test]
fn the_simulator_knows_no_api() {
    let sim: Vec<Source> =
        sources().into_iter().filter(|source| source.path.starts_with("broker/sim/")).collect();
    let mut found = Vec::new();
    for source in &sim {
        for (number, line) in (1..).zip(source.text.lines()) {
            let code = line.split("//").next().unwrap_or_default();
            let matched =
                code.contains("ApiKey::") && (code.contains("=>") || code.trim_start().starts_with('|'));
            if matched || (code.contains("match ") && code.contains("api_key")) {
                found.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    report("sim drives the real handlers and has none of its own", &found);
}

//! What may lie at the top, and what every file and manifest begins with.

use std::collections::BTreeSet;

use super::tree::{output, paths, read, report, sources};

/// DESIGN's top level, and files that tools look for there.
const ROOT: &[&str] = &[
    ".ci",
    ".dockerignore",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "broker",
    "charts",
    "clippy.toml",
    "crds",
    "deny.toml",
    "e2e",
    "manifests",
    "operator",
    "rust-toolchain.toml",
    "rustfmt.toml",
];

#[test]
fn the_root_holds_only_what_belongs_there() {
    let top: BTreeSet<String> =
        paths().iter().filter_map(|path| path.split('/').next().map(str::to_owned)).collect();
    let found: Vec<String> = top.into_iter().filter(|entry| !ROOT.contains(&entry.as_str())).collect();
    report("the root has a fixed list of entries", &found);
}

/// Whether a path lies in a folder that cargo or a bench writes, wherever that folder is.
fn is_built(path: &str) -> bool {
    path.split('/').any(|part| part == "target")
}

#[test]
fn what_is_built_is_not_kept() {
    // Asked of the index alone: a committed file stays listed there although .gitignore names its folder.
    let found: Vec<String> = output("git", &["ls-files", "-z", "--cached"])
        .split('\0')
        .filter(|path| is_built(path))
        .map(str::to_owned)
        .collect();
    report("build output is committed", &found);
    assert!(is_built("broker/storage/target/criterion/a start/new/sample.json") && is_built("target/a"));
    assert!(!is_built("e2e/src/bench/target.rs"));
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    let mut found: Vec<String> = paths()
        .into_iter()
        .filter(|path| path.ends_with("/Cargo.toml"))
        // An allocator that counts cannot be written without `unsafe`, which the workspace forbids for good.
        .filter(|path| path != "broker/fuzz/Cargo.toml" || !read(path).contains("unsafe_code = \"deny\""))
        .filter(|path| !read(path).contains("[lints]\nworkspace = true"))
        .collect();
    let lints = read("Cargo.toml");
    for lint in ["unsafe_code = \"forbid\"", "missing_docs", "unreachable_pub", "unwrap_used", "todo ="] {
        if !lints.contains(lint) {
            found.push(format!("Cargo.toml lacks {lint}"));
        }
    }
    report("every crate takes the workspace's lints, docs on public items among them", &found);
}

#[test]
fn every_module_says_what_it_is() {
    let found: Vec<String> = sources()
        .into_iter()
        .filter(|source| source.is_rust() && !source.is_test())
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path)
        .collect();
    report("a module opens with //!", &found);
}

#[test]
fn the_clocks_threads_and_random_maps_are_banned_where_all_is_replayed() {
    const BANS: &[&str] = &[
        "std::time::Instant::now",
        "std::time::SystemTime::now",
        "std::thread::spawn",
        "std::thread::sleep",
        "std::collections::HashMap",
        "std::collections::HashSet",
        "std::hash::RandomState",
    ];
    let mut found = Vec::new();
    for path in ["broker/machines/clippy.toml", "broker/node/clippy.toml"] {
        let text = if paths().iter().any(|known| known == path) { read(path) } else { String::new() };
        let missing = BANS.iter().filter(|ban| !text.contains(&format!("\"{ban}\"")));
        found.extend(missing.map(|ban| format!("{path} lacks {ban}")));
    }
    report("node and machines ban what cannot be replayed", &found);
}

#[test]
fn generated_files_name_the_test_that_keeps_them_fresh() {
    let found: Vec<String> = sources()
        .into_iter()
        .filter(|source| source.path.starts_with("crds/"))
        .filter(|source| !source.text.starts_with("# Written by `UPDATE=1 cargo test "))
        .map(|source| source.path)
        .collect();
    report("a generated file opens with how it is written", &found);
    assert!(read("operator/api/tests/stale.rs").contains("#[test]"), "nothing tests crds/ for staleness");
}

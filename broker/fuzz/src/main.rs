//! The fuzzer: `FUZZ_TARGET=NAME fuzz [OPTIONS OF LIBFUZZER] CORPUS...`.

#![no_main]

use std::sync::LazyLock;

use fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("FUZZ_TARGET is {name:?}; there are {}", names.join(", ")))
});

fuzz_target!(|bytes: &[u8]| TARGET.check(bytes));

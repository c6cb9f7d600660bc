//! Runs the transcripts of `testdata`: commands, a line `----`, and the output that the machine gave.
//!
//! A test passes the file and a function from one command block to its output. `UPDATE=1` writes the files anew.

use std::fmt::Write as _;
use std::path::Path;

/// One command line, split: `verb key=value ...`.
pub(crate) struct Command<'a> {
    pub(crate) verb: &'a str,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Command<'a> {
    pub(crate) fn parse(line: &'a str) -> Self {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or("");
        Self { verb, pairs: words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect() }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(k, _)| *k == key).map(|(_, value)| *value)
    }

    pub(crate) fn number(&self, key: &str) -> Option<i64> {
        self.text(key).map(|value| value.parse().unwrap_or_else(|_| panic!("{key}={value} is no number")))
    }

    pub(crate) fn numbers(&self, key: &str) -> Option<Vec<i64>> {
        let value = self.text(key)?;
        Some(value.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().unwrap()).collect())
    }
}

/// Runs each block of `testdata/{name}` and compares what `run` gives with what the file has.
pub(crate) fn check(name: &str, mut run: impl FnMut(&Command<'_>) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let before = std::fs::read_to_string(&path).unwrap();
    let mut after = String::new();
    for block in before.split("\n\n") {
        let commands = block.trim_matches('\n').split("\n----").next().unwrap_or("");
        let mut output = String::new();
        let mut has_command = false;
        for line in commands.lines().filter(|line| !line.starts_with('#')) {
            has_command = true;
            output.push_str(run(&Command::parse(line)).trim_end());
            output.push('\n');
        }
        after.push_str(commands);
        if has_command {
            let output = output.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
            write!(after, "\n----\n{}", if output.is_empty() { "ok" } else { &output }).unwrap();
        }
        after.push_str("\n\n");
    }
    let after = format!("{}\n", after.trim_end());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, after).unwrap();
    } else {
        assert_eq!(before, after, "{name} differs; look at it, then UPDATE=1");
    }
}

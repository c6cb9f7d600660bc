//! The files of the repository, as git lists them: what is ignored is nobody's business.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file.
pub(crate) struct Source {
    /// Path from the root of the repository.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Files that hold nothing but tests.
    pub(crate) fn is_test(&self) -> bool {
        let name = Path::new(&self.path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let folders = ["/tests/", "/benches/"];
        folders.iter().any(|folder| self.path.contains(folder)) || name == "tests" || name.ends_with("_tests")
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("e2e lies in the repository").to_owned()
}

/// Standard output of a program run at the root.
pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let output = output.unwrap_or_else(|error| panic!("run {program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a tool's output is text")
}

/// All files, those that are not committed yet included.
pub(crate) fn paths() -> Vec<String> {
    output("git", &["ls-files", "--cached", "--others", "--exclude-standard"])
        .lines()
        .filter(|path| root().join(path).is_file())
        .map(str::to_owned)
        .collect()
}

/// All files that are text.
pub(crate) fn sources() -> Vec<Source> {
    paths()
        .into_iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(root().join(&path)).ok()?;
            Some(Source { path, text })
        })
        .collect()
}

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("read {path}: {error}"))
}

/// Fails with all that a rule found.
pub(crate) fn report(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

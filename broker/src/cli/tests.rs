//! What users see.

use std::sync::Mutex;

use super::*;

/// Runs the command with a `run` that fails with what it was given; gives exit code, stdout and stderr.
fn gregor(arguments: &[&str]) -> (u8, String, String) {
    fn run(config: Config, dev: Option<DevOptions>) -> anyhow::Result<()> {
        let dev = dev.map(|dev| dev.files);
        anyhow::bail!(
            "node {} at {} in {:?}, dev {dev:?}",
            config.node_id,
            config.listeners[0],
            config.log_dirs
        )
    }
    // The variable RUST_LOG and the subscriber belong to the process.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let arguments = std::iter::once("gregor").chain(["--log=error"]).chain(arguments.iter().copied());
    let code = start(arguments.map(OsString::from), run, &mut out, &mut errors);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(errors).unwrap())
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn dev_needs_no_flags() {
    let (code, _, errors) = gregor(&["dev"]);
    assert_eq!(code, 1, "running failed");
    assert_eq!(errors, "gregor: node 1 at PLAINTEXT://localhost:9092 in [\"gregor-data\"], dev Some([])\n");
}

#[test]
fn dev_flags_become_configuration() {
    let (cluster, empty) = (file(CLUSTER), file(""));
    let (a, b) = (cluster.path().to_str().unwrap(), empty.path().to_str().unwrap());
    let flags = ["dev", "--data", "/d", "--listen", "[::1]:7", "-f", a, "-f", b, "--set", "node.id=4"];
    let (_, _, errors) = gregor(&flags);
    assert_eq!(
        errors,
        format!("gregor: node 4 at PLAINTEXT://[::1]:7 in [\"/d\"], dev Some([{a:?}, {b:?}])\n")
    );
}

const CLUSTER: &str = "apiVersion: gregor.dev/v1alpha1\nkind: Cluster\nmetadata:\n  name: demo\nspec:\n  config:\n    \
     num.partitions: 7\n";

#[test]
fn a_bad_manifest_is_told_and_nothing_starts() {
    let bad = file(&CLUSTER.replace('7', "none"));
    let path = bad.path().to_str().unwrap();
    let (code, out, errors) = gregor(&["dev", "-f", path]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(
        errors.starts_with(&format!("gregor: {path}:7:21: spec.config.num.partitions: must be ")),
        "{errors}"
    );
    let (code, _, errors) = gregor(&["dev", "-f", "/no/such/file.yaml"]);
    assert_eq!(code, 2);
    assert!(errors.starts_with("gregor: /no/such/file.yaml: cannot be read"), "{errors}");
}

#[test]
fn a_broker_takes_file_and_overrides() {
    let file = file("node.id=3\nlog.dirs=/x\n");
    let path = file.path().to_str().unwrap();
    let (code, _, errors) = gregor(&["broker", "--config", path, "--set", "log.dirs=/y"]);
    assert_eq!((code, errors.as_str()), (1, "gregor: node 3 at PLAINTEXT://:9092 in [\"/y\"], dev None\n"));
}

#[test]
fn a_file_that_is_not_utf8_is_read_as_java_reads_it() {
    let mut file = file("node.id=1\n");
    file.write_all(b"# \xe9t\xe9\nlog.dirs=/d\xe9\n").unwrap();
    let (_, _, errors) = gregor(&["broker", "--config", file.path().to_str().unwrap()]);
    assert!(errors.contains("[\"/d\u{e9}\"]"), "{errors}");
}

#[test]
fn wrong_configuration_is_told_whole() {
    let file = file("node.id=x\nlog.dirz=/x\n");
    let path = file.path().to_str().unwrap();
    let (code, _, errors) = gregor(&["broker", "--config", path]);
    assert_eq!(code, 2);
    assert_eq!(
        errors,
        format!(
            "gregor: the configuration has 2 problems:\n  \
             {path}:1: node.id=x: must be a whole number from 0 to 2147483647\n  \
             {path}:2: log.dirz=/x: unknown key; did you mean log.dirs?\n"
        )
    );
    let (code, _, errors) = gregor(&["broker", "--config", "/no/such/file"]);
    assert_eq!(code, 2);
    assert_eq!(errors, "gregor: cannot read /no/such/file: No such file or directory (os error 2)\n");
    let (code, _, errors) = gregor(&["broker", "--config", "/dev/zero"]);
    assert_eq!(code, 2);
    assert!(errors.starts_with("gregor: cannot read /dev/zero: it is larger than"), "{errors}");
}

#[test]
fn wrong_flags_say_what_is_right() {
    for (arguments, expected) in [
        (
            &["dev", "--brokers", "3"][..],
            "clusters of several brokers come with replication, in a later version",
        ),
        (&["dev", "--listen", "localhost"], "give HOST:PORT, such as localhost:9092"),
        (&["dev", "--data", "a,b"], "give one directory"),
        (&["dev", "--set", "num.partitions"], "give KEY=VALUE, such as num.partitions=3"),
        (&["dev", "--set", "num.partitions=none"], "--set: num.partitions=none: must be a whole number"),
        (&["broker"], "--config <FILE>"),
        (&["borker"], "'broker'"),
        (&[], "Usage: gregor"),
        (&["dev", "--log", "x=loud"], "--log=x=loud: give error, warn, info, debug or trace"),
    ] {
        let (code, out, errors) = gregor(arguments);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(errors.contains(expected), "{arguments:?} said {errors:?}");
        assert_eq!(out, "");
    }
}

#[test]
fn help_and_version_end_well() {
    for (arguments, expected) in [
        (&["--help"][..], "Run a broker on this machine, ready for clients at once"),
        (&["dev", "--help"], "Apply Cluster and Topic YAML"),
        (&["broker", "--help"], "server.properties"),
        (&["--version"], concat!("gregor ", env!("CARGO_PKG_VERSION"))),
    ] {
        let (code, out, errors) = gregor(arguments);
        assert_eq!((code, errors.as_str()), (0, ""), "{arguments:?}");
        assert!(out.contains(expected), "{arguments:?} printed {out:?}");
    }
}

#[test]
fn the_table_is_printed_and_filtered() {
    let (code, out, _) = gregor(&["config", "log.retention.h", "num.io"]);
    assert_eq!(code, 0);
    assert!(out.contains("# Log\n\nlog.retention.hours\n    Retention in hours.\n    Default 168;"), "{out}");
    assert!(out.contains("num.io.threads\n"), "{out}");
    assert!(out.contains("    Accepted without effect: work is not split over thread pools"), "{out}");
    assert!(!out.contains("num.partitions"), "{out}");
    assert!(gregor(&["config"]).1.len() > 50_000);
    assert!(gregor(&["config", "zookeeper"]).1.contains("no key contains zookeeper"));
}

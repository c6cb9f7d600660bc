//! The configuration that flags ask for.

use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::path::Path;

use node::config::{Config, FILE_BYTES_MAX, Problem};

use super::flags::{Broker, Dev};

/// The configuration of `gregor broker`, or what to print.
pub(super) fn broker(flags: &Broker) -> Result<Config, String> {
    let name = flags.config.display().to_string();
    let text = read(&flags.config).map_err(|why| format!("gregor: cannot read {name}: {why}\n"))?;
    let config = Config::load(&text, &name, &flags.set).map_err(|problems| report(&problems))?;
    Ok(advertised(config))
}

/// The configuration of `gregor dev`, that of a Cluster in its YAML included, or what to print.
pub(super) fn dev(flags: &Dev) -> Result<Config, String> {
    let overrides = flags.overrides();
    // Flags first and alone, so that what is wrong with them is told as theirs.
    let config = Config::dev(&overrides).map_err(|problems| report(&problems))?;
    if flags.files.is_empty() {
        return Ok(advertised(config));
    }
    crate::dev::configuration(&flags.files, &overrides).map(advertised)
}

/// The file's text. Files that are not UTF-8 are read as ISO-8859-1, which is what Java takes them for.
fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    // A pipe or a device has no size to look at, so the bound is kept while reading.
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("it is larger than {FILE_BYTES_MAX} bytes, so it is no configuration"));
    }
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect()))
}

/// One line for each problem, and a first one that counts them where there are several.
fn report(problems: &[Problem]) -> String {
    let mut report = String::new();
    if problems.len() > 1 {
        let _ = writeln!(report, "gregor: the configuration has {} problems:", problems.len());
    }
    for problem in problems {
        let start = if problems.len() > 1 { "  " } else { "gregor: " };
        let _ = writeln!(report, "{start}{problem}");
    }
    report
}

/// Fills in this machine's name where clients are told none, as Kafka does.
fn advertised(mut config: Config) -> Config {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    config.advertise(if name.is_empty() { "localhost" } else { name });
    config
}

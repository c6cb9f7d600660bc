//! Logging to stderr, for people.

use tracing_subscriber::EnvFilter;

/// What is logged when nobody says otherwise.
const DEFAULT: &str = "info";

/// Starts logging at the level of the flag, else of RUST_LOG, else info.
///
/// # Errors
/// A sentence when the level cannot be read.
pub(super) fn start(level: Option<&str>) -> Result<(), String> {
    let (from, directives) = match (level, std::env::var("RUST_LOG")) {
        (Some(level), _) => ("--log", level.to_owned()),
        (None, Ok(level)) if !level.is_empty() => ("RUST_LOG", level),
        _ => ("--log", DEFAULT.to_owned()),
    };
    let right = "give error, warn, info, debug or trace, also by module, as info,node=debug";
    let filter = EnvFilter::try_new(&directives).map_err(|_| format!("{from}={directives}: {right}"))?;
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second subscriber in one process is refused, and the first one goes on: only tests do that.
    let _ = subscriber.try_init();
    Ok(())
}

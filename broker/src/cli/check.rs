//! `gregor check`: whether a cluster serves, in one line.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::FAILED;
use super::flags::Check;

/// Sends records around in a topic of its own and says what came of it; gives the exit code.
pub(super) fn run(asked: &Check, out: &mut dyn Write, errors: &mut dyn Write) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(errors, "gregor: start a runtime: {error}");
            return FAILED;
        }
    };
    let brokers = asked.bootstrap.join(", ");
    let topic = topic();
    let work = client::check::round_trip(&asked.bootstrap, &topic, Duration::from_secs(asked.timeout));
    match runtime.block_on(work) {
        Ok(seen) => {
            let millis = seen.elapsed.as_millis();
            let _ = writeln!(out, "{brokers}: {} records produced and consumed in {millis} ms", seen.records);
            0
        }
        Err(error) => {
            let _ = writeln!(errors, "gregor: check {brokers}: {error}");
            FAILED
        }
    }
}

/// A name that no other run has, also one that was killed before it deleted its topic.
fn topic() -> String {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    format!("gregor-check-{millis}-{}", std::process::id())
}

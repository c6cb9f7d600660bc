//! The command `gregor`.

use std::process::ExitCode;

fn main() -> ExitCode {
    broker::cli::main(broker::run::run)
}

//! The command `gregor`.
fn main() {}

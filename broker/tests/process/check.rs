//! `gregor check` against a broker, and against none.

use std::net::TcpListener;
use std::process::{Command, Output};

use crate::broker::Broker;

fn check(bootstrap: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gregor")).args(["check", "--bootstrap", bootstrap]).output().unwrap()
}

#[test]
fn records_go_round_and_nothing_stays() {
    let broker = Broker::start(&[]);
    let done = check(&broker.kafka.to_string());
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && said.contains("100 records produced and consumed"), "{said}");
    broker.expect_metric("gregor_appended_records_total", 100.0);
    broker.expect_metric("gregor_partitions", 0.0);
}

#[test]
fn nobody_there_is_one_sentence_and_an_exit_code() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let done = check(&free.to_string());
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(said.starts_with("gregor: check ") && said.contains("Connection refused"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

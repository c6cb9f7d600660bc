//! Liveness and readiness.

use crate::broker::Broker;

#[test]
fn every_event_loop_is_watched() {
    let broker = Broker::start(&[("background.threads", "3")]);
    let mut client = broker.connect();
    client.create_topic("t", 1, &[]);
    client.produce("t", 10);
    assert!(broker.get("/livez").starts_with("HTTP/1.1 200"));
    let watched = |name: &str| {
        let series = format!("gregor_event_loop_heartbeat_age_seconds{{loop=\"{name}\"}}");
        broker.eventually(name, || broker.metric(&series)).to_owned()
    };
    for name in
        ["worker-0", "worker-1", "workers", "timers", "sync-0", "metadata-sync-0", "recovery-0", "work-2"]
    {
        assert!(watched(name) < 5.0, "{name}");
    }
    assert_eq!(broker.metric("gregor_event_loop_heartbeat_age_seconds{loop=\"work-3\"}"), None);
}

#[test]
fn a_broker_whose_only_log_directory_fails_ends() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    client.create_topic("t", 1, &[]);
    client.produce("t", 10);
    // The next checkpoint finds no place for its files.
    std::fs::remove_dir_all(broker.logs()).unwrap();
    assert_eq!(broker.ended(), Some(1));
    let ends = "gregor: the broker ends, because it has lost its only log directory";
    let wanted = format!("{ends}, {}; see the lines above", broker.logs());
    broker.eventually("the last line", || broker.log.lock().unwrap().contains(&wanted).then_some(()));
    let log = broker.log.lock().unwrap();
    assert_eq!(log.matches(ends).count(), 1, "{log}");
    assert!(log.contains(&format!(" log directory {}", broker.logs())), "it says why: {log}");
}

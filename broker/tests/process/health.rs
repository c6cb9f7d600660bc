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

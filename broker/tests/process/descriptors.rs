//! A process that may have few descriptors, and clients that take what they get.

use std::io::ErrorKind;

use protocol::ErrorCode;

use crate::broker::{Broker, Client};

/// Opens connections until one is refused.
fn connect_until_refused(broker: &Broker, most: usize) -> Vec<Client> {
    let mut taken = Vec::new();
    while taken.len() < most {
        let mut client = broker.connect();
        client.stream.set_nonblocking(true).unwrap();
        let refused = broker.eventually("an answer to a connection", || {
            match client.receive_frame().unwrap_err().kind() {
                ErrorKind::WouldBlock => {
                    let open = broker.metric("gregor_connections").unwrap_or(0.0);
                    (open > taken.len() as f64).then_some(false)
                }
                _ => Some(true),
            }
        });
        if refused {
            break;
        }
        client.stream.set_nonblocking(false).unwrap();
        taken.push(client);
    }
    taken
}

#[test]
fn idle_connections_leave_descriptors_for_the_logs() {
    let broker = Broker::start_with_descriptors("-n 600", &[("background.sync.interval.ms", "50")]);
    let mut clients = connect_until_refused(&broker, 700);
    assert!((50..500).contains(&clients.len()), "{} connections were taken", clients.len());
    let client = &mut clients[0];
    for round in 0..20 {
        let topic = format!("t{round}");
        client.create_topic(&topic, 1, &[]);
        assert_eq!(client.produce(&topic, 100), ErrorCode::None, "{}", broker.log.lock().unwrap());
    }
    // Rounds of syncs with their checkpoints, each of which opens files by their names.
    broker.eventually("several rounds of syncs", || {
        broker.metric("gregor_log_syncs_total").filter(|syncs| *syncs >= 5.0)
    });
    assert_eq!(client.produce("t0", 100), ErrorCode::None, "{}", broker.log.lock().unwrap());
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    let broker = Broker::start_with_descriptors("-S -n 128", &[]);
    let clients = connect_until_refused(&broker, 300);
    assert_eq!(clients.len(), 300, "{}", broker.log.lock().unwrap());
}

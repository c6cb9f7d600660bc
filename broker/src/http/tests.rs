//! The endpoint through a real socket, with requests written by hand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::*;
use crate::metrics::declared::BROKER_ID;
use node::config::HEARTBEAT_AGE_MS_MAX;

/// A source that counts its scrapes, and holds them while its gate is shut.
#[derive(Default)]
struct Gate {
    scrapes: AtomicU64,
    shut: Mutex<bool>,
    opened: Condvar,
    fenced: AtomicBool,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }
}

impl Source for Gate {
    fn scrape(&self, families: &mut Families) {
        self.scrapes.fetch_add(1, Relaxed);
        families.count(&BROKER_ID, &[], 7);
        let shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(shut, |shut| *shut).unwrap());
    }

    fn ready(&self) -> Result<(), String> {
        if self.fenced.load(Relaxed) { Err("the broker is fenced".to_owned()) } else { Ok(()) }
    }
}

fn serve(health: Health) -> (Server, Arc<Health>, Arc<Gate>) {
    let (health, source) = (Arc::new(health), Arc::new(Gate::default()));
    let server = start("127.0.0.1", 0, Arc::clone(&health), source.clone()).unwrap();
    (server, health, source)
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends a request and reads to the end; gives the status line and the whole answer.
fn ask(server: &Server, request_line: &str) -> (String, String) {
    let mut stream = connect(server);
    write!(stream, "{request_line} HTTP/1.1\r\nHost: gregor\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.lines().next().unwrap_or_default().to_owned(), answer)
}

#[test]
fn metrics_are_served_as_prometheus_text() {
    let (server, health, _) = serve(Health::default());
    let _worker = health.enter("worker-0");
    let (status, answer) = ask(&server, "GET /metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{answer}");
    assert!(answer.contains("\n# TYPE gregor_broker_id gauge\ngregor_broker_id 7\n"), "{answer}");
    assert!(answer.contains("\ngregor_event_loop_heartbeat_age_seconds{loop=\"worker-0\"} "), "{answer}");
    assert!(answer.contains("\nprocess_cpu_seconds_total "), "{answer}");
}

#[test]
fn probes_say_why_not() {
    let (server, health, source) = serve(Health::default());
    assert_eq!(ask(&server, "GET /livez").0, "HTTP/1.1 200 OK");
    let (status, answer) = ask(&server, "GET /readyz");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(answer.ends_with("\r\n\r\nthe broker is starting\n"), "{answer}");
    health.set_state(State::Serving);
    assert_eq!(ask(&server, "GET /readyz").0, "HTTP/1.1 200 OK");
    source.fenced.store(true, Relaxed);
    let (status, answer) = ask(&server, "GET /readyz");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(answer.ends_with("\r\n\r\nthe broker is fenced\n"), "{answer}");
    assert_eq!(ask(&server, "GET /livez").0, "HTTP/1.1 200 OK", "who is fenced lives");
}

#[test]
fn a_loop_that_stands_still_is_told_of_within_seconds() {
    let (server, health, _) = serve(Health::default());
    let (still, idle) = (health.enter("still"), health.enter("idle"));
    still.beat();
    idle.idle();
    assert_eq!(ask(&server, "GET /livez").0, "HTTP/1.1 200 OK");
    still.beat();
    // Nobody asks meanwhile: the endpoint itself has to look.
    std::thread::sleep(Duration::from_millis(HEARTBEAT_AGE_MS_MAX) + 3 * LOOK_EVERY);
    let (status, answer) = ask(&server, "GET /livez");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(answer.contains("event loop still has stood still for 1"), "{answer}");
    still.beat();
    assert_eq!(ask(&server, "GET /livez").0, "HTTP/1.1 200 OK");
}

#[test]
fn pages_and_methods_that_are_not_there_are_refused() {
    let (server, ..) = serve(Health::default());
    let (status, answer) = ask(&server, "GET /");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(["/metrics", "/livez", "/readyz"].iter().all(|page| answer.contains(page)), "{answer}");
    assert_eq!(ask(&server, "GET /nothing").0, "HTTP/1.1 404 Not Found");
    assert_eq!(ask(&server, "POST /metrics").0, "HTTP/1.1 405 Method Not Allowed");
    let (status, answer) = ask(&server, "HEAD /livez");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    assert_eq!(ask(&server, "nonsense").0, "HTTP/1.1 400 Bad Request");
}

#[test]
fn liveness_answers_while_a_scrape_hangs() {
    let (server, _, source) = serve(Health::default());
    source.set(true);
    let mut first = connect(&server);
    first.write_all(b"GET /metrics HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n").unwrap();
    while source.scrapes.load(Relaxed) == 0 {
        std::thread::yield_now();
    }
    let mut second = connect(&server);
    second.write_all(b"GET /metrics HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(ask(&server, "GET /livez").0, "HTTP/1.1 200 OK");
    assert_eq!(source.scrapes.load(Relaxed), 1, "scrapes run one at a time");
    source.set(false);
    for mut stream in [first, second] {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
    assert_eq!(source.scrapes.load(Relaxed), 2);
}

#[test]
fn idle_connections_are_bounded() {
    let (server, ..) = serve(Health::default());
    let mut held: Vec<TcpStream> =
        (0..node::config::HTTP_CONNECTIONS_MAX).map(|_| connect(&server)).collect();
    let mut waiting = connect(&server);
    waiting.write_all(b"GET /livez HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n").unwrap();
    waiting.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut answer = String::new();
    assert!(waiting.read_to_string(&mut answer).is_err(), "one more than fit was answered: {answer}");
    // Room that one leaves goes to the one that waits.
    held.pop();
    waiting.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[test]
fn a_taken_address_is_an_error_and_a_dropped_server_gives_it_back() {
    let (server, health, source) = serve(Health::default());
    let port = server.address.port();
    assert!(start("127.0.0.1", port, Arc::clone(&health), source.clone()).is_err());
    drop(server);
    let again = start("127.0.0.1", port, health, source).unwrap();
    assert_eq!(ask(&again, "GET /livez").0, "HTTP/1.1 200 OK");
}

//! The program `gregor`, started on a folder of its own, and what is asked of it through its sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::header::{ResponseHeader, request_frame};
use protocol::id::{CorrelationId, Offset, PartitionIndex};
use protocol::message::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use protocol::message::fetch::{FetchPartition, FetchRequest, FetchTopic};
use protocol::message::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::records::BatchBuilder;
use protocol::wire::{Message, Reader, Request};

/// How long anything may take that the broker does at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The version of Produce and Fetch that names topics by name and knows all that these tests look at.
const PRODUCE_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 12;

/// A running broker; killed when this is dropped.
pub struct Broker {
    child: Child,
    pub kafka: SocketAddr,
    pub http: SocketAddr,
    /// What it logged so far.
    pub log: Arc<Mutex<String>>,
    data: tempfile::TempDir,
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Broker {
    /// Starts `gregor broker` with these settings on free ports, and waits until it is ready.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_gregor")), settings)
    }

    /// As [`Broker::start`], with what the shell's `ulimit` is told before.
    pub fn start_with_descriptors(limit: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit {limit}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_gregor")]);
        Self::start_by(command, settings)
    }

    fn start_by(mut command: Command, settings: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("server.properties");
        let mut text = format!("node.id=1\nlog.dirs={}\n", data.path().join("logs").display());
        text += "listeners=PLAINTEXT://127.0.0.1:0\nhttp.listen=127.0.0.1:0\nworker.threads=2\n";
        for (key, value) in settings {
            text += &format!("{key}={value}\n");
        }
        std::fs::write(&file, text).unwrap();
        command.args(["broker", "--config"]).arg(&file);
        Self::run(command, data)
    }

    /// Starts `gregor dev` with one manifest, and waits until it is ready.
    pub fn start_dev(manifest: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("manifest.yaml");
        std::fs::write(&file, manifest).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gregor"));
        command.args(["dev", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"]);
        command.arg(data.path().join("logs")).arg("-f").arg(&file);
        Self::run(command, data)
    }

    fn run(mut command: Command, data: tempfile::TempDir) -> Self {
        command.env("NO_COLOR", "1").env_remove("RUST_LOG").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, started) = std::sync::mpsc::channel();
        let lines = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut log = lines.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
                if line.contains("broker started") {
                    let _ = sender.send(line);
                }
            }
        });
        let Ok(line) = started.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            panic!("the broker does not start: {}", log.lock().unwrap());
        };
        let address = |before: &str| -> SocketAddr {
            let (_, rest) = line.split_once(before).unwrap_or_else(|| panic!("{before} is not in {line}"));
            rest.split_whitespace().next().unwrap().parse().unwrap()
        };
        let (kafka, http) = (address("PLAINTEXT://"), address("http="));
        let broker = Self { child, kafka, http, log, data };
        broker.eventually("ready", || broker.get("/readyz").starts_with("HTTP/1.1 200").then_some(()));
        broker
    }

    pub fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.kafka).unwrap())
    }

    /// Its log directory.
    pub fn logs(&self) -> String {
        self.data.path().join("logs").display().to_string()
    }

    /// Waits until the process has ended by itself; its exit code.
    pub fn ended(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < PATIENCE, "it does not end: {}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The whole answer to a GET.
    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: gregor\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The value of one series of /metrics, labels included in its name; `None` when it is not there.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let text = self.get("/metrics");
        let line =
            text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }

    /// Waits until a series has this value.
    pub fn expect_metric(&self, series: &str, value: f64) {
        let mut last = None;
        let start = Instant::now();
        while last != Some(value) {
            assert!(start.elapsed() < PATIENCE, "{series} is {last:?} and not {value}");
            last = self.metric(series);
        }
    }

    /// Asks again until there is an answer.
    pub fn eventually<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{what}: not within {PATIENCE:?}; {}",
                self.log.lock().unwrap()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A connection to a broker.
pub struct Client {
    pub stream: TcpStream,
    next: i32,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, next: 0 }
    }

    /// The bytes of a request, of which the answer is read with [`receive`](Self::receive).
    pub fn frame<R: Request>(&mut self, request: &R, version: i16) -> Vec<u8> {
        self.next += 1;
        request_frame(request, version, CorrelationId(self.next), Some("test"))
    }

    pub fn send<R: Request>(&mut self, request: &R, version: i16) {
        let frame = self.frame(request, version);
        self.stream.write_all(&frame).unwrap();
    }

    /// The next answer's frame without its length; an error when the connection ends or nothing comes.
    pub fn receive_frame(&mut self) -> std::io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut frame)?;
        Ok(frame)
    }

    pub fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let frame = self.receive_frame().unwrap();
        let mut reader = Reader::new(&frame);
        ResponseHeader::decode(&mut reader, R::KEY, version).unwrap();
        R::Response::decode(&mut reader, version).unwrap()
    }

    pub fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(request, version);
        self.receive::<R>(version)
    }

    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs = configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig {
                name: (*name).to_owned(),
                value: Some((*value).to_owned()),
            })
            .collect();
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: partitions,
            replication_factor: 1,
            configs,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, validate_only: false };
        let response = self.call(&request, 5);
        assert_eq!(response.topics[0].error_code, ErrorCode::None, "{response:?}");
    }

    /// Produces one record of `value_bytes` to partition 0 and gives the answer's code.
    pub fn produce(&mut self, topic: &str, value_bytes: usize) -> ErrorCode {
        let response = self.call(&produce_request(topic, value_bytes), PRODUCE_VERSION);
        response.responses[0].partition_responses[0].error_code
    }

    pub fn send_fetch(&mut self, topic: &str, from: i64, max_wait_ms: i32) {
        self.send(&fetch_request(topic, from, max_wait_ms), FETCH_VERSION);
    }

    /// The bytes of records in the answer to a Fetch.
    pub fn receive_fetched(&mut self) -> usize {
        let response = self.receive::<FetchRequest>(FETCH_VERSION);
        assert_eq!(response.error_code, ErrorCode::None);
        let partition = &response.responses[0].partitions[0];
        assert_eq!(partition.error_code, ErrorCode::None);
        partition.records.as_ref().map_or(0, Bytes::len)
    }

    pub fn produce_frame(&mut self, topic: &str, value_bytes: usize) -> Vec<u8> {
        self.frame(&produce_request(topic, value_bytes), PRODUCE_VERSION)
    }
}

pub fn produce_request(topic: &str, value_bytes: usize) -> ProduceRequest {
    let mut builder = BatchBuilder::new();
    let timestamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let timestamp = protocol::id::Timestamp(i64::try_from(timestamp.as_millis()).unwrap());
    builder.push(timestamp, None, Some(&vec![b'x'; value_bytes]), &[]);
    let records = Bytes::from(builder.build().unwrap());
    let index = PartitionIndex(0);
    let partition_data = vec![PartitionProduceData { index, records: Some(records) }];
    let topic = TopicProduceData { name: topic.to_owned(), partition_data, ..TopicProduceData::default() };
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..ProduceRequest::default() }
}

fn fetch_request(topic: &str, from: i64, max_wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition {
        partition: PartitionIndex(0),
        fetch_offset: Offset(from),
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic { topic: topic.to_owned(), partitions: vec![partition], ..FetchTopic::default() };
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

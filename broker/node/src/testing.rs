//! What the tests of this crate share: a broker on a virtual disk whose jobs and timers run when a test says so, and
//! connections that speak frames.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use protocol::header::{ResponseHeader, request_frame};
use protocol::id::{CorrelationId, Monotonic, PartitionIndex, ProducerEpoch, ProducerId, Timestamp};
use protocol::message::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use protocol::message::delete_topics::DeleteTopicState;
use protocol::message::produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData};
use protocol::message::{DeleteTopicsRequest, ProduceRequest};
use protocol::records::BatchBuilder;
use protocol::wire::{Message, Reader, Request};
use storage::disk::{VirtualDisk, Wait};

use crate::{
    Config, Effects, Job, JobResult, Next, Node, Now, OpenError, Output, Part, Session, Ticket, Turn, Wake,
};

/// Where the log directory of a [`Bench`] is.
pub(crate) const DIRECTORY: &str = "/data";

struct Silent;

impl Wake for Silent {
    fn wake(&self) {}
}

/// A broker with what it asked for and did not get yet.
pub(crate) struct Bench {
    pub(crate) node: Node,
    pub(crate) notices: Vec<String>,
    pub(crate) jobs: VecDeque<(Ticket, Job)>,
    /// Jobs that are not to be done yet.
    pub(crate) held: fn(&Job) -> bool,
    timers: BTreeMap<(Monotonic, usize), Ticket>,
    set: usize,
    now: Monotonic,
}

/// A client's connection.
pub(crate) struct Link {
    session: Arc<Session>,
    /// Sent, and not taken by the broker.
    input: Vec<u8>,
    versions: VecDeque<i16>,
    received: VecDeque<u8>,
}

impl Bench {
    /// Opens a broker over what is on the disk; nothing of what it asks for is done.
    pub(crate) fn open(disk: &VirtualDisk, config: &[(&str, &str)]) -> Result<Self, OpenError> {
        let mut overrides = vec![("log.dirs".to_owned(), DIRECTORY.to_owned())];
        overrides.extend(config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let config = Config::dev(&overrides).expect("the configuration is valid");
        let mut effects = Effects::default();
        let now = Monotonic(0);
        // Another one at each start, so that no id is given out twice.
        let seed = 7 + disk.calls();
        let node = Node::open(clock(now), config, Arc::new(disk.clone()), seed, &mut effects)?;
        let (jobs, timers) = (VecDeque::new(), BTreeMap::new());
        let mut bench = Self { node, notices: Vec::new(), jobs, held: |_| false, timers, set: 0, now };
        bench.take(effects);
        Ok(bench)
    }

    /// Opens a broker and lets it come up.
    pub(crate) fn ready(disk: &VirtualDisk) -> Self {
        let mut bench = Self::open(disk, &[]).expect("the broker starts");
        bench.come_up();
        bench
    }

    /// Lets it come up.
    pub(crate) fn come_up(&mut self) {
        self.advance(Duration::from_millis(100));
        assert!(self.node.is_ready(), "{:?}", self.notices);
    }

    fn take(&mut self, effects: Effects) {
        self.jobs.extend(effects.jobs);
        self.notices.extend(effects.notices);
        for (deadline, ticket) in effects.timers {
            self.set += 1;
            self.timers.insert((deadline, self.set), ticket);
        }
    }

    /// Does the oldest job that is wanted; `false` when there is none.
    pub(crate) fn run_job(&mut self) -> bool {
        let wanted = self.jobs.iter().position(|(_, job)| !(self.held)(job));
        let Some((ticket, job)) = wanted.and_then(|at| self.jobs.remove(at)) else { return false };
        self.job_done(ticket, job.run());
        true
    }

    /// Tells of a job that was done.
    pub(crate) fn job_done(&mut self, ticket: Ticket, result: JobResult) {
        let mut effects = Effects::default();
        self.node.job_done(clock(self.now), ticket, result, &mut effects);
        self.take(effects);
    }

    /// Does all jobs, and those that they lead to.
    pub(crate) fn run_jobs(&mut self) {
        while self.run_job() {}
    }

    /// Fires the timers that are due until then, without doing a job.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now.plus(time);
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= until) {
            self.now = self.now.max(entry.key().0);
            let ticket = entry.remove();
            let mut effects = Effects::default();
            self.node.timer(clock(self.now), &ticket, &mut effects);
            self.take(effects);
        }
        self.now = until;
    }

    /// Lets time pass, in which all jobs are done at once.
    pub(crate) fn advance(&mut self, time: Duration) {
        let until = self.now.plus(time);
        self.run_jobs();
        while let Some(due) = self.timers.first_key_value().map(|(key, _)| key.0).filter(|due| *due <= until)
        {
            self.pass(Duration::from_nanos(due.0.saturating_sub(self.now.0)));
            self.run_jobs();
        }
        self.now = until;
    }

    pub(crate) fn connect(&self) -> Link {
        self.connect_to(0)
    }

    /// Connects to one of the configured listeners.
    pub(crate) fn connect_to(&self, listener: usize) -> Link {
        let session = self.node.connect(clock(self.now), listener, Arc::new(Silent));
        Link { session, input: Vec::new(), versions: VecDeque::new(), received: VecDeque::new() }
    }

    /// Ends a connection.
    pub(crate) fn disconnect(&mut self, link: Link) {
        let mut effects = Effects::default();
        self.node.disconnect(clock(self.now), &link.session, &mut effects);
        self.take(effects);
    }

    /// Sends a request, and does nothing else.
    pub(crate) fn send<R: Request>(&mut self, link: &mut Link, request: &R, version: i16) {
        let frame = request_frame(request, version, CorrelationId(0), Some("test"));
        link.versions.push_back(version);
        self.send_bytes(link, &frame);
        assert!(link.input.is_empty(), "the request is taken");
    }

    /// Sends bytes in one piece.
    pub(crate) fn send_bytes(&mut self, link: &mut Link, bytes: &[u8]) -> Next {
        link.input.extend_from_slice(bytes);
        let mut effects = Effects::default();
        let Turn { consumed, next } =
            self.node.receive(clock(self.now), &link.session, &mut link.input, &mut effects);
        link.input.drain(..consumed);
        self.take(effects);
        next
    }

    /// Sends a request on a connection of its own, does all jobs, and gives the response.
    pub(crate) fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let mut link = self.connect();
        self.send(&mut link, request, version);
        self.run_jobs();
        link.response::<R>().expect("an answer")
    }

    /// Lets the jobs run that were held.
    pub(crate) fn release(&mut self) {
        self.held = |_| false;
        self.run_jobs();
    }

    /// Sends one batch of one record to a partition, does the jobs that `wanted` picks, and gives the answer if there is
    /// one by then.
    pub(crate) fn produce_one(
        &mut self,
        place: (&str, i32),
        wanted: impl Fn(&Job) -> bool,
    ) -> Option<PartitionProduceResponse> {
        self.produce_with(place, BatchBuilder::new(), wanted)
    }

    /// As [`produce_one`](Self::produce_one), for an idempotent producer.
    pub(crate) fn produce_idempotent(
        &mut self,
        place: (&str, i32),
        sequence: i32,
        wanted: impl Fn(&Job) -> bool,
    ) -> Option<PartitionProduceResponse> {
        let builder = BatchBuilder::new().producer(ProducerId(77), ProducerEpoch(0), sequence);
        self.produce_with(place, builder, wanted)
    }

    fn produce_with(
        &mut self,
        (topic, partition): (&str, i32),
        mut builder: BatchBuilder,
        wanted: impl Fn(&Job) -> bool,
    ) -> Option<PartitionProduceResponse> {
        builder.push(clock(self.now).wall, None, Some(b"value"), &[]);
        let records = Some(builder.build().expect("a batch").into());
        let data = PartitionProduceData { index: PartitionIndex(partition), records };
        let topic = TopicProduceData {
            name: topic.to_owned(),
            partition_data: vec![data],
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 1_000,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        let mut link = self.connect();
        self.send(&mut link, &request, 9);
        self.run_those(wanted);
        link.response::<ProduceRequest>()
            .map(|mut answer| answer.responses.remove(0).partition_responses.remove(0))
    }

    /// Does the jobs that `wanted` picks, and those of them that they lead to; the others stay.
    pub(crate) fn run_those(&mut self, wanted: impl Fn(&Job) -> bool) {
        while let Some(next) = self.jobs.iter().position(|(_, job)| wanted(job)) {
            if let Some((ticket, job)) = self.jobs.remove(next) {
                self.job_done(ticket, job.run());
            }
        }
    }

    /// Creates a topic of one partition, to be answered later.
    pub(crate) fn send_create(&mut self, link: &mut Link, name: &str) {
        self.send(link, &create(&[name]), 7);
    }

    /// Creates a topic of one partition with settings of its own.
    pub(crate) fn create_with(&mut self, name: &str, configs: &[(&str, &str)]) {
        let config = |(key, value): &(&str, &str)| CreatableTopicConfig {
            name: (*key).to_owned(),
            value: Some((*value).to_owned()),
        };
        let mut request = create(&[name]);
        request.topics[0].configs = configs.iter().map(config).collect();
        let created = self.call(&request, 7);
        assert!(!created.topics[0].error_code.is_error(), "{created:?}");
    }

    /// Deletes a topic.
    pub(crate) fn delete(&mut self, name: &str) {
        let topic = DeleteTopicState { name: Some(name.to_owned()), ..DeleteTopicState::default() };
        let request =
            DeleteTopicsRequest { topics: vec![topic], timeout_ms: 1_000, ..DeleteTopicsRequest::default() };
        let deleted = self.call(&request, 6);
        assert!(!deleted.responses[0].error_code.is_error(), "{deleted:?}");
    }

    /// Creates a topic of one partition.
    pub(crate) fn create(&mut self, name: &str) -> CreateTopicsResponse {
        self.call(&create(&[name]), 7)
    }
}

impl Link {
    /// A request was or will be sent as bytes.
    pub(crate) fn expect<R: Request>(&mut self, version: i16) {
        assert!(R::VERSIONS.contains(&version));
        self.versions.push_back(version);
    }

    /// The oldest response that was not looked at; `None` while it is not there.
    pub(crate) fn response<R: Request>(&mut self) -> Option<R::Response> {
        let mut output = Output::default();
        self.session.take_output(&mut output);
        for part in output.parts {
            match part {
                Part::Bytes(bytes) => self.received.extend(bytes),
                Part::Range(range) => {
                    self.received.extend(range.read(Wait::Long).expect("the range is there"))
                }
            }
        }
        let bytes = self.received.make_contiguous();
        let length = usize::try_from(i32::from_be_bytes(*bytes.first_chunk()?)).expect("a length");
        let version = self.versions.pop_front().expect("a request");
        let frame: Vec<u8> = self.received.drain(..4 + length).skip(4).collect();
        let mut reader = Reader::new(&frame);
        ResponseHeader::decode(&mut reader, R::KEY, version).expect("a header");
        let response = R::Response::decode(&mut reader, version).expect("a response");
        reader.finish().expect("nothing more");
        Some(response)
    }
}

/// A request for topics of one partition.
pub(crate) fn create(names: &[&str]) -> CreateTopicsRequest {
    let topic = |name: &&str| CreatableTopic {
        name: (*name).to_owned(),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    CreateTopicsRequest {
        topics: names.iter().map(topic).collect(),
        timeout_ms: 1_000,
        ..CreateTopicsRequest::default()
    }
}

/// 2026-01-01 and later.
fn clock(now: Monotonic) -> Now {
    let wall = 1_767_225_600_000 + i64::try_from(now.0 / 1_000_000).expect("a short test");
    Now { monotonic: now, wall: Timestamp(wall) }
}

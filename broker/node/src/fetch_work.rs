//! What a Fetch wants, and running it: planned under each partition's lock, read outside of it (D3).
//!
//! A Fetch runs until it has `min_bytes`, an error, or its deadline. It runs again when a partition that it wants
//! has new records, and when cold ranges were read in by a job.

use std::io;
use std::sync::Arc;

use machines::fetch_session::FetchContext;
use parking_lot::Mutex;
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Monotonic, Offset, PartitionIndex, TopicId};
use protocol::message::fetch::AbortedTransaction;
use storage::disk::{FileRange, Wait};
use storage::{FetchedRange, ReadPlan};

use crate::api::{Header, fetch_reply};
use crate::effects::{Effects, Job, Now, Reply, Ticket, TicketKind};
use crate::node::Node;
use crate::partition::{Partition, read_error_code};
use crate::room::Seat;
use crate::session::{Session, Slot};

/// A Fetch on its way: running, or waiting.
#[derive(Debug)]
pub struct ParkedFetch {
    pub(crate) session: Arc<Session>,
    pub(crate) slot: Slot,
    pub(crate) deadline: Monotonic,
    pub(crate) request: FetchWork,
    /// Held while it runs: taken before partitions' locks, and never by somebody who holds one.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What the fetch session has to be told; gone when the Fetch was answered.
    context: Option<FetchContext>,
    /// Its place among the requests that wait for records.
    seat: Option<Seat>,
    /// Registered with its partitions, which then have to be told to forget it.
    registered: bool,
    /// A job reads cold ranges; until it is done nothing else runs this.
    warming: bool,
    /// Why the disk failed to bring in what was cold.
    unreadable: Option<Arc<str>>,
}

/// A Fetch, its topics resolved.
#[derive(Debug)]
pub(crate) struct FetchWork {
    pub(crate) header: Header,
    pub(crate) read_committed: bool,
    pub(crate) min_bytes: u64,
    pub(crate) max_bytes: u32,
    pub(crate) topics: Vec<WantedTopic>,
}

#[derive(Debug)]
pub(crate) struct WantedTopic {
    pub(crate) name: Arc<str>,
    pub(crate) id: TopicId,
    pub(crate) partitions: Vec<WantedPartition>,
}

#[derive(Debug)]
pub(crate) struct WantedPartition {
    pub(crate) index: PartitionIndex,
    /// The partition, or why it cannot be read here.
    pub(crate) partition: Result<Arc<Partition>, ErrorCode>,
    pub(crate) fetch_offset: Offset,
    pub(crate) current_leader_epoch: LeaderEpoch,
    pub(crate) last_fetched_epoch: LeaderEpoch,
    pub(crate) max_bytes: u32,
}

/// One partition's part of the answer.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) error: ErrorCode,
    pub(crate) high_watermark: Offset,
    pub(crate) last_stable_offset: Offset,
    pub(crate) log_start_offset: Offset,
    /// Where the asker's log parts from this one (KIP-595): epoch and its end here.
    pub(crate) diverging: Option<(LeaderEpoch, Offset)>,
    /// The aborted transactions of a read_committed consumer's range; `None` for others.
    pub(crate) aborted: Option<Vec<AbortedTransaction>>,
    pub(crate) records: Option<FileRange>,
}

impl Fetched {
    pub(crate) const fn failed(error: ErrorCode) -> Self {
        Self {
            error,
            high_watermark: Offset::UNKNOWN,
            last_stable_offset: Offset::UNKNOWN,
            log_start_offset: Offset::UNKNOWN,
            diverging: None,
            aborted: None,
            records: None,
        }
    }
}

/// Cold ranges to be read into the page cache.
#[derive(Debug)]
pub struct WarmUp {
    plans: Vec<ReadPlan>,
    /// What readers of cold records will ask for next: begun, and not waited for.
    ahead: Vec<FileRange>,
    /// Its place among those that wait for a thread or read.
    _seat: Seat,
    /// Of its connection, when nobody waits for it.
    _later: Option<Seat>,
}

impl WarmUp {
    /// Reads; for as long as the disk takes. Why the device refused to give some of it.
    pub(crate) fn run(self) -> Option<Arc<str>> {
        let mut refused = None;
        for error in self.plans.iter().filter_map(|plan| plan.warm().err()).filter(is_of_device) {
            refused.get_or_insert_with(|| Arc::from(error.to_string()));
        }
        self.ahead.iter().for_each(FileRange::read_ahead);
        refused
    }
}

/// Whether a read failed because of the device: what was removed or is damaged is found out again, and answered, when
/// the Fetch runs.
fn is_of_device(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
    !matches!(error.kind(), NotFound | InvalidData | UnexpectedEof)
}

/// What one pass over the partitions gave.
#[derive(Default)]
struct Pass {
    results: Vec<Fetched>,
    bytes: u64,
    /// Something to say at once: an error, a diverging epoch, or records of which no more can be had by waiting.
    urgent: bool,
    cold: Vec<ReadPlan>,
    /// Why the disk failed to bring in what was cold.
    unreadable: Option<Arc<str>>,
    /// What readers of cold records will ask for next.
    ahead: Vec<FileRange>,
    /// Damage and failures that were met for the first time.
    notices: Vec<String>,
}

impl Pass {
    /// The device refused to give what is asked for: nothing else is concerned, and the next Fetch tries again.
    fn note_unreadable(&mut self, partition: &Partition, at: Offset, reason: &str) {
        if partition.is_failed_read_new() {
            self.notices.push(format!(
                "{partition:?}: cannot be read at offset {at}: {reason}; fetches of what is there are answered with \
                 an error, all else goes on; look at the device"
            ));
        }
    }
}

impl ParkedFetch {
    pub(crate) fn new(
        session: &Arc<Session>,
        slot: Slot,
        deadline: Monotonic,
        request: FetchWork,
        context: FetchContext,
    ) -> Arc<Self> {
        let session = Arc::clone(session);
        let state =
            State { context: Some(context), seat: None, registered: false, warming: false, unreadable: None };
        Arc::new(Self { session, slot, deadline, request, state: Mutex::new(state) })
    }

    /// Runs it; gives the reply when it is done. Otherwise it waits on partitions, or on a job in the effects.
    pub(crate) fn run(self: &Arc<Self>, node: &Node, now: Now, effects: &mut Effects) -> Option<Reply> {
        let mut state = self.state.lock();
        if state.context.is_none() || state.warming {
            return None;
        }
        let last = now.monotonic >= self.deadline || self.session.is_closed();
        let mut pass = self.pass(false, state.unreadable.clone());
        effects.notices.append(&mut pass.notices);
        let mut done = last || self.request.is_enough(&pass);
        if !done && pass.cold.is_empty() {
            // No more may wait: this one is told at once what there is.
            done = !self.sit_down(node, &mut state);
        }
        if !done && pass.cold.is_empty() {
            // Once more under a promise to be told: what came in between is seen, what comes later runs this again.
            state.registered = true;
            pass = self.pass(true, state.unreadable.clone());
            effects.notices.append(&mut pass.notices);
            done = self.request.is_enough(&pass);
        }
        if !pass.cold.is_empty() && !self.session.is_closed() {
            done =
                self.warm_up(node, &mut state, std::mem::take(&mut pass.cold), (pass.bytes, last), effects);
        }
        if !done {
            return None;
        }
        self.read_ahead(node, pass.ahead, effects);
        let context = state.context.take()?;
        let registered = state.registered;
        if state.seat.take().is_some() {
            self.session.unpark();
        }
        drop(state);
        if registered {
            self.forget();
        }
        let shard = node.metrics().shard(self.session.number());
        Some(fetch_reply(node, now, &self.request, pass.results, context, shard))
    }

    /// Takes a place among the requests that wait, if it has none; whether it has one now.
    fn sit_down(self: &Arc<Self>, node: &Node, state: &mut State) -> bool {
        if state.seat.is_none() {
            state.seat = node.parked().take(node.config().parked_requests_max);
            if state.seat.is_some() {
                self.session.park(self);
            }
        }
        state.seat.is_some()
    }

    /// Has cold ranges read in; whether this one is to be answered without them.
    fn warm_up(
        self: &Arc<Self>,
        node: &Node,
        state: &mut State,
        plans: Vec<ReadPlan>,
        (bytes, last): (u64, bool),
        effects: &mut Effects,
    ) -> bool {
        node.metrics().shard(self.session.number()).cold_reads.increment();
        let later = if bytes > 0 { self.session.warming().take(1) } else { None };
        if bytes > 0 && later.is_none() {
            // On a slow disk each round trip would leave another one behind.
            return true;
        }
        let Some(seat) = node.warming().take(node.config().warm_jobs_max) else {
            // Too much is being read in already. With nothing to say, this one looks again when its time is over, so
            // that its client does not ask over and over.
            return bytes > 0 || last || !self.sit_down(node, state);
        };
        let job = Job::Warm(WarmUp { plans, ahead: Vec::new(), _seat: seat, _later: later });
        if bytes == 0 {
            state.warming = true;
            effects.jobs.push((Ticket(TicketKind::Warmed(Arc::clone(self))), job));
            return false;
        }
        // What is warm goes out now; the rest is read in for the next Fetch, so that no partition starves. It is not
        // registered with its partitions, so that nobody else would run it again.
        effects.jobs.push((Ticket(TicketKind::Nobody), job));
        true
    }

    /// Has read in what the next Fetch will ask for, unless enough is being read in already.
    fn read_ahead(&self, node: &Node, ahead: Vec<FileRange>, effects: &mut Effects) {
        if ahead.is_empty() {
            return;
        }
        let Some(later) = self.session.warming().take(1) else { return };
        let Some(seat) = node.warming().take(node.config().warm_jobs_max) else { return };
        let job = Job::Warm(WarmUp { plans: Vec::new(), ahead, _seat: seat, _later: Some(later) });
        effects.jobs.push((Ticket(TicketKind::Nobody), job));
    }

    /// The cold ranges were read in, or the disk failed some: what is still cold then is answered with an error, and
    /// not asked for again and again.
    pub(crate) fn warmed(&self, unreadable: Option<Arc<str>>) {
        let mut state = self.state.lock();
        state.warming = false;
        state.unreadable = unreadable.or(state.unreadable.take());
    }

    /// Partitions that did not change since keep no trace of a Fetch that was answered.
    fn forget(self: &Arc<Self>) {
        for partition in self.request.partitions().filter_map(|wanted| wanted.partition.as_ref().ok()) {
            partition.lock().forget(self);
        }
    }

    fn pass(self: &Arc<Self>, register: bool, unreadable: Option<Arc<str>>) -> Pass {
        let mut pass = Pass { unreadable, ..Pass::default() };
        let mut left = self.request.max_bytes;
        for wanted in self.request.partitions() {
            let fetched = match &wanted.partition {
                Ok(partition) => self.read(wanted, partition, left, register, &mut pass),
                Err(error) => Fetched::failed(*error),
            };
            pass.urgent |= fetched.error.is_error() || fetched.diverging.is_some();
            if let Some(range) = &fetched.records {
                left = left.saturating_sub(range.len);
                pass.bytes += u64::from(range.len);
            }
            pass.results.push(fetched);
        }
        pass
    }

    fn read(
        self: &Arc<Self>,
        wanted: &WantedPartition,
        partition: &Arc<Partition>,
        left: u32,
        register: bool,
        pass: &mut Pass,
    ) -> Fetched {
        let (mut fetched, mut plan) = match self.plan(wanted, wanted.fetch_offset, partition, left, register)
        {
            Ok((fetched, Some(plan))) => (fetched, plan),
            Ok((fetched, None)) => return fetched,
            Err(failed) => return failed,
        };
        let mut ran = plan.run(Wait::Never);
        // Compaction may have left nothing of whole segments.
        while let Ok(FetchedRange { range: None, skip_to: Some(next), .. }) = &ran {
            match self.plan(wanted, *next, partition, left, register) {
                Ok((_, Some(further))) => plan = further,
                Ok((_, None)) | Err(_) => return fetched,
            }
            ran = plan.run(Wait::Never);
        }
        match ran {
            // The first partition with records may exceed every limit by its first batch, so that a consumer always
            // gets on (KIP-74); later ones keep within what is left.
            Ok(FetchedRange { range, ahead, .. }) => {
                pass.ahead.extend(ahead);
                fetched.records = range.filter(|range| pass.bytes == 0 || range.len <= left);
                // No wait brings more of this range: what it lacks is there already.
                pass.urgent |= fetched.records.is_some() && plan.is_followed();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => match pass.unreadable.clone() {
                Some(reason) => {
                    fetched = Fetched { error: ErrorCode::KafkaStorageError, ..fetched };
                    pass.note_unreadable(partition, wanted.fetch_offset, &reason);
                }
                None => pass.cold.push(plan),
            },
            Err(error) => {
                fetched = Fetched { error: read_error_code(&error), ..fetched };
                let at = wanted.fetch_offset;
                if fetched.error != ErrorCode::CorruptMessage {
                    pass.note_unreadable(partition, at, &error.to_string());
                } else if partition.is_damage_new() {
                    pass.notices
                        .push(format!("{partition:?}: damaged at offset {at} and not served: {error}"));
                }
            }
        }
        fetched
    }

    /// Under the partition's lock, from memory alone.
    fn plan(
        self: &Arc<Self>,
        wanted: &WantedPartition,
        from: Offset,
        partition: &Arc<Partition>,
        left: u32,
        register: bool,
    ) -> Result<(Fetched, Option<ReadPlan>), Fetched> {
        let mut state = partition.lock();
        let Ok(log) = state.log() else {
            drop(state);
            partition.ask_for_recovery();
            return Err(Fetched::failed(ErrorCode::NotLeaderOrFollower));
        };
        state.replica.check_leader(wanted.current_leader_epoch).map_err(Fetched::failed)?;
        let fetched = Fetched {
            error: ErrorCode::None,
            high_watermark: state.replica.high_watermark(),
            last_stable_offset: state.last_stable_offset(),
            log_start_offset: log.log_start_offset(),
            diverging: None,
            aborted: self.request.read_committed.then(Vec::new),
            records: None,
        };
        if wanted.last_fetched_epoch != LeaderEpoch::UNKNOWN {
            let (epoch, end) = log.epoch_end_offset(wanted.last_fetched_epoch);
            if end == Offset::UNKNOWN {
                return Err(Fetched { error: ErrorCode::OffsetOutOfRange, ..fetched });
            }
            if epoch < wanted.last_fetched_epoch || end < wanted.fetch_offset {
                return Ok((Fetched { diverging: Some((epoch, end)), ..fetched }, None));
            }
        }
        let max_bytes = wanted.max_bytes.min(left);
        let planned = state.plan_read(from, self.request.read_committed, max_bytes);
        if register {
            state.wait_for_records(self);
        }
        drop(state);
        match planned {
            Ok(plan) => Ok((fetched, (!plan.is_empty()).then_some(plan))),
            // Kafka names the bounds along with the error.
            Err(error) => Err(Fetched { error, ..fetched }),
        }
    }
}

impl FetchWork {
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &WantedPartition> {
        self.topics.iter().flat_map(|topic| &topic.partitions)
    }

    fn is_enough(&self, pass: &Pass) -> bool {
        pass.urgent || pass.bytes >= self.min_bytes || self.topics.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::message::fetch::{FetchPartition, FetchRequest, FetchTopic};
    use storage::disk::VirtualDisk;

    use super::*;
    use crate::testing::{Bench, Link};

    fn fetch(bench: &mut Bench, topic: &str) -> Link {
        let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
        let topic =
            FetchTopic { topic: topic.to_owned(), partitions: vec![partition], ..FetchTopic::default() };
        let request = FetchRequest {
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes: 1 << 20,
            session_epoch: -1,
            topics: vec![topic],
            ..FetchRequest::default()
        };
        let mut link = bench.connect();
        bench.send(&mut link, &request, 12);
        link
    }

    /// The bytes of records that were answered.
    fn fetched(link: &mut Link) -> Option<usize> {
        let response = link.response::<FetchRequest>()?;
        let partition = &response.responses[0].partitions[0];
        assert_eq!(partition.error_code, ErrorCode::None);
        Some(partition.records.as_ref().map_or(0, bytes::Bytes::len))
    }

    #[test]
    fn a_cold_fetch_beyond_warm_jobs_max_waits_its_time() {
        let disk = VirtualDisk::new();
        let mut bench = Bench::ready(&disk);
        for topic in ["a", "b"] {
            bench.create(topic);
            bench.produce_one((topic, 0), |_| true).unwrap();
        }
        drop(bench);
        // What an earlier run wrote is not known to be in memory.
        disk.kill();
        let mut bench = Bench::open(&disk, &[("warm.jobs.max", "1")]).unwrap();
        bench.come_up();
        disk.drop_caches();
        bench.held = |job| matches!(job, Job::Warm(_));
        let warming =
            |bench: &Bench| bench.jobs.iter().filter(|(_, job)| matches!(job, Job::Warm(_))).count();
        let mut first = fetch(&mut bench, "a");
        assert_eq!(warming(&bench), 1);
        let mut second = fetch(&mut bench, "b");
        bench.advance(Duration::from_millis(499));
        assert_eq!((fetched(&mut first), fetched(&mut second)), (None, None));
        assert_eq!(warming(&bench), 1, "no more than may be");
        bench.advance(Duration::from_millis(1));
        assert_eq!(
            (fetched(&mut first), fetched(&mut second)),
            (None, Some(0)),
            "it is answered with nothing"
        );
        bench.release();
        assert!(fetched(&mut first) > Some(0));
        let mut again = fetch(&mut bench, "b");
        bench.run_jobs();
        assert!(fetched(&mut again) > Some(0), "there is room for it now");
    }
}

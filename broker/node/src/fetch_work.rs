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

/// What one pass over the partitions gave.
#[derive(Default)]
struct Pass {
    results: Vec<Fetched>,
    bytes: u64,
    /// Something to say at once: an error, or a diverging epoch.
    urgent: bool,
    cold: Vec<ReadPlan>,
    /// Damage that was met for the first time.
    notices: Vec<String>,
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
        let state = State { context: Some(context), seat: None, registered: false, warming: false };
        Arc::new(Self { session, slot, deadline, request, state: Mutex::new(state) })
    }

    /// Runs it; gives the reply when it is done. Otherwise it waits on partitions, or on a job in the effects.
    pub(crate) fn run(self: &Arc<Self>, node: &Node, now: Now, effects: &mut Effects) -> Option<Reply> {
        let mut state = self.state.lock();
        if state.context.is_none() || state.warming {
            return None;
        }
        let last = now.monotonic >= self.deadline || self.session.is_closed();
        let mut pass = self.pass(false);
        effects.notices.append(&mut pass.notices);
        let mut done = last || self.request.is_enough(&pass);
        if !done && pass.cold.is_empty() && state.seat.is_none() {
            state.seat = node.parked().take(node.config().parked_requests_max);
            // No more may wait: this one is told at once what there is.
            done = state.seat.is_none();
            self.session.park(self);
        }
        if !done && pass.cold.is_empty() {
            // Once more under a promise to be told: what came in between is seen, what comes later runs this again.
            state.registered = true;
            pass = self.pass(true);
            effects.notices.append(&mut pass.notices);
            done = self.request.is_enough(&pass);
        }
        if !pass.cold.is_empty() && !self.session.is_closed() {
            node.metrics().shard(self.session.number()).cold_reads.increment();
            if pass.bytes == 0 {
                state.warming = true;
                effects.jobs.push((Ticket(TicketKind::Warmed(Arc::clone(self))), Job::Warm(pass.cold)));
                return None;
            }
            // What is warm goes out now; the rest is read in for the next Fetch, so that no partition starves.
            // It is not registered with its partitions, so that nobody else would run it again.
            effects.jobs.push((Ticket(TicketKind::Nobody), Job::Warm(pass.cold)));
            done = true;
        }
        if !done {
            return None;
        }
        let context = state.context.take()?;
        let registered = state.registered;
        state.seat = None;
        drop(state);
        if registered {
            self.forget();
        }
        let shard = node.metrics().shard(self.session.number());
        Some(fetch_reply(node, now, &self.request, pass.results, context, shard))
    }

    /// The cold ranges were read in.
    pub(crate) fn warmed(&self) {
        self.state.lock().warming = false;
    }

    /// Partitions that did not change since keep no trace of a Fetch that was answered.
    fn forget(self: &Arc<Self>) {
        for partition in self.request.partitions().filter_map(|wanted| wanted.partition.as_ref().ok()) {
            partition.lock().forget(self);
        }
    }

    fn pass(self: &Arc<Self>, register: bool) -> Pass {
        let mut pass = Pass::default();
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
        let (mut fetched, plan) = match self.plan(wanted, partition, left, register) {
            Ok(planned) => planned,
            Err(failed) => return failed,
        };
        // The first partition with records may exceed every limit by its first batch, so that a consumer always gets
        // on (KIP-74); later ones keep within what is left.
        let Some(plan) = plan else { return fetched };
        match plan.run(Wait::Never) {
            Ok(FetchedRange { range, .. }) => {
                fetched.records = range.filter(|range| pass.bytes == 0 || range.len <= left);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => pass.cold.push(plan),
            Err(error) => {
                fetched = Fetched { error: read_error_code(&error), ..fetched };
                if fetched.error == ErrorCode::CorruptMessage && partition.is_damage_new() {
                    let at = wanted.fetch_offset;
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
            if epoch < wanted.last_fetched_epoch || end < wanted.fetch_offset {
                return Ok((Fetched { diverging: Some((epoch, end)), ..fetched }, None));
            }
        }
        let max_bytes = wanted.max_bytes.min(left);
        let planned = state.plan_read(wanted.fetch_offset, self.request.read_committed, max_bytes);
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

//! Transcripts of the replica machine; broker 1 is the local one, time is in milliseconds.

use super::*;
use crate::image::LeaderRecoveryState;
use crate::transcript::{self, Command};
use protocol::id::BrokerEpoch;

struct Run {
    partition: Partition,
    now: Monotonic,
    proposal: Option<IsrProposal>,
}

fn ids(command: &Command<'_>, key: &str) -> Option<Vec<BrokerId>> {
    Some(command.numbers(key)?.into_iter().map(|id| BrokerId(i32::try_from(id).unwrap())).collect())
}

fn number32(command: &Command<'_>, key: &str) -> i32 {
    i32::try_from(command.number(key).unwrap_or(-1)).unwrap()
}

fn offset(command: &Command<'_>, key: &str) -> Offset {
    Offset(command.number(key).unwrap_or(-1))
}

fn rules(command: &Command<'_>) -> Rules {
    Rules {
        min_insync_replicas: usize::try_from(command.number("min").unwrap_or(1)).unwrap(),
        counts_synced: command.text("synced_only").is_some(),
        replica_lag_time_max: Duration::from_millis(command.number("lag").unwrap_or(30_000).unsigned_abs()),
    }
}

fn moved(high_watermark: Option<Offset>) -> String {
    high_watermark.map_or(String::new(), |offset| format!("high watermark {offset}"))
}

impl Run {
    fn apply(&mut self, command: &Command<'_>) -> String {
        let registration = PartitionRegistration {
            replicas: ids(command, "replicas").unwrap_or_else(|| self.partition.replicas.clone()),
            directories: Vec::new(),
            isr: ids(command, "isr").unwrap(),
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            elr: Vec::new(),
            last_known_elr: Vec::new(),
            leader: BrokerId(number32(command, "leader")),
            leader_recovery_state: LeaderRecoveryState::Recovered,
            leader_epoch: LeaderEpoch(number32(command, "epoch")),
            partition_epoch: PartitionEpoch(number32(command, "partition_epoch")),
        };
        let transition = self.partition.apply(self.now, &registration);
        format!("{transition:?}, high watermark {}", self.partition.high_watermark())
    }

    fn fetch(&mut self, command: &Command<'_>) -> String {
        let position = FetchPosition {
            fetch_offset: offset(command, "offset"),
            broker_epoch: BrokerEpoch(command.number("broker_epoch").unwrap_or(1)),
            eligible: command.text("fenced").is_none(),
        };
        match self.partition.follower_fetched(self.now, BrokerId(number32(command, "from")), position) {
            Ok(high_watermark) => moved(high_watermark),
            Err(error) => error.name().to_owned(),
        }
    }

    fn step(&mut self, command: &Command<'_>) -> String {
        if let Some(at) = command.number("at") {
            self.now = Monotonic(at.unsigned_abs() * 1_000_000);
        }
        let epoch = LeaderEpoch(number32(command, "epoch"));
        match command.verb {
            "open" => {
                let end = Offset(command.number("end").unwrap_or(0));
                let log = LogOffsets {
                    log_end_offset: end,
                    synced_end_offset: end,
                    high_watermark: Offset(command.number("high_watermark").unwrap_or(0)),
                };
                self.partition = Partition::new(BrokerId(1), rules(command), log);
                String::new()
            }
            "apply" => self.apply(command),
            "rules" => moved(self.partition.update_rules(self.now, rules(command))),
            "append" => moved(self.partition.appended(self.now, offset(command, "end"))),
            "sync" => moved(self.partition.synced(self.now, offset(command, "end"))),
            "follower_append" => moved(
                self.partition.follower_appended(offset(command, "end"), offset(command, "high_watermark")),
            ),
            "truncate" => {
                self.partition.truncated(offset(command, "end"));
                format!("high watermark {}", self.partition.high_watermark())
            }
            "fetch" => self.fetch(command),
            "check_append" => format!("{:?}", self.partition.check_append(command.text("all").is_some())),
            "check_leader" => format!("{:?}", self.partition.check_leader(epoch)),
            "check_offsets_known" => format!("{:?}", self.partition.check_offsets_known()),
            "acknowledgement" => {
                format!("{:?}", self.partition.acknowledgement(epoch, offset(command, "required")))
            }
            "propose" => {
                self.proposal = self.partition.propose_isr(self.now);
                self.proposal.as_ref().map_or("nothing to change".to_owned(), |p| {
                    let isr: Vec<String> = p.isr.iter().map(|(id, epoch)| format!("{id}@{epoch}")).collect();
                    format!("{} at {}/{}", isr.join(","), p.leader_epoch, p.partition_epoch)
                })
            }
            "accept" => {
                let proposal = self.proposal.take().unwrap();
                let isr: Vec<BrokerId> = proposal.isr.iter().map(|(id, _)| *id).collect();
                let next = PartitionEpoch(proposal.partition_epoch.0 + 1);
                moved(self.partition.proposal_accepted(self.now, proposal.leader_epoch, &isr, next))
            }
            "fail" => {
                let error = ErrorCode::ALL.iter().find(|e| Some(e.name()) == command.text("error")).unwrap();
                format!("{:?}", self.partition.proposal_failed(*error))
            }
            verb => panic!("no command {verb}"),
        }
    }
}

fn check(name: &str) {
    let log =
        LogOffsets { log_end_offset: Offset(0), synced_end_offset: Offset(0), high_watermark: Offset(0) };
    let rules =
        Rules { min_insync_replicas: 1, counts_synced: false, replica_lag_time_max: Duration::from_secs(30) };
    let partition = Partition::new(BrokerId(1), rules, log);
    let mut run = Run { partition, now: Monotonic(1_000_000), proposal: None };
    transcript::check(name, |command| run.step(command));
}

#[test]
fn one_replica_commits_at_once() {
    check("partition/one_replica.txt");
}

#[test]
fn stale_epochs_change_nothing() {
    check("partition/stale_epochs.txt");
}

#[test]
fn high_watermark_follows_the_maximal_isr() {
    check("partition/maximal_isr.txt");
}

#[test]
fn high_watermark_stands_below_min_isr() {
    check("partition/min_isr.txt");
}

#[test]
fn slow_followers_leave_the_isr_and_come_back() {
    check("partition/shrink_expand.txt");
}

#[test]
fn followers_take_the_leaders_high_watermark() {
    check("partition/follower.txt");
}

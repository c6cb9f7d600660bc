//! What brokers do: register, learn, append, fetch, shrink and grow the ISR, stop and crash.

use super::*;

impl World {
    pub(super) fn register(&mut self, id: i32, previous: BrokerEpoch) {
        let feature = |f: &crate::controller::Feature| BrokerFeature {
            name: f.name.to_owned(),
            min_supported_version: f.min_level,
            max_supported_version: f.max_level,
        };
        let broker = self.brokers.get_mut(&id).unwrap();
        broker.incarnation += 1;
        let registration = Registration {
            broker_id: BrokerId(id),
            incarnation_id: Uuid([broker.incarnation; 16]),
            previous_broker_epoch: previous,
            listeners: Vec::new(),
            features: FEATURES.iter().map(feature).collect(),
            rack: None,
            log_dirs: vec![Uuid([200 + u8::try_from(id).unwrap(); 16])],
        };
        let offset = Offset(self.end_offset);
        let decision =
            self.controller.decide_register_broker(&registration, offset, false, &AnyConfig).unwrap();
        let epoch = self.take(decision);
        self.brokers.get_mut(&id).unwrap().registered = epoch;
    }

    pub(super) fn heartbeat(&mut self, id: i32, stop: bool) -> bool {
        let heartbeat = Heartbeat {
            broker_id: BrokerId(id),
            broker_epoch: self.brokers[&id].registered,
            current_metadata_offset: Offset(self.end_offset),
            want_fence: false,
            want_shut_down: stop,
        };
        let decision = self.controller.decide_heartbeat(&heartbeat, &AnyConfig).unwrap();
        self.take(decision).should_shut_down
    }

    /// The broker learns of the next change of the partition.
    pub(super) fn learn(&mut self, id: i32) {
        let now = self.now;
        let broker = self.brokers.get_mut(&id).unwrap();
        let Some(registration) = self.history.get(broker.applied) else { return };
        broker.applied += 1;
        match broker.partition.apply(now, registration) {
            Transition::Leader { begins: Some(begins) } => {
                assert_eq!(
                    usize::try_from(begins.0),
                    Ok(broker.log.len()),
                    "an epoch begins at the log's end"
                );
                let epoch = broker.partition.leader_epoch();
                assert_eq!(*self.leaders.entry(epoch).or_insert(id), id, "two leaders in epoch {epoch}");
                broker.proposal = None;
            }
            Transition::Leader { begins: None } | Transition::Stale => {}
            Transition::Follower { .. } | Transition::Offline => broker.proposal = None,
        }
    }

    pub(super) fn produce(&mut self, id: i32) {
        self.value += 1;
        let (now, value) = (self.now, self.value);
        let broker = self.brokers.get_mut(&id).unwrap();
        if let Ok(epoch) = broker.partition.check_append(true) {
            broker.log.push((epoch, value));
            let end = Offset(i64::try_from(broker.log.len()).unwrap());
            broker.partition.appended(now, end);
            broker.waiting.push((epoch, end, value));
        }
    }

    pub(super) fn ask(&mut self, id: i32) {
        let eligible = self.draw(10) > 0;
        let broker = &self.brokers[&id];
        let to = broker.partition.leader();
        if broker.partition.is_leader() || to == BrokerId::NONE {
            return;
        }
        let position = FetchPosition {
            fetch_offset: Offset(i64::try_from(broker.log.len()).unwrap()),
            broker_epoch: broker.registered,
            eligible,
        };
        let leader_epoch = broker.partition.leader_epoch();
        let last_epoch = broker.log.last().map(|record| record.0);
        if self.fetches.len() < 6 {
            let broker = self.brokers.get_mut(&id).unwrap();
            broker.fetches += 1;
            let number = broker.fetches;
            self.fetches.push(Fetch { number, from: id, to: to.0, leader_epoch, position, last_epoch });
        }
    }

    pub(super) fn deliver(&mut self, fetch: Fetch) {
        let now = self.now;
        let Some(leader) = self.brokers.get_mut(&fetch.to).filter(|leader| leader.running) else { return };
        if leader.partition.check_leader(fetch.leader_epoch).is_err() {
            return;
        }
        let offset = usize::try_from(fetch.position.fetch_offset.0).unwrap();
        let diverges = fetch.last_epoch.and_then(|epoch| {
            let (found, end) = epoch_end(&leader.log, epoch);
            (found != Some(epoch) || end < offset).then_some((found, end))
        });
        let mut records = Vec::new();
        if diverges.is_none() {
            if offset > leader.log.len()
                || leader.partition.follower_fetched(now, BrokerId(fetch.from), fetch.position).is_err()
            {
                return;
            }
            records = leader.log[offset..].to_vec();
            records.truncate(3);
        }
        let high_watermark = leader.partition.high_watermark();
        // The answer may be lost, or find another process.
        let lost = self.draw(8) == 0;
        let follower = self.brokers.get_mut(&fetch.from).unwrap();
        let same = follower.running
            && follower.fetches == fetch.number
            && follower.registered == fetch.position.broker_epoch
            && follower.partition.leader_epoch() == fetch.leader_epoch
            && !follower.partition.is_leader()
            && follower.log.len() == offset;
        if lost || !same {
            return;
        }
        if let Some((epoch, end)) = diverges {
            let own = epoch.map_or(0, |epoch| epoch_end(&follower.log, epoch).1);
            let cut = end.min(own);
            assert!(cut < follower.log.len(), "a diverging log gets shorter");
            follower.log.truncate(cut);
            follower.synced = follower.synced.min(cut);
            follower.partition.truncated(Offset(i64::try_from(cut).unwrap()));
            self.counts.truncations += 1;
            return;
        }
        follower.log.extend(records);
        let end = Offset(i64::try_from(follower.log.len()).unwrap());
        follower.partition.follower_appended(end, high_watermark);
    }

    pub(super) fn change_isr(&mut self, id: i32) {
        let now = self.now;
        let broker = self.brokers.get_mut(&id).unwrap();
        if broker.proposal.is_none() {
            broker.proposal = broker.partition.propose_isr(now);
        }
        let Some(proposal) = broker.proposal.clone() else { return };
        let request = AlterPartition {
            topic_id: self.topic,
            index: PartitionIndex(0),
            leader_epoch: proposal.leader_epoch,
            partition_epoch: proposal.partition_epoch,
            isr: proposal.isr.clone(),
            leader_recovery_state: LeaderRecoveryState::Recovered,
        };
        let asker = broker.registered;
        let Ok(decision) =
            self.controller.decide_alter_partition(BrokerId(id), asker, &[request], &AnyConfig)
        else {
            return;
        };
        let result = self.take(decision).remove(0);
        // The answer may be lost: the leader cannot know whether it was applied.
        let result = if self.draw(4) == 0 { Err(ErrorCode::RequestTimedOut) } else { result };
        let broker = self.brokers.get_mut(&id).unwrap();
        match result {
            Ok(altered) => {
                broker.proposal = None;
                let (epoch, partition_epoch) = (altered.leader_epoch, altered.partition_epoch);
                broker.partition.proposal_accepted(now, epoch, &altered.isr, partition_epoch);
            }
            Err(error) => {
                if broker.partition.proposal_failed(error) != ProposalFate::Retry {
                    broker.proposal = None;
                }
            }
        }
    }

    pub(super) fn crash(&mut self, id: i32, lossy: bool) {
        let registration = self.registration();
        let mut others =
            registration.isr.iter().chain(&registration.elr).filter(|member| member.0 != id).peekable();
        // One that is down counts as lost, though the controller does not know yet.
        let survives = others.peek().is_some() && others.all(|member| self.brokers[&member.0].running);
        let broker = self.brokers.get_mut(&id).unwrap();
        if !broker.running || !survives {
            return;
        }
        broker.running = false;
        broker.waiting.clear();
        broker.proposal = None;
        if lossy && broker.synced < broker.log.len() {
            let keep = broker.synced;
            broker.log.truncate(keep);
            self.counts.lossy_crashes += 1;
        }
    }

    pub(super) fn start(&mut self, id: i32, previous: BrokerEpoch) {
        if self.brokers[&id].running {
            return;
        }
        self.register(id, previous);
        let broker = self.brokers.get_mut(&id).unwrap();
        broker.running = true;
        broker.partition = machine(id, broker.log.len());
        // It learns anew from the latest image.
        broker.applied = self.history.len() - 1;
        self.learn(id);
        self.heartbeat(id, false);
    }

    pub(super) fn stop(&mut self, id: i32) {
        if self.brokers[&id].running && (self.heartbeat(id, true) || self.heartbeat(id, true)) {
            let broker = self.brokers.get_mut(&id).unwrap();
            broker.synced = broker.log.len();
            (broker.running, broker.proposal) = (false, None);
            broker.waiting.clear();
            let epoch = self.brokers[&id].registered;
            self.start(id, epoch);
        }
    }
}

//! Where the replicas of new partitions go: striped over brokers, over as many racks as there are.

use super::Random;
use crate::image::{BrokerRegistration, MetadataImage};
use protocol::id::BrokerId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Replicas for `partitions` partitions. Leaders go round the unfenced brokers from a random one on; followers follow
/// at a distance that grows with each round, so that the load of a broker that fails spreads over all others. Fenced
/// brokers take followers only where the others do not suffice; cordoned ones take nothing.
///
/// # Errors
/// A sentence that says why there are not enough brokers (`INVALID_REPLICATION_FACTOR`).
pub(super) fn place(
    image: &MetadataImage,
    partitions: usize,
    replicas: usize,
    random: Random<'_>,
) -> Result<Vec<Vec<BrokerId>>, String> {
    let usable: Vec<&Arc<BrokerRegistration>> =
        image.brokers().filter(|broker| !broker.is_cordoned()).collect();
    let active = striped(usable.iter().filter(|broker| broker.is_active()));
    let others = striped(usable.iter().filter(|broker| !broker.is_active()));
    if active.is_empty() {
        return Err(
            "All brokers are currently fenced, or have all their log directories cordoned.".to_owned()
        );
    }
    if usable.len() < replicas {
        return Err(format!(
            "The target replication factor of {replicas} cannot be reached because only {} broker(s) are \
             registered or some brokers have all their log directories cordoned.",
            usable.len()
        ));
    }
    let draw =
        |random: Random<'_>, below: usize| usize::try_from(random() % below.max(1) as u64).unwrap_or(0);
    let start = draw(random, active.len());
    let distance = draw(random, active.len().saturating_sub(1));
    let assignment = (0..partitions).map(|partition| {
        let leader = (start + partition) % active.len();
        let shift = distance + partition / active.len();
        let candidates = order(&active, leader, shift).chain(others.iter().copied());
        spread(candidates.collect(), replicas)
    });
    Ok(assignment.collect())
}

/// Brokers in an order in which neighbours are in different racks as far as possible.
fn striped<'a>(
    brokers: impl Iterator<Item = &'a &'a Arc<BrokerRegistration>>,
) -> Vec<&'a BrokerRegistration> {
    let mut racks: BTreeMap<Option<&str>, Vec<&BrokerRegistration>> = BTreeMap::new();
    for broker in brokers {
        racks.entry(broker.rack.as_deref()).or_default().push(broker);
    }
    let longest = racks.values().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|i| racks.values().filter_map(move |rack| rack.get(i).copied())).collect()
}

fn order<'a>(
    brokers: &'a [&'a BrokerRegistration],
    leader: usize,
    shift: usize,
) -> impl Iterator<Item = &'a BrokerRegistration> {
    let others = brokers.len() - 1;
    let followers = (0..others).map(move |i| (leader + 1 + (shift + i) % others) % brokers.len());
    std::iter::once(leader).chain(followers).filter_map(|i| brokers.get(i).copied())
}

/// The first candidate, then those in racks that have no replica yet, round after round.
fn spread(mut candidates: Vec<&BrokerRegistration>, replicas: usize) -> Vec<BrokerId> {
    let mut chosen = Vec::with_capacity(replicas);
    while chosen.len() < replicas && !candidates.is_empty() {
        let mut racks: Vec<Option<&str>> = Vec::new();
        candidates.retain(|broker| {
            let rack = broker.rack.as_deref();
            let takes = chosen.len() < replicas && (rack.is_none() || !racks.contains(&rack));
            if takes {
                racks.push(rack);
                chosen.push(broker.id);
            }
            !takes
        });
    }
    chosen
}

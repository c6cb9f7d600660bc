//! The node's counters as samples.

use node::metrics::Snapshot;

use super::declared::*;
use super::families::Families;

/// Adds everything that the node counted.
pub fn scrape(snapshot: &Snapshot, families: &mut Families) {
    for (api, requests, _) in &snapshot.apis {
        families.count(&REQUESTS, &[api.name()], *requests);
    }
    for (api, _, latency) in &snapshot.apis {
        families.histogram(&REQUEST_SECONDS, &[api.name()], latency);
    }
    for (api, error, count) in &snapshot.errors {
        families.count(&REQUEST_ERRORS, &[api.name(), error.name()], *count);
    }
    let open = snapshot.opened_connections.saturating_sub(snapshot.closed_connections);
    for (metric, value) in [
        (&RECEIVED_BYTES, snapshot.received_bytes),
        (&SENT_BYTES, snapshot.sent_bytes),
        (&CONNECTIONS, open),
        (&CONNECTIONS_OPENED, snapshot.opened_connections),
        (&CONNECTIONS_REFUSED, snapshot.refused_connections),
        (&CONNECTIONS_MISUSED, snapshot.misused_connections),
        (&CONNECTIONS_IDLE, snapshot.idle_connections),
        (&APPENDED_BATCHES, snapshot.appended_batches),
        (&APPENDED_RECORDS, snapshot.appended_records),
        (&APPENDED_BYTES, snapshot.appended_bytes),
        (&REJECTED_BATCHES, snapshot.rejected_batches),
        (&PRODUCE_ROUND_REQUESTS, snapshot.produced_requests),
        (&PRODUCE_ROUND_APPENDS, snapshot.produced_appends),
        (&FETCHED_BYTES, snapshot.fetched_bytes),
        (&PARKED_FETCHES, snapshot.parked_fetches),
        (&COLD_READS, snapshot.cold_reads),
        (&SYNCS, snapshot.syncs),
        (&DELETED_SEGMENTS, snapshot.deleted_segments),
    ] {
        families.count(metric, &[], value);
    }
    families.seconds(&SYNC_SECONDS, &[], snapshot.sync_ns);
}

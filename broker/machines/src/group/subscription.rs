//! The consumer's embedded protocol, as far as the broker looks into it: a member's topics (Kafka's
//! `ConsumerProtocolSubscription`). Every version begins as version 0 does.

use protocol::wire::Reader;
use std::collections::BTreeSet;

/// The protocol type of consumer groups.
pub(super) const PROTOCOL_TYPE: &str = "consumer";

/// Adds a member's topics; `None` when its metadata is no subscription.
pub(super) fn topics(metadata: &[u8], into: &mut BTreeSet<String>) -> Option<()> {
    let mut reader = Reader::new(metadata);
    let version = i16::from_be_bytes(reader.array().ok()?);
    if version < 0 {
        return None;
    }
    for _ in 0..reader.array_length(false, 2).ok()?? {
        into.insert(reader.str(false).ok()??.to_owned());
    }
    // The user data of version 0, which may be null.
    reader.bytes(false).ok()?;
    Some(())
}

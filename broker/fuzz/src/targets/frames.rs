//! A connection's bytes as they come. Whatever they are, somebody else is served afterwards.

use std::time::Duration;

use protocol::message::MetadataRequest;
use storage::disk::VirtualDisk;

use crate::broker::Broker;

/// Into how many pieces the bytes are cut at most.
const PIECES_MAX: usize = 16;

pub(super) fn run(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let pieces = usize::from(*first) % PIECES_MAX + 1;
    let mut broker = Broker::open(&VirtualDisk::new()).expect("an empty disk starts");
    let mut link = broker.connect();
    let length = bytes.len().div_ceil(pieces).max(1);
    for piece in bytes.chunks(length) {
        if !broker.receive(&mut link, piece) {
            break;
        }
        drop(link.output());
    }
    broker.disconnect(&link);
    broker.advance(Duration::from_millis(100));
    broker.call(&MetadataRequest::default(), 12);
}

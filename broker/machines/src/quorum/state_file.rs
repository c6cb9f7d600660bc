//! The file `quorum-state`: a replica's hard state as text, one `key=value` a line, version first.

use super::entry::{HardState, RaftId};

/// The file's bytes.
#[must_use]
pub fn encode(state: &HardState) -> Vec<u8> {
    let vote = state.vote.map_or(0, |id| id.0);
    format!("version=1\nterm={}\nvote={vote}\ncommitted={}\n", state.term, state.committed).into_bytes()
}

/// Reads the file; `None` when it is damaged or of a later version.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<HardState> {
    let mut lines = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?.split('\n');
    let mut number = |key: &str| -> Option<u64> { lines.next()?.strip_prefix(key)?.parse().ok() };
    if number("version=")? != 1 {
        return None;
    }
    let (term, vote, committed) = (number("term=")?, number("vote=")?, number("committed=")?);
    lines.next().is_none().then_some(HardState { term, vote: (vote != 0).then_some(RaftId(vote)), committed })
}

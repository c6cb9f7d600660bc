//! Produce (0): served by the whole turn, see [`crate::produce_round`].

use protocol::wire::Reader;

use super::{Call, Handled};

/// A turn takes Produces before they reach the table of handlers; the table has it for what is advertised.
pub(super) fn handle(_call: Call<'_>, _reader: Reader<'_>) -> Result<Handled, &'static str> {
    Err("a Produce outside of a round")
}

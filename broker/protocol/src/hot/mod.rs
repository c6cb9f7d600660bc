//! The two messages that carry records, without an allocation per topic or a copy of the records.
//!
//! Both say the same as the declarations in [`crate::message`], which property tests check.

pub mod fetch;
pub mod produce;

//! `#[derive(Message)]`: a Kafka message declared as one struct, read and written in all of its versions.
//!
//! The struct's fields stand in the order of Kafka's schema. The emitted code is small on purpose: one line a
//! field, all work is in generic functions of `protocol::wire`.
//!
//! ```text
//! #[derive(Debug, Clone, PartialEq, Message)]
//! #[message(key = Metadata, response = MetadataResponse, versions = "0-13", flexible = "9+")]
//! pub struct MetadataRequest {
//!     #[field(nullable = "1+")]
//!     pub topics: Option<Vec<MetadataRequestTopic>>,
//!     #[field(versions = "4+", default = true)]
//!     pub allow_auto_topic_creation: bool,
//! }
//! ```
//!
//! On the struct: `versions` (required), `flexible` (absent: no version is), and for requests `key` and
//! `response`. On a field: `versions` (absent: all), `nullable` (required on an `Option`, nowhere else), `tag`
//! (the field travels in the tagged section), `default` (absent: the type's own). Version ranges are written as
//! in Kafka's schemas: `"4+"`, `"0-12"`, `"3"`. Structs inside a message use `#[derive(Fields)]`.
//!
//! Both derives also implement `Default` from the declared defaults.

mod declaration;
mod emit;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `wire::Fields`, `wire::Message`, `Default`, and `wire::Request` where `key` is given.
#[proc_macro_derive(Message, attributes(message, field))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input, true)
}

/// Implements `wire::Fields` and `Default` for a struct that occurs inside messages.
#[proc_macro_derive(Fields, attributes(field))]
pub fn derive_fields(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input, false)
}

fn expand(input: &DeriveInput, is_message: bool) -> TokenStream {
    declaration::Declaration::parse(input, is_message)
        .map_or_else(|error| error.to_compile_error(), |declaration| emit::emit(&declaration))
        .into()
}

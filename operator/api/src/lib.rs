//! The types of Gregor's custom resources: fields, defaults and rules, no behaviour.
//!
//! A [`Cluster`] is a set of brokers, a [`Topic`] and a [`Quota`] live in one. The doc comments here are
//! what `kubectl explain` prints; the defaults and CEL rules are the ones that the API server applies and
//! that `gregor dev -f` applies to the same files. [`crds`] gives the definitions to install; the files in
//! `crds/` are written from it.
//!
//! Deliberately absent: unsigned integers and nullable fields, which the API server treats in ways of its
//! own, and unions other than structs of options with a rule.

#![expect(
    clippy::duplicated_attributes,
    reason = "printer columns share types and paths, each in an argument of its own"
)]
#![expect(unreachable_pub, reason = "the derive KubeSchema copies each public struct into a function")]

// Shape of all defaults: they stand on the fields, once, and `Default` reads them from there.
macro_rules! default_from_fields {
    ($($name:ty),+ $(,)?) => {$(
        impl Default for $name {
            fn default() -> Self {
                let nothing = serde_json::Value::Object(serde_json::Map::new());
                serde_json::from_value(nothing).expect("every field of this type has a default")
            }
        }
    )+};
}

pub mod cluster;
mod common;
mod crd;
pub mod quota;
pub mod topic;

pub use cluster::{Cluster, ClusterSpec, ClusterStatus};
pub use common::{ClusterRef, Config, Scalar, annotation, condition, reason};
pub use crd::{GROUP, VERSION, crds};
pub use quota::{Quota, QuotaSpec, QuotaStatus};
pub use topic::{Topic, TopicSpec, TopicStatus};

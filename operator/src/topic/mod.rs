//! The reconciler of Topics.

use std::sync::Arc;

use crate::context::Context;

/// Runs the controller of Topics of one scope until the operator stops.
pub(crate) async fn run(context: Arc<Context>) {
    context.stopped().await;
}

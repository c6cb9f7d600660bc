//! Events: each act is told beside the object that it was done for.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

/// The longest note that the API server takes, in bytes.
const NOTE_BYTES_MAX: usize = 1024;

/// Tells what was done. Telling never fails an act: a namespace that is ending takes no Events.
#[derive(Clone)]
pub(crate) struct Events(Recorder);

impl Events {
    /// As this process, named `identity`.
    pub(crate) fn new(kube: kube::Client, identity: &str) -> Self {
        let reporter = Reporter { controller: "gregor.dev/operator".into(), instance: Some(identity.into()) };
        Self(Recorder::new(kube, reporter))
    }

    /// Something went as it should. `reason` is one word in camel case, `action` what was done to what.
    pub(crate) async fn normal<K>(&self, object: &K, reason: &str, action: &str, note: String)
    where
        K: Resource<DynamicType = ()>,
    {
        self.publish(object.object_ref(&()), EventType::Normal, reason, action, note).await;
    }

    /// Something needs attention.
    pub(crate) async fn warning<K>(&self, object: &K, reason: &str, action: &str, note: String)
    where
        K: Resource<DynamicType = ()>,
    {
        self.publish(object.object_ref(&()), EventType::Warning, reason, action, note).await;
    }

    async fn publish(
        &self,
        object: ObjectReference,
        type_: EventType,
        reason: &str,
        action: &str,
        note: String,
    ) {
        let note = shorten(note);
        tracing::info!(
            kind = object.kind.as_deref(),
            namespace = object.namespace.as_deref(),
            name = object.name.as_deref(),
            reason,
            "{note}"
        );
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: action.to_owned(),
            secondary: None,
        };
        if let Err(error) = self.0.publish(&event, &object).await {
            tracing::warn!(reason, "publish an event: {error}");
        }
    }
}

fn shorten(mut note: String) -> String {
    if note.len() > NOTE_BYTES_MAX {
        let end = (0..=NOTE_BYTES_MAX - 3).rev().find(|end| note.is_char_boundary(*end)).unwrap_or(0);
        note.truncate(end);
        note.push_str("...");
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_cut_between_characters() {
        assert_eq!(shorten("short".into()), "short");
        let long = shorten("ä".repeat(1000));
        assert!(long.len() <= NOTE_BYTES_MAX && long.ends_with("ä..."));
    }
}

//! Writes to the API server: nothing else in the operator does them.
//!
//! Objects are applied whole by server-side apply under one field manager, status only when it differs.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, OwnerReference, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::discovery::ApiResource;
use kube::{Api, Resource};
use operator_api::{condition, reason};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::condition::{Conditions, Truth};
use crate::context::{Context, FIELD_MANAGER};
use crate::metrics::Metrics;

/// A kind that lives in a namespace and that the operator writes.
pub(crate) trait Kind:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned
{
}

impl<K> Kind for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
{
}

fn api<K: Kind>(context: &Context, object: &K) -> Api<K> {
    Api::namespaced(context.kube.clone(), object.meta().namespace.as_deref().unwrap_or("default"))
}

fn name<K: Kind>(object: &K) -> &str {
    object.meta().name.as_deref().unwrap_or_default()
}

/// Makes the object as it is given: creates it or takes over the fields that it has.
///
/// # Errors
/// What the API server said.
pub(crate) async fn apply<K: Kind>(context: &Context, object: &K) -> kube::Result<K> {
    context.metrics.writes.with_label_values(&[K::kind(&()).as_ref()]).inc();
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    // Types of k8s-openapi write apiVersion and kind themselves, as do the custom resources.
    api(context, object).patch(name(object), &parameters, &Patch::Apply(object)).await
}

/// Writes `status` if it is another than the object has. Gives whether it was written.
///
/// # Errors
/// What the API server said; an object that is gone is none.
pub(crate) async fn apply_status<K, S>(
    context: &Context,
    object: &K,
    old: Option<&S>,
    new: &S,
) -> kube::Result<bool>
where
    K: Kind,
    S: Serialize + PartialEq,
{
    if old == Some(new) {
        return Ok(false);
    }
    context.metrics.writes.with_label_values(&[K::kind(&()).as_ref()]).inc();
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        // Another object of the same name, made since, is not meant.
        "metadata": {"name": name(object), "uid": object.meta().uid},
        "status": new,
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    match api(context, object).patch_status(name(object), &parameters, &Patch::Apply(&patch)).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says in the status of an object that cannot be read why it cannot. What else the status has stays.
///
/// # Errors
/// What the API server said; an object that is gone is none.
pub(crate) async fn unreadable<K: Kind>(
    kube: &kube::Client,
    metrics: &Metrics,
    metadata: &ObjectMeta,
    why: &str,
) -> kube::Result<()> {
    let name = metadata.name.as_deref().unwrap_or_default();
    let namespace = metadata.namespace.as_deref().unwrap_or("default");
    let api: Api<DynamicObject> =
        Api::namespaced_with(kube.clone(), namespace, &ApiResource::erase::<K>(&()));
    let Some(there) = api.get_opt(name).await? else { return Ok(()) };
    let mut status = there.data.get("status").cloned().unwrap_or_else(|| json!({}));
    let old: Vec<Condition> =
        status.get("conditions").and_then(|old| serde_json::from_value(old.clone()).ok()).unwrap_or_default();
    let mut conditions = Conditions::new(&old, metadata.generation, Time(Timestamp::now()));
    let message = format!("this version of the operator cannot read it: {why}");
    conditions.set(condition::READY, Truth::False, reason::INVALID_SPEC, message.as_str());
    conditions.abnormal(condition::STALLED, reason::INVALID_SPEC, message);
    status["conditions"] = json!(conditions.finish());
    status["observedGeneration"] = json!(metadata.generation);
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name, "uid": metadata.uid},
        "status": status,
    });
    metrics.writes.with_label_values(&[K::kind(&()).as_ref()]).inc();
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(name, &parameters, &Patch::Apply(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Deletes the object if it is still this very one. Gives false when it was gone or another one.
///
/// # Errors
/// What the API server said.
pub(crate) async fn delete<K: Kind>(context: &Context, object: &K) -> kube::Result<bool> {
    context.metrics.writes.with_label_values(&[K::kind(&()).as_ref()]).inc();
    let preconditions = Preconditions { uid: object.meta().uid.clone(), resource_version: None };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
    match api(context, object).delete(name(object), &parameters).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the object has this finalizer.
pub(crate) fn has_finalizer<K: Kind>(object: &K, finalizer: &str) -> bool {
    object.meta().finalizers.as_ref().is_some_and(|finalizers| finalizers.iter().any(|one| one == finalizer))
}

/// Adds or removes a finalizer. The resource version is a precondition, as the list is written whole.
///
/// # Errors
/// What the API server said; for a removal, an object that is gone is none.
pub(crate) async fn set_finalizer<K: Kind>(
    context: &Context,
    object: &K,
    finalizer: &str,
    on: bool,
) -> kube::Result<()> {
    if has_finalizer(object, finalizer) == on {
        return Ok(());
    }
    context.metrics.writes.with_label_values(&[K::kind(&()).as_ref()]).inc();
    write_finalizer(&context.kube, object, finalizer, on).await
}

/// As [`set_finalizer`], for who is no reconciler.
///
/// # Errors
/// What the API server said.
pub(crate) async fn write_finalizer<K: Kind>(
    kube: &kube::Client,
    object: &K,
    finalizer: &str,
    on: bool,
) -> kube::Result<()> {
    let mut finalizers = object.meta().finalizers.clone().unwrap_or_default();
    finalizers.retain(|one| one != finalizer);
    if on {
        finalizers.push(finalizer.to_owned());
    }
    let patch = json!({"metadata": {
        "uid": object.meta().uid,
        "resourceVersion": object.meta().resource_version,
        "finalizers": finalizers,
    }});
    let api: Api<K> = Api::namespaced(kube.clone(), object.meta().namespace.as_deref().unwrap_or("default"));
    match api.patch(name(object), &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if !on && status.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes an owner reference to `owner` for an object that is there, or gives it back, and asks for a size of
/// a claim where one is given. Nothing else of the claim is owned.
///
/// # Errors
/// What the API server said, as that the volume cannot grow.
pub(crate) async fn apply_claim(
    context: &Context,
    claim: &PersistentVolumeClaim,
    owner: Option<&OwnerReference>,
    size: Option<&Quantity>,
) -> kube::Result<()> {
    context.metrics.writes.with_label_values(&["PersistentVolumeClaim"]).inc();
    let mut patch = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        // Another claim of the same name, made since, is not meant.
        "metadata": {"name": name(claim), "uid": claim.metadata.uid},
    });
    if let Some(owner) = owner {
        patch["metadata"]["ownerReferences"] = json!([owner]);
    }
    if let Some(size) = size {
        patch["spec"] = json!({"resources": {"requests": {"storage": size}}});
    }
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    api(context, claim).patch(name(claim), &parameters, &Patch::Apply(&patch)).await?;
    Ok(())
}

/// Makes a PodMonitor, or removes it. Gives false when its kind is not installed.
///
/// # Errors
/// What the API server said.
pub(crate) async fn pod_monitor(
    context: &Context,
    object: &DynamicObject,
    wanted: bool,
) -> kube::Result<bool> {
    let kind = object.types.as_ref().and_then(|types| kube::core::GroupVersionKind::try_from(types).ok());
    let Some(kind) = kind.map(|kind| ApiResource::from_gvk(&kind)) else {
        return Ok(false);
    };
    let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let api: Api<DynamicObject> = Api::namespaced_with(context.kube.clone(), namespace, &kind);
    let answer = if wanted {
        context.metrics.writes.with_label_values(&[kind.kind.as_str()]).inc();
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(name, &parameters, &Patch::Apply(object)).await.map(|_| true)
    } else {
        match api.get_opt(name).await {
            Ok(None) => return Ok(true),
            Err(error) => Err(error),
            Ok(Some(there)) => {
                context.metrics.writes.with_label_values(&[kind.kind.as_str()]).inc();
                let preconditions = Preconditions { uid: there.metadata.uid, resource_version: None };
                let parameters =
                    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
                api.delete(name, &parameters).await.map(|_| true)
            }
        }
    };
    match answer {
        // A kind that is not installed is answered by a page and not by a status that has a reason.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        other => other,
    }
}

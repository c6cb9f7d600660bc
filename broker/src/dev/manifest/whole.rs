//! What shows only when all files are seen together: the same thing declared twice, and topics of a
//! cluster that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use operator_api::ClusterRef;

use super::yaml::Position;
use super::{Loaded, Manifest, Resource};

/// Refuses the later one of two manifests that claim the same thing, and with it its file. A file that is
/// refused for another reason keeps what it declared in `previous`.
pub(super) fn check(loaded: &mut Loaded, previous: &[Manifest]) {
    let kept: Vec<&Manifest> = previous.iter().filter(|manifest| loaded.refused(&manifest.file)).collect();
    let mut problems = Vec::new();
    let mut claims: BTreeMap<String, (PathBuf, Position)> = BTreeMap::new();
    for manifest in kept.iter().copied().chain(&loaded.manifests) {
        for (claim, field) in claims_of(manifest) {
            let place = (manifest.file.clone(), manifest.field_position(field));
            if let Some((file, position)) = claims.get(&claim) {
                let reason = format!("{claim} is declared at {}:{} already", file.display(), position.line);
                problems.push(manifest.problem(field, reason));
                break;
            }
            claims.insert(claim, place);
        }
    }
    let mut all = kept.iter().copied().chain(&loaded.manifests);
    let cluster = all.find(|manifest| matches!(manifest.resource, Resource::Cluster(_)));
    if let Some(cluster) = cluster {
        let (_, namespace, name) = cluster.key();
        for manifest in &loaded.manifests {
            let Some(reference) = cluster_ref(manifest) else { continue };
            let (_, own, _) = manifest.key();
            if (own, reference.name.as_str()) != (namespace, name) {
                let reason = format!(
                    "there is no Cluster {:?} in namespace {own:?}; {} declares {name:?} in {namespace:?}",
                    reference.name,
                    cluster.place(),
                );
                problems.push(manifest.problem("spec.clusterRef.name", reason));
            }
        }
    }
    loaded.problems.extend(problems);
    let refused: BTreeSet<&Path> = loaded.problems.iter().map(|problem| problem.file.as_path()).collect();
    loaded.manifests.retain(|manifest| !refused.contains(manifest.file.as_path()));
}

/// What only one manifest can be, and the field that says so.
fn claims_of(manifest: &Manifest) -> Vec<(String, &'static str)> {
    let (kind, namespace, name) = manifest.key();
    let mut claims = vec![(format!("{kind} {name:?} of namespace {namespace:?}"), "metadata.name")];
    match &manifest.resource {
        Resource::Cluster(_) => claims.push(("the one Cluster of gregor dev".into(), "kind")),
        Resource::Topic(topic) => {
            let field = if topic.spec.topic_name.is_some() { "spec.topicName" } else { "metadata.name" };
            let topic_name = manifest.topic_name().unwrap_or_default();
            claims.push((format!("the topic {topic_name:?}"), field));
        }
        Resource::Quota(_) => {}
    }
    claims
}

fn cluster_ref(manifest: &Manifest) -> Option<&ClusterRef> {
    match &manifest.resource {
        Resource::Cluster(_) => None,
        Resource::Topic(topic) => Some(&topic.spec.cluster_ref),
        Resource::Quota(quota) => Some(&quota.spec.cluster_ref),
    }
}

//! Brokers' claims: they grow with the spec, and go with the Cluster where the spec says so.
//!
//! A StatefulSet's claim template cannot change. Each claim is therefore asked to grow by itself, and one
//! that the StatefulSet makes later from the old template is too.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource as _, ResourceExt as _};
use operator_api::Cluster;

use super::apply::Error;
use super::observe::{Observed, growing};
use super::status::Volumes;
use super::validate::Desired;
use crate::context::Context;

/// Asks each claim for the size and the owner that it shall have, where it has another.
///
/// # Errors
/// The API server could not be asked.
pub(super) async fn ensure(
    context: &Context,
    cluster: &Cluster,
    desired: &Desired,
    observed: &Observed,
) -> Result<Volumes, Error> {
    let owner = owner(cluster);
    let mut volumes = Volumes::AsAsked;
    for claim in observed.claims.iter().filter(|claim| claim.metadata.deletion_timestamp.is_none()) {
        let asked = &desired.volume.size;
        let wants_owner = desired.delete_volumes;
        let has_owner = claim.owner_references().iter().any(|one| one.uid == owner.uid);
        let grows = is_smaller(requested(claim), Some(asked));
        if has_owner != wants_owner || grows {
            // A size that was asked for once is asked for always: taken back, it would be a claim that
            // shrinks.
            let bigger = grows || is_smaller(observed.claim_size().as_ref(), Some(asked));
            let size = bigger.then_some(asked);
            match crate::apply::apply_claim(context, claim, wants_owner.then_some(&owner), size).await {
                Ok(()) => {}
                Err(kube::Error::Api(status)) if grows && matches!(status.code, 403 | 422) => {
                    let name = claim.name_any();
                    return Ok(Volumes::Refused(format!("claim {name} cannot grow: {}", status.message)));
                }
                Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        if is_smaller(capacity(claim), Some(asked)) {
            let name = claim.name_any();
            volumes = Volumes::Growing(match growing(claim) {
                Some(_) => format!(
                    "the volume of claim {name} has {} and its file system grows to it; a broker where that takes \
                     more than five minutes is restarted",
                    asked.0
                ),
                None => format!("claim {name} grows to {}", asked.0),
            });
        }
    }
    Ok(volumes)
}

/// The Cluster as the owner of a claim: not its controller, which a StatefulSet's controller would take
/// amiss.
fn owner(cluster: &Cluster) -> OwnerReference {
    let owner = cluster.owner_ref(&()).unwrap_or_default();
    OwnerReference { controller: None, block_owner_deletion: None, ..owner }
}

fn requested(claim: &PersistentVolumeClaim) -> Option<&Quantity> {
    claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage")
}

/// The size that the volume has; none before it is bound.
fn capacity(claim: &PersistentVolumeClaim) -> Option<&Quantity> {
    claim.status.as_ref()?.capacity.as_ref()?.get("storage")
}

/// Whether one size is known and below another.
fn is_smaller(one: Option<&Quantity>, other: Option<&Quantity>) -> bool {
    match (one.and_then(bytes), other.and_then(bytes)) {
        (Some(one), Some(other)) => one < other,
        _ => false,
    }
}

/// A quantity in bytes, to the precision that comparing sizes needs.
fn bytes(quantity: &Quantity) -> Option<f64> {
    const UNITS: [(&str, f64); 13] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let text = quantity.0.trim();
    let unit = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = unit.unwrap_or((text, 1.0));
    number.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_compared_whatever_their_units() {
        let smaller =
            |one: &str, other: &str| is_smaller(Some(&Quantity(one.into())), Some(&Quantity(other.into())));
        for (one, other) in [
            ("1Gi", "2Gi"),
            ("1G", "1Gi"),
            ("1023Mi", "1Gi"),
            ("1e3", "1Ki"),
            ("999", "1k"),
            ("1.5Gi", "2Gi"),
        ] {
            assert!(smaller(one, other) && !smaller(other, one), "{one} {other}");
        }
        assert!(!smaller("1Gi", "1024Mi") && !smaller("1024Mi", "1Gi"));
        assert!(!smaller("x", "1Gi") && !is_smaller(None, Some(&Quantity("1".into()))));
    }
}

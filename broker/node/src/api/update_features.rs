//! UpdateFeatures (57): the levels at which the cluster runs its features (KIP-584, KIP-778).

use machines::controller::{FeatureUpdate, Rejection, Upgrade};
use protocol::message::update_features::{
    FeatureUpdateKey, UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use protocol::wire::Reader;

use super::decide::outcome;
use super::{Call, Handled, decode};
use crate::node::millis;

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let version = call.header.api_version;
    let request: UpdateFeaturesRequest = decode(reader, version)?;
    let updates: Vec<FeatureUpdate> =
        request.feature_updates.into_iter().map(|update| of_wire(update, version)).collect();
    call.decide(
        millis(request.timeout_ms),
        |controller, inputs| {
            controller.decide_update_features(&updates, request.validate_only, &inputs.rules)
        },
        |decided| match decided {
            Ok(result) => response(&updates, &result),
            Err(error_code) => UpdateFeaturesResponse { error_code, ..UpdateFeaturesResponse::default() },
        },
    )
}

fn of_wire(update: FeatureUpdateKey, version: i16) -> FeatureUpdate {
    let upgrade = match (version, update.allow_downgrade) {
        (0, true) => Some(Upgrade::Safe),
        (0, false) => Some(Upgrade::Rise),
        _ => Upgrade::from_wire(update.upgrade_type),
    };
    FeatureUpdate { name: update.feature, level: update.max_version_level, upgrade }
}

/// All are refused for one that is: the whole request has its code, and before version 2 each feature has it too.
fn response(updates: &[FeatureUpdate], result: &Result<(), Rejection>) -> UpdateFeaturesResponse {
    let (error_code, error_message) = outcome(result);
    let one = |update: &FeatureUpdate| UpdatableFeatureResult {
        feature: update.name.clone(),
        error_code,
        error_message: error_message.clone(),
    };
    let error_message_of_all = error_message
        .as_ref()
        .map(|message| format!("No feature is updated, because one of them cannot be: {message}"));
    UpdateFeaturesResponse {
        error_code,
        error_message: error_message_of_all,
        results: updates.iter().map(one).collect(),
        ..UpdateFeaturesResponse::default()
    }
}

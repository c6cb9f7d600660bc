//! Where certificates come from.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The brokers' certificates.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[x_kube(
    validation = Rule::new("has(self.issuerRef) == (self.mode == 'CertManager')")
        .field_path(".issuerRef")
        .message("goes with mode CertManager, and mode CertManager needs it"),
    validation = Rule::new("has(self.secretName) == (self.mode == 'Secret')")
        .field_path(".secretName")
        .message("goes with mode Secret, and mode Secret needs it"),
    validation = Rule::new("!has(self.renewBefore) || self.mode in ['SelfSigned', 'CertManager']")
        .field_path(".renewBefore")
        .message("goes with mode SelfSigned or CertManager")
)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Where certificates come from: None, SelfSigned (an authority of the operator's own), CertManager
    /// (an issuer of cert-manager), Secret (one that you keep).
    #[serde(default)]
    pub mode: TlsMode,
    /// The issuer, with mode CertManager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_ref: Option<IssuerRef>,
    /// A Secret with ca.crt, tls.crt and tls.key, with mode Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,
    /// How long before its end a certificate is renewed: a number with m or h, such as 720h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^[1-9][0-9]*(m|h)$')")
        .message("must be a whole number with m or h, as 720h"))]
    pub renew_before: Option<String>,
}

default_from_fields!(Tls);

/// Where certificates come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TlsMode {
    /// There are none.
    #[default]
    None,
    /// An authority of the operator's own.
    SelfSigned,
    /// An issuer of cert-manager.
    CertManager,
    /// A Secret that somebody else keeps.
    Secret,
}

/// An issuer of cert-manager.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerRef {
    /// The issuer's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The issuer's kind: Issuer or ClusterIssuer.
    #[serde(default = "issuer")]
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// The issuer's API group.
    #[serde(default = "cert_manager")]
    #[schemars(length(min = 1, max = 253))]
    pub group: String,
}

fn issuer() -> String {
    "Issuer".into()
}

fn cert_manager() -> String {
    "cert-manager.io".into()
}

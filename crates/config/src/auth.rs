//! `auth`: several keys for one provider.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Credential, Entries};

/// Several keys for one provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["cooldowns"]))]
pub struct Auth {
    /// Keys by name.
    pub profiles: Entries<AuthProfile>,
    /// For each provider, the names of its keys in the order in which they are used.
    pub order: Entries<Vec<String>>,
}

/// One key of a provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-entry" = true, "x-ignored" = ["displayName", "expires"]))]
pub struct AuthProfile {
    /// The provider it is for.
    #[schemars(length(min = 1))]
    pub provider: String,
    /// What kind of key it is.
    pub mode: Option<AuthMode>,
    /// The account it belongs to, for people.
    pub email: Option<String>,
    /// The key: a text, `${VARIABLE}`, or a secret reference. OpenClaw keeps it in a store of its own, which is not read.
    #[schemars(extend("x-krabba" = true))]
    pub api_key: Option<Credential>,
}

/// What kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// A key.
    ApiKey,
    /// A token from a login.
    Oauth,
    /// A token.
    Token,
    /// AWS credentials.
    AwsSdk,
}

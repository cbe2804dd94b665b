//! A key, token or password as the configuration gives it: the text itself, or what is still wanted to have it.

use std::borrow::Cow;
use std::fmt;

use krabba_types::Secret;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Serialize, Serializer};

/// The name under which the tree's reader recognises a credential; see [`crate::node_reader`].
pub(crate) const CREDENTIAL: &str = "krabba_config::Credential";
pub(crate) const GIVEN: &str = "given";
pub(crate) const SOURCE: &str = "source";
pub(crate) const MISSING: &str = "missing";

/// A secret after all references were followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// It is known.
    Given {
        /// The text.
        secret: Secret,
        /// Where it came from, for people: `configuration`, `environment variable OPENAI_API_KEY`, `file …`.
        source: String,
    },
    /// It is not.
    Missing {
        /// What is wanted, for people: `environment variable OPENAI_API_KEY`.
        wanted: String,
    },
}

impl Credential {
    /// The secret, when it is known.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Given { secret, .. } => Some(secret),
            Self::Missing { .. } => None,
        }
    }
}

impl Serialize for Credential {
    /// Never the secret.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Given { source, .. } => serializer.collect_str(&format_args!("[secret from {source}]")),
            Self::Missing { wanted } => serializer.collect_str(&format_args!("[missing: {wanted}]")),
        }
    }
}

impl<'de> Deserialize<'de> for Credential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(CREDENTIAL, Reader)
    }
}

/// Takes what the tree's reader made of the value: `given` and `source`, or `missing`.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Credential;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text or a secret reference")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Credential, A::Error> {
        let (mut given, mut source) = (None, String::new());
        while let Some((key, text)) = access.next_entry::<String, String>()? {
            match key.as_str() {
                GIVEN => given = Some(Secret::new(text)),
                SOURCE => source = text,
                MISSING => return Ok(Credential::Missing { wanted: text }),
                _ => return Err(A::Error::unknown_field(&key, &[GIVEN, SOURCE, MISSING])),
            }
        }
        match given {
            Some(secret) => Ok(Credential::Given { secret, source }),
            None => Err(A::Error::missing_field(GIVEN)),
        }
    }
}

impl JsonSchema for Credential {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Credential".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-secret": true,
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "source": { "type": "string", "enum": ["env", "file", "exec", "store"] },
                        "provider": { "type": "string" },
                        "id": { "type": "string" },
                    },
                    "required": ["source", "id"],
                },
            ],
        })
    }
}

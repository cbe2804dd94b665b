//! The JSON Schema of the configuration, made from the types that hold it. Everything that needs to know what a key may
//! be starts here: the checks, the reference, redaction, and `krabba config schema` for editors.
//!
//! Words of our own in it: `x-krabba` (a key OpenClaw does not have), `x-secret`, `x-default` (in words), `x-entry` (a
//! fault leaves out this whole entry and nothing else), `x-ignored` (keys of OpenClaw that are kept and not used), `x-form`.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;

use crate::Config;

/// The schema, draft 2020-12, without references.
pub fn schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        // Defaults are said in words; an empty object as the default of an object says nothing.
        settings.transforms.push(Box::new(RecursiveTransform(|schema: &mut Schema| {
            schema.remove("default");
        })));
    });
    settings.into_generator().into_root_schema_for::<Config>()
}

//! `krabba config …`

use std::process::ExitCode;

use anyhow::Result;
use krabba_config::{EditError, Edited, KeyPath, Paint, adopt, render, schema, set, unset};
use serde_json::{Value, json};

use crate::assemble::{ConfigErrors, Home, World};
use crate::cli::ConfigVerb;
use crate::failure::CONFIG_ERROR;

/// Reads, checks or changes the configuration file.
pub(crate) fn run(home: &Home, verb: ConfigVerb) -> Result<ExitCode> {
    match verb {
        ConfigVerb::Get { key, output } => get(home, key.as_deref(), output.json),
        ConfigVerb::Set { key, value } => edited(home, set(&home.location, &parse(&key)?, &value, &home.surroundings())),
        ConfigVerb::Unset { key } => edited(home, unset(&home.location, &parse(&key)?, &home.surroundings())),
        ConfigVerb::Validate { output } => validate(home, output.json),
        ConfigVerb::Path => {
            println!("{}", home.location.path.display());
            Ok(ExitCode::SUCCESS)
        }
        ConfigVerb::Schema => {
            println!("{}", serde_json::to_string_pretty(&schema())?);
            Ok(ExitCode::SUCCESS)
        }
        ConfigVerb::Adopt => {
            let own = home.place.own_file();
            adopt(&home.location, &own, &home.surroundings())?;
            println!("Copied {} to {}; krabba uses and edits the copy from now on.", home.shown(&home.location.path), home.shown(&own));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn parse(key: &str) -> Result<KeyPath> {
    Ok(key.parse()?)
}

fn get(home: &Home, key: Option<&str>, json: bool) -> Result<ExitCode> {
    let loaded = home.read()?;
    let value = match key {
        None => loaded.redacted(),
        Some(key) => match loaded.get(&parse(key)?) {
            Some(value) => value,
            None => anyhow::bail!("{key} is not set in {}", home.shown(&home.location.path)),
        },
    };
    match value {
        Value::String(text) if !json => println!("{text}"),
        value => println!("{}", serde_json::to_string_pretty(&value)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn edited(home: &Home, outcome: Result<Edited, EditError>) -> Result<ExitCode> {
    match outcome {
        Ok(Edited::Written(diagnostics)) => {
            eprint!("{}", render(&diagnostics, Paint::Plain));
            println!("Updated {}", home.shown(&home.location.path));
            Ok(ExitCode::SUCCESS)
        }
        Ok(Edited::Unchanged) => {
            println!("{} says so already", home.shown(&home.location.path));
            Ok(ExitCode::SUCCESS)
        }
        Err(EditError::Invalid { diagnostics }) => Err(ConfigErrors(diagnostics).into()),
        Err(error) => Err(error.into()),
    }
}

fn validate(home: &Home, json: bool) -> Result<ExitCode> {
    if !home.has_file() {
        anyhow::bail!("there is no configuration; `krabba onboard` writes one");
    }
    let (diagnostics, forbidden) = match home.read() {
        Ok(loaded) => {
            let forbidden = World::forbidden(&loaded);
            (loaded.diagnostics, forbidden)
        }
        Err(ConfigErrors(diagnostics)) => (diagnostics, Vec::new()),
    };
    let valid = !diagnostics.has_errors() && forbidden.is_empty();
    if json {
        let all: Vec<_> = diagnostics.iter().collect();
        let shape = json!({ "path": home.location.path, "valid": valid, "diagnostics": all, "forbidden": forbidden });
        println!("{}", serde_json::to_string_pretty(&shape)?);
    } else {
        print!("{}", render(&diagnostics, Paint::Plain));
        forbidden.iter().for_each(|line| println!("error: {line}"));
        if valid {
            println!("{} is valid", home.shown(&home.location.path));
        }
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::from(CONFIG_ERROR) })
}

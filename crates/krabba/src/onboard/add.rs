//! A further server for a configuration that is there already.

use anyhow::{Result, bail};
use krabba_config::{Edited, KeyPath, Loaded, Step, adopt, set};
use krabba_local::model_residency;
use krabba_net::{Url, base_urls};

use super::Named;
use super::choose::describe_server;
use super::entry::Entry;
use super::find::{Found, describe_model, find_at};
use super::question::{print_wrapped, says_not_no, says_yes, somebody_is_there};
use crate::assemble::{Home, permits};
use crate::verbs::{counted_models, set_default};

/// Adds the server that a person named, and gives what holds from now on. OpenClaw's file is copied first, if they want that.
///
/// # Errors
/// When the file has errors or cannot be edited, when nothing usable is at the address, or the person does not want it.
pub(super) async fn add(home: &Home, named: &Named) -> Result<Loaded> {
    let loaded = home.load()?;
    let file = home.shown(&home.location.path);
    if let Some(known) = known(&loaded, &named.url) {
        println!("{} is provider \"{known}\" of {file} already; `krabba models set {known}/MODEL` chooses one of its models.", named.url);
        return Ok(loaded);
    }
    if !home.is_ours() && !somebody_is_there() {
        bail!(
            "{}; `krabba config adopt` copies it to ~/.krabba, and `krabba onboard {}` then adds the server to the copy",
            read_only(home),
            named.url
        );
    }
    let found = find_at(home, named).await?;
    let report = found.recommended()?;
    let providers = &loaded.config.models.providers;
    let is_taken = |id: &str| providers.iter().any(|(_, provider)| provider.id.as_str() == id);
    let entry = Entry::new(report, &found.recommendation.model, found.key.clone(), is_taken);
    if somebody_is_there() {
        println!("\nFound:");
        print_wrapped(&format!("  {}", describe_server(report)));
        report.model(&found.recommendation.model).iter().for_each(|model| print_wrapped(&format!("  {}", describe_model(report, model))));
        found.recommendation.warnings.iter().for_each(|warning| print_wrapped(&format!("  note: {warning}")));
        println!();
    }
    if home.is_ours() {
        if somebody_is_there() && !says_not_no(&format!("Add it to {file} as provider \"{}\"?", entry.id))? {
            bail!("nothing was changed");
        }
        return write(home, &loaded, &found, &entry).await;
    }
    let own = home.place.own_file();
    print_wrapped(&format!("{}.", read_only(home)));
    if !says_yes(&format!("Copy it to {}, and add provider \"{}\" to the copy?", home.shown(&own), entry.id))? {
        bail!("nothing was changed");
    }
    adopt(&home.location, &own, &home.surroundings())?;
    println!("Copied {file} to {}; krabba uses and edits the copy from now on.", home.shown(&own));
    write(&home.with_own_file(), &loaded, &found, &entry).await
}

/// What is said of a file that is not krabba's.
pub(super) fn read_only(home: &Home) -> String {
    format!("{} belongs to OpenClaw and is only read", home.shown(&home.location.path))
}

async fn write(home: &Home, loaded: &Loaded, found: &Found, entry: &Entry) -> Result<Loaded> {
    let path: KeyPath = ["models", "providers", &entry.id].into_iter().map(|key| Step::Key(key.to_owned())).collect();
    match set(&home.location, &path, &entry.value().to_string(), &home.surroundings())? {
        Edited::Written(_) | Edited::Unchanged => {}
    }
    let (file, reference) = (home.shown(&home.location.path), entry.reference());
    println!("Added provider \"{}\" to {file}, with {}.", entry.id, counted_models(entry.models.len()));
    if let Some(why) = &entry.hosted {
        if !somebody_is_there() {
            println!("note: {}", why.because);
        }
        if let Some(place) = &why.may_be {
            let declare = format!("krabba config set models.providers.{}.residency {place}", entry.id);
            print_wrapped(&format!("  if all that stands behind it is your own: {declare}"));
        }
    }
    if !is_permitted(loaded, found) {
        print_wrapped(&format!("note: privacy.residency of {file} does not let conversations travel there"));
    } else if somebody_is_there() && says_yes(&first_question(loaded, &reference))? {
        set_default(home, &reference).await?;
    } else {
        println!("`krabba models set {reference}` makes it answer first; /model {reference} chooses it for one conversation.");
    }
    Ok(home.load()?)
}

fn first_question(loaded: &Loaded, reference: &str) -> String {
    let primary = loaded.config.agents.defaults.model.as_ref().and_then(|choice| choice.primary.as_ref());
    let instead = primary.map(|primary| format!(", before {primary}")).unwrap_or_default();
    format!("Let {reference} answer first from now on{instead}?")
}

/// Whether the owner's own policy lets a conversation travel to the recommended model.
fn is_permitted(loaded: &Loaded, found: &Found) -> bool {
    let place = found.recommended().ok().and_then(|report| {
        let url = Url::parse(&report.url).ok()?;
        Some(model_residency(&url, report, &found.recommendation.model))
    });
    place.is_some_and(|place| permits(loaded, &place))
}

/// The provider that stands for the server at `url`.
fn known<'a>(loaded: &'a Loaded, url: &str) -> Option<&'a str> {
    let wanted = base_urls(url);
    let leads_there = |address: &String| base_urls(address).iter().any(|candidate| wanted.contains(candidate));
    let providers = loaded.config.models.providers.iter();
    providers
        .filter(|(_, provider)| provider.server.base_url.as_ref().is_some_and(leads_there))
        .map(|(_, provider)| provider.id.as_str())
        .next()
}

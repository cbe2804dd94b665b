//! Edits on disk: what is written, what is refused, what is kept.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::path::{Path, PathBuf};

use krabba_config::{EditError, Edited, KeyPath, Location, Ownership, Surroundings, adopt, load_file, set, unset, write_new};
use tempfile::TempDir;

const TEXT: &str = "// my box
{
  models: {
    providers: {
      // the one under the desk
      lmstudio: { baseUrl: 'http://127.0.0.1:1234/v1', /* short */ models: [] }, // stays
    },
  },

  agents: { defaults: { contextTokens: 8000, }, },
}
";

struct Scene {
    directory: TempDir,
    location: Location,
}

impl Scene {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("krabba.json5");
        std::fs::write(&path, text).unwrap();
        Self { directory, location: Location { path, ownership: Ownership::Ours } }
    }

    fn set(&self, key: &str, value: &str) -> Result<Edited, EditError> {
        set(&self.location, &key.parse::<KeyPath>().unwrap(), value, &Surroundings::default())
    }

    fn unset(&self, key: &str) -> Result<Edited, EditError> {
        unset(&self.location, &key.parse::<KeyPath>().unwrap(), &Surroundings::default())
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.location.path).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn comments_and_order_outlive_a_change() {
    let scene = Scene::new(TEXT);
    assert!(matches!(scene.set("agents.defaults.contextTokens", "9000"), Ok(Edited::Written(_))));
    assert_eq!(scene.text(), TEXT.replace("8000", "9000"));
}

#[test]
fn new_key_is_written_in_the_style_of_the_file() {
    let scene = Scene::new(TEXT);
    scene.set("privacy.residency", "device").unwrap();
    assert!(scene.text().starts_with(TEXT.strip_suffix("}\n").unwrap()), "{}", scene.text());
    assert!(scene.text().ends_with("  privacy: {\n    residency: \"device\"\n  },\n}\n"), "{}", scene.text());
}

#[test]
fn whole_entry_is_written_in_the_style_of_the_file() {
    let scene = Scene::new(TEXT);
    scene.set("models.providers.box-2", "{ baseUrl: 'http://box:1234/v1', models: [{ id: 'a' }, { id: 'b' }] }").unwrap();
    let models = ["a", "b"].map(|id| format!("          {{\n            id: \"{id}\",\n          }},\n")).concat();
    let added =
        format!("      \"box-2\": {{\n        baseUrl: \"http://box:1234/v1\",\n        models: [\n{models}        ],\n      }},\n");
    assert_eq!(scene.text(), TEXT.replace("// stays\n", &format!("// stays\n{added}")));
}

#[test]
fn key_with_slashes_and_a_list_entry_can_be_set() {
    let scene = Scene::new(TEXT);
    scene.set("agents.defaults.models[\"lmstudio/qwen3:8b\"].alias", "Quick").unwrap();
    scene.set("models.providers.lmstudio.models[0]", "{ id: 'qwen3:8b' }").unwrap();
    let config = load_file(&scene.location.path, &Surroundings::default()).unwrap_or_else(|_| panic!("unreadable")).config;
    assert_eq!(config.agents.defaults.models.get("lmstudio/qwen3:8b").unwrap().alias.as_deref(), Some("Quick"));
    assert_eq!(config.models.providers.get("lmstudio").unwrap().models.first().unwrap().id.as_str(), "qwen3:8b");
}

#[test]
fn removed_key_leaves_its_neighbours_alone() {
    let scene = Scene::new(TEXT);
    scene.unset("agents.defaults").unwrap();
    let before = TEXT.split("  agents").next().unwrap();
    assert!(scene.text().starts_with(before), "{}", scene.text());
    assert_eq!(scene.unset("agents.defaults").unwrap(), Edited::Unchanged);
    assert_eq!(scene.unset("no.such.key").unwrap(), Edited::Unchanged);
}

#[test]
fn change_with_an_error_is_not_written() {
    let scene = Scene::new(TEXT);
    let Err(EditError::Invalid { diagnostics }) = scene.set("models.providers.lmstudio.api", "soap") else { panic!("written") };
    assert_eq!(diagnostics.iter().map(|diagnostic| diagnostic.code).collect::<Vec<_>>(), ["unknown-api"]);
    assert_eq!((scene.text(), scene.names()), (TEXT.to_owned(), vec!["krabba.json5".to_owned()]));
}

#[test]
fn old_error_does_not_forbid_mending_another() {
    let scene = Scene::new("{ agents: { defaults: { contextTokens: 'x', timeoutSeconds: 'y' } } }");
    scene.set("agents.defaults.contextTokens", "5").unwrap();
    assert_eq!(scene.text(), "{ agents: { defaults: { contextTokens: 5, timeoutSeconds: 'y' } } }");
}

#[test]
fn five_previous_versions_are_kept_for_the_owner_alone() {
    let scene = Scene::new(TEXT);
    for tokens in 1..=7 {
        scene.set("agents.defaults.contextTokens", &tokens.to_string()).unwrap();
    }
    let names: Vec<String> =
        std::iter::once("krabba.json5".to_owned()).chain((1..=5).map(|number| format!("krabba.json5.bak.{number}"))).collect();
    assert_eq!(scene.names(), names);
    for (name, tokens) in names.iter().zip([7, 6, 5, 4, 3, 2]) {
        let path = scene.directory.path().join(name);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), TEXT.replace("8000", &tokens.to_string()), "{name}");
        assert_eq!(mode(&path), 0o600, "{name}");
    }
}

#[test]
fn someone_elses_file_is_never_written() {
    let mut scene = Scene::new(TEXT);
    scene.location.ownership = Ownership::Theirs;
    let error = scene.set("agents.defaults.contextTokens", "1").unwrap_err();
    assert!(error.to_string().contains("krabba config adopt"), "{error}");
    assert_eq!(scene.text(), TEXT);
}

#[test]
fn list_joined_from_an_included_file_cannot_be_replaced_in_silence() {
    let scene = Scene::new("{ $include: './base.json5' }");
    std::fs::write(
        scene.directory.path().join("base.json5"),
        "{ agents: { defaults: { model: { primary: 'a/1', fallbacks: ['a/2'] } } } }",
    )
    .unwrap();
    let error = scene.set("agents.defaults.model.fallbacks", "['a/3']").unwrap_err();
    assert!(matches!(error, EditError::NoEffect { .. }), "{error}");
    assert!(matches!(scene.unset("agents.defaults.model.primary"), Ok(Edited::Unchanged)));
    scene.set("agents.defaults.model.primary", "a/9").unwrap();
    let config = load_file(&scene.location.path, &Surroundings::default()).unwrap_or_else(|_| panic!("unreadable")).config;
    assert_eq!(config.agents.defaults.model.unwrap().primary.as_deref(), Some("a/9"));
}

#[test]
fn text_that_the_editor_cannot_read_is_left_alone() {
    // JSON5 allows escapes in a key without quotes; the editor's parser does not.
    let text = "{ \\u0061gents: { defaults: { contextTokens: 1 } } }";
    let scene = Scene::new(text);
    let error = scene.set("agents.defaults.contextTokens", "2").unwrap_err();
    assert!(matches!(error, EditError::NotEditable { .. }), "{error}");
    assert_eq!(scene.text(), text);
}

#[test]
fn byte_order_mark_outlives_a_change() {
    let scene = Scene::new("\u{feff}{ agents: { defaults: { contextTokens: 1 } } }\r\n");
    scene.set("agents.defaults.contextTokens", "2").unwrap();
    assert_eq!(scene.text(), "\u{feff}{ agents: { defaults: { contextTokens: 2 } } }\r\n");
}

#[test]
fn link_to_a_file_stays_a_link() {
    let scene = Scene::new(TEXT);
    let link = scene.directory.path().join("link.json5");
    std::os::unix::fs::symlink(&scene.location.path, &link).unwrap();
    let through = Location { path: link.clone(), ownership: Ownership::Ours };
    set(&through, &"agents.defaults.contextTokens".parse().unwrap(), "9", &Surroundings::default()).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(scene.text(), TEXT.replace("8000", "9"));
}

#[test]
fn adopted_copy_still_finds_what_it_includes() {
    let openclaw = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/includes/wrapper.json5");
    let home = tempfile::tempdir().unwrap();
    let own = home.path().join(".krabba/krabba.json5");
    let theirs = Location { path: openclaw.clone(), ownership: Ownership::Theirs };
    adopt(&theirs, &own, &Surroundings::default()).unwrap();
    let redacted = |path: &Path| load_file(path, &Surroundings::default()).unwrap_or_else(|_| panic!("unreadable")).redacted();
    assert_eq!(redacted(&own), redacted(&openclaw));
    assert!(std::fs::read_to_string(&own).unwrap().starts_with("// Moves the server"));
    assert_eq!((mode(&own), mode(own.parent().unwrap())), (0o600, 0o700));
    assert!(matches!(adopt(&theirs, &own, &Surroundings::default()), Err(EditError::Exists { .. })));
}

#[test]
fn first_configuration_is_checked_and_never_overwrites() {
    let home = tempfile::tempdir().unwrap();
    let path: PathBuf = home.path().join(".krabba/krabba.json5");
    assert!(matches!(write_new(&path, "{ models: 1 }", &Surroundings::default()), Err(EditError::Invalid { .. })));
    assert!(!path.exists());
    write_new(&path, TEXT, &Surroundings::default()).unwrap();
    assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), mode(&path)), (TEXT, 0o600));
    assert!(matches!(write_new(&path, "{}", &Surroundings::default()), Err(EditError::Exists { .. })));
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

use std::path::Path;

use crate::{Env, Location, Ownership, Where, locate};

fn place(home: &Path, variables: &[(&str, &str)]) -> Where {
    let env = Env::new(variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    Where { flag: None, env, home: home.to_owned() }
}

fn touch(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "{}").unwrap();
}

#[test]
fn nearest_name_wins_and_tells_whose_file_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let at = |path: &str, ownership| Location { path: home.join(path), ownership };
    let both = [("KRABBA_CONFIG", "~/k.json5"), ("OPENCLAW_CONFIG_PATH", "~/o.json")];

    assert_eq!(locate(&place(home, &[])), at(".krabba/krabba.json5", Ownership::Ours));
    touch(&home.join(".openclaw/openclaw.json"));
    assert_eq!(locate(&place(home, &[])), at(".openclaw/openclaw.json", Ownership::Theirs));
    assert_eq!(locate(&place(home, &both[1..])), at("o.json", Ownership::Theirs));
    touch(&home.join(".krabba/krabba.json5"));
    assert_eq!(locate(&place(home, &both[1..])), at(".krabba/krabba.json5", Ownership::Ours));
    assert_eq!(locate(&place(home, &both)), at("k.json5", Ownership::Ours));
    let flagged = Where { flag: Some(home.join("f.json5")), ..place(home, &both) };
    assert_eq!(locate(&flagged), at("f.json5", Ownership::Ours));
}

#[test]
#[cfg(unix)]
fn link_to_a_missing_configuration_is_not_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    touch(&home.join(".openclaw/openclaw.json"));
    std::fs::create_dir_all(home.join(".krabba")).unwrap();
    std::os::unix::fs::symlink("/not/mounted/krabba.json5", home.join(".krabba/krabba.json5")).unwrap();
    let expected = Location { path: home.join(".krabba/krabba.json5"), ownership: Ownership::Ours };
    assert_eq!(locate(&place(home, &[])), expected);
}

#[test]
fn naming_openclaws_file_does_not_make_it_ours() {
    let directory = tempfile::tempdir().unwrap();
    let theirs = directory.path().join(".openclaw/work.json5");
    touch(&theirs);
    let flagged = Where { flag: Some(theirs.clone()), ..place(directory.path(), &[]) };
    assert_eq!(locate(&flagged), Location { path: theirs, ownership: Ownership::Theirs });
}

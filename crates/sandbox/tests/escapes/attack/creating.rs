//! Ways of making what steers the agent, or what other programs run by themselves.

use std::fs;
use std::path::{Path, PathBuf};

use super::Control::Bare;
use super::{Attack, Got, HERE, Scene, any, at, c, call, words};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack::new("steering-file-made", Bare, |scene| each(scene, |path| done(fs::write(path, "evil")))),
    Attack::new("steering-directory-made", Bare, |scene| each(scene, |path| done(fs::create_dir(path)))),
    Attack::new("steering-link-made", Bare, |scene| each(scene, |path| done(std::os::unix::fs::symlink("/tmp/evil", path)))),
    Attack::new("steering-hard-link-made", Bare, |scene| each(scene, |path| done(fs::hard_link(scene.own("steers"), path)))),
    Attack::new("steering-file-moved-there", Bare, |scene| each(scene, |path| done(fs::rename(scene.own("steers"), path)))),
    Attack::new("steering-directory-moved-there", Bare, |scene| {
        each(scene, |path| {
            let own = scene.workspace.join("open/skills");
            let _ = fs::create_dir(&own);
            let _ = fs::write(own.join("evil"), "evil");
            done(fs::rename(&own, path))
        })
    }),
    Attack::new("steering-stand-in-replaced", Bare, |scene| {
        each(scene, |path| {
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
            done(fs::write(path, "evil"))
        })
    }),
    Attack::new("stand-in-filled", Bare, |scene| {
        each(scene, |path| {
            let _ = fs::create_dir(path);
            done(fs::write(path.join("evil"), "evil"))
        })
    }),
    Attack::new("git-hook", Bare, |scene| git(scene, &["hooks/post-commit", "hooks/pre-commit"])),
    Attack::new("git-configuration", Bare, |scene| {
        git(scene, &["config", "config.worktree", "commondir", "info/attributes", "modules/x/config", "worktrees/x/gitdir"])
    }),
    Attack::new("git-directory-replaced", Bare, |scene| {
        let git = scene.workspace.join(".git");
        fs::rename(&git, scene.workspace.join("open/git")).map_err(words)?;
        done(fs::create_dir_all(git.join("hooks")))
    }),
    Attack::new("git-directory-exchanged", Bare, |scene| {
        let own = scene.workspace.join("open/other-git");
        fs::create_dir_all(own.join("hooks")).map_err(words)?;
        call(libc::SYS_renameat2, [HERE, at(&c(scene.workspace.join(".git"))), HERE, at(&c(own)), 2])
    }),
    Attack::new("workspace-moved-away", Bare, |scene| {
        let away = scene.workspace.with_file_name("away");
        fs::rename(&scene.workspace, away).map_err(words)?;
        done(fs::create_dir(&scene.workspace))
    }),
];

/// What is protected, and missing.
pub(crate) fn each(scene: &Scene, attempt: impl Fn(&Path) -> Got) -> Got {
    any(scene.missing.iter().map(|path| attempt(&scene.workspace.join(path))))
}

fn git(scene: &Scene, names: &[&str]) -> Got {
    any(names.iter().map(|name| {
        let path: PathBuf = scene.workspace.join(".git").join(name);
        let _ = path.parent().map(fs::create_dir_all);
        // What git does not look for does no harm.
        if *name == "config.worktree" { Err("git looks for it only when told".to_owned()) } else { done(fs::write(path, "evil")) }
    }))
}

fn done(done: std::io::Result<()>) -> Got {
    done.map(|()| "done".to_owned()).map_err(words)
}

//! Ways of seeing what is not to be seen.

use std::fs;
use std::path::Path;

use super::Control::{Bare, Nothing};
use super::{Attack, Got, HERE, Scene, Setting, any, at, c, call, raw, read, refused, words};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack::new("hidden-file", Bare, |scene| read(scene.key())),
    Attack::new("outside-file", Bare, |scene| read(scene.file())),
    Attack::new("hidden-in-the-workspace", Bare, |scene| read(scene.workspace.join("vault/key"))),
    Attack::new("hidden-moved-away", Bare, |scene| {
        fs::rename(scene.workspace.join("vault"), scene.workspace.join("open/vault")).map_err(words)?;
        read(scene.workspace.join("open/vault/key"))
    }),
    Attack::new("hidden-linked", Bare, |scene| {
        let own = scene.workspace.join("open/linked");
        fs::hard_link(scene.key(), &own).or_else(|_| fs::hard_link(scene.workspace.join("vault/key"), &own)).map_err(words)?;
        read(own)
    }),
    Attack::new("by-a-link-that-was-there", Bare, |scene| read(scene.workspace.join("link"))),
    Attack::new("by-an-own-link", Bare, |scene| {
        let link = scene.workspace.join("open/own-link");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(scene.key(), &link).map_err(words)?;
        read(link)
    }),
    Attack::new("by-parents", Bare, |scene| read(scene.workspace.join("../secret/key"))),
    Attack::new("by-the-working-directory", Bare, |scene| {
        std::env::set_current_dir(&scene.outside).map_err(words)?;
        read("file")
    }),
    Attack::new("by-a-directory-handle", Bare, |scene| {
        let directory =
            raw(libc::SYS_openat, [HERE, at(&c(&scene.outside)), (libc::O_PATH | libc::O_DIRECTORY) as usize, 0]).map_err(words)?;
        let file = raw(libc::SYS_openat, [directory, at(&c("file")), 0, 0]).map_err(words)?;
        Ok(file.to_string())
    }),
    Attack::new("by-opening-again", Bare, |scene| {
        let file = raw(libc::SYS_openat, [HERE, at(&c(scene.file())), libc::O_PATH as usize, 0]).map_err(words)?;
        read(format!("/proc/self/fd/{file}"))
    }),
    Attack::new("hidden-listed", Bare, |scene| any([&scene.secret, &scene.outside].map(|place| listed(place)))),
    Attack::new("home-of-the-owner", Nothing, |_| {
        any(["/home", "/root", "/var/lib", "/etc/ssh", "/srv", "/mnt", "/media"].map(|place| listed(Path::new(place))))
    }),
    Attack::new("passwords-of-the-system", Bare, |_| {
        any(["/etc/shadow", "/etc/machine-id", "/var/log/dpkg.log", "/var/lib/dpkg/status"].map(read))
    }),
    Attack::new("outside-watched", Bare, |scene| {
        let watch = raw(libc::SYS_inotify_init1, [0]).map_err(words)?;
        any([&scene.outside, &scene.secret].map(|place| call(libc::SYS_inotify_add_watch, [watch, at(&c(place)), 0x0fff])))
    }),
    Attack::new("attributes-read", Bare, |scene| {
        let mut bytes = [0_u8; 64];
        any([libc::SYS_getxattr, libc::SYS_lgetxattr]
            .map(|number| refused(raw(number, [at(&c(scene.file())), at(&c("user.krabba")), bytes.as_mut_ptr() as usize, bytes.len()]))))
    }),
    Attack::new("attributes-listed", Bare, |scene| {
        let mut bytes = [0_u8; 64];
        any([libc::SYS_listxattr, libc::SYS_llistxattr]
            .map(|number| refused(raw(number, [at(&c(scene.file())), bytes.as_mut_ptr() as usize, bytes.len()]))))
    }),
    Attack::new("outside-executed", Bare, |scene| executed(&scene.outside.join("program"))),
    Attack::new("outside-interpreter", Bare, |scene| {
        let script = scene.own("script");
        fs::write(&script, format!("#!{}\n", scene.outside.join("program").display())).map_err(words)?;
        let set = fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755));
        // Where modes cannot be changed, a file that may be executed is made at once.
        if set.is_err() {
            let made = raw(
                libc::SYS_openat,
                [HERE, at(&c(scene.workspace.join("open/script-2"))), (libc::O_CREAT | libc::O_WRONLY) as usize, 0o755],
            )
            .map_err(words)?;
            let text = format!("#!{}\n", scene.outside.join("program").display());
            call(libc::SYS_write, [made, text.as_ptr() as usize, text.len()])?;
            let _ = call(libc::SYS_close, [made]);
            return executed(&scene.workspace.join("open/script-2"));
        }
        executed(&script)
    }),
    Attack::new("changes-kept-apart-looked-into", Bare, |scene| listed(&scene.scratch)).within(Setting::Apart),
    Attack::new("scratch-of-others", Bare, |scene| listed(&scene.scratch)),
];

/// Whether anything is to be seen there.
fn listed(place: &Path) -> Got {
    let names: Vec<String> =
        fs::read_dir(place).map_err(words)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    if names.is_empty() { Err("empty".to_owned()) } else { Ok(names.join(" ")) }
}

#[allow(clippy::disallowed_methods, reason = "the attacker waits for it")]
fn executed(program: &Path) -> Got {
    let output = std::process::Command::new(program).output().map_err(words)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.contains("sesame") { Ok(text) } else { Err(format!("said {text:?}")) }
}

/// The scene, for those that change what they find.
pub(crate) fn targets(scene: &Scene) -> [std::path::PathBuf; 3] {
    [scene.file(), scene.key(), scene.steering()]
}

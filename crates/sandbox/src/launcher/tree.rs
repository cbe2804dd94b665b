//! What a command sees, as a list of steps. `mounts` takes them itself, `bubblewrap` writes them down as arguments.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::aside::{UPPER, WORK};
use crate::plan::{Changes, Tree};

/// One step. Sorted by place, so that what lies in another comes after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step {
    /// Where, inside.
    pub(super) at: PathBuf,
    /// What.
    pub(super) what: What,
}

/// What is done at a place; of several at the same place, in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// A link as the host has it.
    Link(PathBuf),
    /// The host's place of the same name, as it is there.
    Show(Access, Whose),
    /// The workspace, with its changes going elsewhere.
    Apart,
    /// A place that is already visible becomes a mount of its own, so that nobody can move it away.
    Pin,
    /// The same, and read-only.
    Lock,
    /// Nothing is seen of it any more.
    Cover,
}

/// What may be done with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    /// Looking.
    Read,
    /// Changing.
    Write,
}

/// To whom a place belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    /// The system: everybody may read it, or nobody.
    System,
    /// The person that krabba works for, who may be root.
    Owner,
}

/// Directories that hold programs and what they need.
const SYSTEM: [&str; 9] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32", "/nix/store", "/opt"];

/// What programs look up in `/etc`. There is nothing of this machine's people, hosts or keys in it.
const ETC: [&str; 19] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/pki",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/terminfo",
];

/// What `/proc` tells of the machine and of its people's keys that is no command's business.
pub(super) const MASKED: [&str; 8] = ["acpi", "kallsyms", "kcore", "key-users", "keys", "kmsg", "sysrq-trigger", "timer_list"];

/// Where git finds what it is not to add to a repository.
const IGNORED: &str = "gitignore";

/// Who commits where the repository says nothing about it. Git tidies up before it ends: what goes on behind it would be cut off.
const COMMITTER: &str =
    "[user]\n\tname = krabba\n\temail = krabba@localhost\n[gc]\n\tautoDetach = false\n[maintenance]\n\tautoDetach = false\n";

/// Files in `/etc` that are made up.
pub(super) fn made_up(user: u32, group: u32, tree: &Tree) -> [(&'static str, String); 8] {
    let stand_ins = tree.workspace.iter().flat_map(|workspace| &workspace.stand_ins);
    // What stands in for a missing protected file would otherwise be part of the next commit.
    let ignored: String = stand_ins.map(|path| format!("/{}\n", path.display())).collect();
    [
        ("gitconfig", format!("[core]\n\texcludesFile = /etc/{IGNORED}\n{COMMITTER}")),
        (IGNORED, ignored),
        ("passwd", format!("krabba:x:{user}:{group}::/tmp/home:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")),
        ("group", format!("krabba:x:{group}:\nnogroup:x:65534:\n")),
        ("hosts", "127.0.0.1 localhost krabba\n::1 localhost krabba\n".to_owned()),
        ("hostname", "krabba\n".to_owned()),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n".to_owned()),
        ("resolv.conf", String::new()),
    ]
}

/// The system's places that are there, links as links.
pub(super) fn system() -> Vec<Step> {
    let mut steps = Vec::new();
    for place in SYSTEM.iter().chain(&ETC) {
        let at = PathBuf::from(place);
        let Ok(kind) = std::fs::symlink_metadata(&at).map(|metadata| metadata.file_type()) else { continue };
        if !kind.is_symlink() {
            steps.push(Step { at, what: What::Show(Access::Read, Whose::System) });
        } else if at.starts_with("/etc") {
            // It leads to what the system keeps elsewhere, which may be out of sight; its content is shown here.
            if std::fs::canonicalize(&at).is_ok_and(|real| real.starts_with("/usr") || real.starts_with("/run/systemd")) {
                steps.push(Step { at, what: What::Show(Access::Read, Whose::System) });
            }
        } else if let Ok(target) = std::fs::read_link(&at) {
            steps.push(Step { at, what: What::Link(target) });
        }
    }
    steps
}

/// All steps.
pub(super) fn steps(tree: &Tree) -> Vec<Step> {
    let mut steps = system();
    let show = |access| move |at: &PathBuf| Step { at: at.clone(), what: What::Show(access, Whose::Owner) };
    steps.extend(tree.readable.iter().map(show(Access::Read)));
    steps.extend(tree.writable.iter().map(show(Access::Write)));
    steps.extend(tree.hidden.iter().map(|at| Step { at: at.clone(), what: What::Cover }));
    if let Some(workspace) = &tree.workspace {
        let root = workspace.path.clone();
        steps.push(match &workspace.changes {
            Changes::Direct => Step { at: root, what: What::Show(Access::Write, Whose::Owner) },
            Changes::Apart { .. } => Step { at: root, what: What::Apart },
        });
        let locked: BTreeSet<PathBuf> = workspace.protected.iter().map(|path| workspace.path.join(path)).collect();
        let pinned: BTreeSet<PathBuf> = locked.iter().flat_map(|path| parents_within(path, &workspace.path)).collect();
        steps.extend(pinned.difference(&locked).map(|at| Step { at: at.clone(), what: What::Pin }));
        steps.extend(locked.iter().map(|at| Step { at: at.clone(), what: What::Lock }));
    }
    steps.sort();
    steps.dedup();
    steps
}

/// Where changes go that are kept apart, newest first: the directory, and what is in it for files and for the kernel.
pub(super) fn layers(tree: &Tree) -> Vec<(PathBuf, PathBuf, PathBuf)> {
    let Some(Changes::Apart { own, earlier }) = tree.workspace.as_ref().map(|workspace| &workspace.changes) else { return Vec::new() };
    let parts = |directory: &PathBuf| (directory.clone(), directory.join(UPPER), directory.join(WORK));
    std::iter::once(own).chain(earlier).map(parts).collect()
}

/// The directories between `root` and `path`, without both.
fn parents_within(path: &Path, root: &Path) -> Vec<PathBuf> {
    path.ancestors().skip(1).take_while(|parent| *parent != root).map(Path::to_owned).collect()
}

/// The places that may be written, inside.
pub(super) fn writable(tree: &Tree) -> Vec<PathBuf> {
    tree.workspace.iter().map(|workspace| workspace.path.clone()).chain(tree.writable.iter().cloned()).collect()
}

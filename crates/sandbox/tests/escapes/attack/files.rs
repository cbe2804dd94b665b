//! Ways of changing what is not to be changed, by every family of calls. Each is tried on a file outside, on a hidden one, and on one
//! of the workspace that steers the agent.

use std::path::Path;

use super::Control::{Bare, Root};
use super::reading::targets;
use super::{Attack, Got, HERE, Scene, Setting, any, at, c, call, raw, refused, words};

const WRITE: usize = libc::O_WRONLY as usize;

pub(crate) const ATTACKS: &[Attack] = &[
    Attack::new("write", Bare, |scene| each(scene, |path| write(raw(libc::SYS_openat, [HERE, at(&c(path)), WRITE, 0])))),
    Attack::new("append", Bare, |scene| {
        each(scene, |path| write(raw(libc::SYS_openat, [HERE, at(&c(path)), WRITE | libc::O_APPEND as usize, 0])))
    }),
    Attack::new("openat2", Bare, |scene| {
        each(scene, |path| {
            let how = [WRITE as u64, 0, 0];
            write(raw(libc::SYS_openat2, [HERE, at(&c(path)), how.as_ptr() as usize, 24]))
        })
    }),
    #[cfg(target_arch = "x86_64")]
    Attack::new("creat", Bare, |scene| each(scene, |path| write(raw(libc::SYS_creat, [at(&c(path)), 0o644])))),
    Attack::new("truncate", Bare, |scene| each(scene, |path| call(libc::SYS_truncate, [at(&c(path)), 0]))),
    Attack::new("open-truncating", Bare, |scene| {
        each(scene, |path| call(libc::SYS_openat, [HERE, at(&c(path)), libc::O_TRUNC as usize, 0]))
    }),
    Attack::new("unlink", Bare, |scene| each(scene, |path| call(libc::SYS_unlinkat, [HERE, at(&c(path)), 0]))),
    Attack::new("rename-away", Bare, |scene| {
        each(scene, |path| call(libc::SYS_renameat, [HERE, at(&c(path)), HERE, at(&c(scene.workspace.join("open/away")))]))
    }),
    Attack::new("rename-over", Bare, |scene| {
        each(scene, |path| call(libc::SYS_renameat, [HERE, at(&c(scene.own("over"))), HERE, at(&c(path))]))
    }),
    Attack::new("exchange", Bare, |scene| {
        each(scene, |path| call(libc::SYS_renameat2, [HERE, at(&c(scene.own("exchanged"))), HERE, at(&c(path)), 2]))
    }),
    Attack::new("whiteout", Root, |scene| {
        each(scene, |path| call(libc::SYS_renameat2, [HERE, at(&c(path)), HERE, at(&c(scene.workspace.join("open/white"))), 4]))
    }),
    Attack::new("hard-link-written-through", Bare, |scene| {
        each(scene, |path| {
            let own = c(scene.workspace.join("open/hard-link"));
            let _ = call(libc::SYS_unlinkat, [HERE, at(&own), 0]);
            call(libc::SYS_linkat, [HERE, at(&c(path)), HERE, at(&own), 0])?;
            write(raw(libc::SYS_openat, [HERE, at(&own), WRITE, 0]))
        })
    }),
    Attack::new("hard-link-by-handle", Bare, |scene| {
        each(scene, |path| {
            let own = c(scene.workspace.join("open/hard-link-2"));
            let _ = call(libc::SYS_unlinkat, [HERE, at(&own), 0]);
            let file = raw(libc::SYS_openat, [HERE, at(&c(path)), libc::O_PATH as usize, 0]).map_err(words)?;
            let again = c(format!("/proc/self/fd/{file}"));
            call(libc::SYS_linkat, [HERE, at(&again), HERE, at(&own), libc::AT_SYMLINK_FOLLOW as usize])?;
            write(raw(libc::SYS_openat, [HERE, at(&own), WRITE, 0]))
        })
    }),
    Attack::new("symbolic-link-written-through", Bare, |scene| {
        each(scene, |path| {
            let link = c(scene.workspace.join("open/symbolic"));
            let _ = call(libc::SYS_unlinkat, [HERE, at(&link), 0]);
            call(libc::SYS_symlinkat, [at(&c(path)), HERE, at(&link)])?;
            write(raw(libc::SYS_openat, [HERE, at(&link), WRITE, 0]))
        })
    }),
    Attack::new("handle-opened-again", Bare, |scene| {
        each(scene, |path| {
            any([0, libc::O_PATH as usize].map(|flags| {
                let file = raw(libc::SYS_openat, [HERE, at(&c(path)), flags, 0]).map_err(words)?;
                write(raw(libc::SYS_openat, [HERE, at(&c(format!("/proc/self/fd/{file}"))), WRITE, 0]))
            }))
        })
    }),
    Attack::new("new-file-outside", Bare, |scene| {
        write(raw(libc::SYS_openat, [HERE, at(&c(scene.outside.join("new"))), WRITE | libc::O_CREAT as usize, 0o644]))
    }),
    Attack::new("new-directory-outside", Bare, |scene| call(libc::SYS_mkdirat, [HERE, at(&c(scene.outside.join("new-directory"))), 0o755])),
    Attack::new("directory-removed-outside", Bare, |scene| {
        call(libc::SYS_unlinkat, [HERE, at(&c(scene.outside.join("empty"))), libc::AT_REMOVEDIR as usize])
    }),
    Attack::new("symbolic-link-outside", Bare, |scene| {
        call(libc::SYS_symlinkat, [at(&c("/etc/passwd")), HERE, at(&c(scene.outside.join("new-link")))])
    }),
    Attack::new("hard-link-outside", Bare, |scene| {
        call(libc::SYS_linkat, [HERE, at(&c(scene.own("linked-out"))), HERE, at(&c(scene.outside.join("new-hard"))), 0])
    }),
    Attack::new("pipe-outside", Bare, |scene| {
        call(libc::SYS_mknodat, [HERE, at(&c(scene.outside.join("new-pipe"))), (libc::S_IFIFO | 0o600) as usize, 0])
    }),
    Attack::new("moved-outside", Bare, |scene| {
        call(libc::SYS_renameat, [HERE, at(&c(scene.own("moved-out"))), HERE, at(&c(scene.outside.join("moved")))])
    }),
    Attack::new("nameless-file-outside", Bare, |scene| {
        let file = raw(libc::SYS_openat, [HERE, at(&c(&scene.outside)), WRITE | libc::O_TMPFILE as usize, 0o644]).map_err(words)?;
        let again = c(format!("/proc/self/fd/{file}"));
        call(libc::SYS_linkat, [HERE, at(&again), HERE, at(&c(scene.outside.join("named"))), libc::AT_SYMLINK_FOLLOW as usize])
    }),
    Attack::new("attribute-set", Bare, |scene| {
        each(scene, |path| call(libc::SYS_setxattr, [at(&c(path)), at(&c("user.evil")), b"x".as_ptr() as usize, 1, 0]))
    }),
    Attack::new("attribute-set-by-handle", Bare, |scene| {
        each(scene, |path| {
            let file = raw(libc::SYS_openat, [HERE, at(&c(path)), 0, 0]).map_err(words)?;
            call(libc::SYS_fsetxattr, [file, at(&c("user.evil")), b"x".as_ptr() as usize, 1, 0])
        })
    }),
    Attack::new("attribute-removed", Bare, |scene| each(scene, |path| call(libc::SYS_removexattr, [at(&c(path)), at(&c("user.krabba"))]))),
    Attack::new("attribute-set-newly", Bare, |scene| {
        each(scene, |path| {
            let value = [b"x".as_ptr() as u64, 1];
            refused(raw(463, [HERE, at(&c(path)), 0, at(&c("user.evil")), value.as_ptr() as usize, 16]))
        })
    }),
    Attack::new("times", Bare, |scene| {
        each(scene, |path| call(libc::SYS_utimensat, [HERE, at(&c(path)), [1_i64, 0, 1, 0].as_ptr() as usize, 0]))
    }),
    #[cfg(target_arch = "x86_64")]
    Attack::new("times-the-old-way", Bare, |scene| {
        each(scene, |path| {
            let times = [1_i64, 0, 1, 0];
            any([
                call(libc::SYS_utimes, [at(&c(path)), times.as_ptr() as usize]),
                call(libc::SYS_utime, [at(&c(path)), times.as_ptr() as usize]),
                call(libc::SYS_futimesat, [HERE, at(&c(path)), times.as_ptr() as usize]),
            ])
        })
    }),
    Attack::new("mode", Bare, |scene| each(scene, |path| call(libc::SYS_fchmodat, [HERE, at(&c(path)), 0o4777]))),
    Attack::new("mode-newly", Bare, |scene| each(scene, |path| refused(raw(452, [HERE, at(&c(path)), 0o4777, 0])))),
    Attack::new("mode-by-handle", Bare, |scene| {
        each(scene, |path| {
            let file = raw(libc::SYS_openat, [HERE, at(&c(path)), 0, 0]).map_err(words)?;
            call(libc::SYS_fchmod, [file, 0o4777])
        })
    }),
    Attack::new("owner", Root, |scene| each(scene, |path| call(libc::SYS_fchownat, [HERE, at(&c(path)), 7, 7, 0]))),
    Attack::new("owner-by-handle", Root, |scene| {
        each(scene, |path| {
            let file = raw(libc::SYS_openat, [HERE, at(&c(path)), 0, 0]).map_err(words)?;
            call(libc::SYS_fchown, [file, 7, 7])
        })
    }),
    Attack::new("flags-by-handle", Bare, |scene| {
        each(scene, |path| {
            let file = raw(libc::SYS_openat, [HERE, at(&c(path)), 0, 0]).map_err(words)?;
            // Not to be dumped: no harm, and seen by nobody but the file system. All others as they are.
            let mut marks = [0_i64];
            call(libc::SYS_ioctl, [file, 0x8008_6601, marks.as_mut_ptr() as usize])?;
            marks[0] |= 0x40;
            call(libc::SYS_ioctl, [file, 0x4008_6602, marks.as_ptr() as usize])
        })
    }),
    Attack::new("flags-newly", Bare, |scene| {
        each(scene, |path| refused(raw(469, [HERE, at(&c(path)), [0x80_u64, 0, 0].as_ptr() as usize, 24, 0])))
    }),
    Attack::new("program-of-the-system", Root, |_| {
        any(["/usr/bin/env", "/bin/sh", "/usr/lib/os-release"].map(|path| {
            std::fs::OpenOptions::new()
                .append(true)
                .open(path)
                .or_else(|error| if error.raw_os_error() == Some(libc::ETXTBSY) { std::fs::File::open(path) } else { Err(error) })
                .map(|_| format!("{path} opens"))
                .map_err(words)
        }))
    }),
    Attack::new("file-of-the-system", Root, |_| {
        any(["/etc", "/usr/local/bin", "/usr/lib", "/opt", "/var/spool/cron"].map(|place| {
            let new = Path::new(place).join("krabba-escape");
            std::fs::write(&new, "x").map_err(words)?;
            // Elsewhere than in a tree of one's own it would be seen by others.
            let seen = std::fs::remove_file(&new);
            seen.map(|()| format!("{place} takes files")).map_err(words)
        }))
    }),
    Attack::new("through-what-is-kept-apart", Bare, |scene| {
        let done = any([
            std::fs::write(scene.workspace.join("open/notes"), "evil").map(|()| String::new()).map_err(words),
            std::fs::remove_dir_all(scene.workspace.join("open/below")).map(|()| String::new()).map_err(words),
            std::fs::rename(scene.workspace.join("open/notes"), scene.workspace.join("open/renamed"))
                .map(|()| String::new())
                .map_err(words),
        ]);
        Err(format!("seen from outside: {done:?}"))
    })
    .within(Setting::Apart),
];

fn each(scene: &Scene, attempt: impl Fn(&Path) -> Got) -> Got {
    any(targets(scene).iter().map(|path| attempt(path)))
}

fn write(file: std::io::Result<usize>) -> Got {
    let file = file.map_err(words)?;
    call(libc::SYS_write, [file, b"evil".as_ptr() as usize, 4])
}

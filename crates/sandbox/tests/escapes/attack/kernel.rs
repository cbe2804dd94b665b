//! Ways out by the kernel itself: other views of the machine, new rights, and calls that ordinary programs never make. Most are
//! made wrongly on purpose: being told so means having got through.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Control::{Bare, Nothing, Root};
use super::{Attack, Got, HERE, Scene, Setting, any, at, c, call, raw, reaches, refused, words};

const NONE: usize = usize::MAX;

pub(crate) const ATTACKS: &[Attack] =
    &[
        Attack::new("mount", Root, |scene| {
            let (place, kind) = (c(scene.workspace.join("open")), c("tmpfs"));
            call(libc::SYS_mount, [at(&kind), at(&place), at(&kind), 0, 0])?;
            let _ = call(libc::SYS_umount2, [at(&place), 0]);
            Ok("mounted".to_owned())
        }),
        Attack::new("remount-writable", Nothing, |scene| {
            let flags = (libc::MS_REMOUNT | libc::MS_BIND) as usize;
            any([c("/usr"), c("/"), c(scene.steering())].map(|place| call(libc::SYS_mount, [0, at(&place), 0, flags, 0])))
        }),
        Attack::new("cover-taken-away", Root, |scene| {
            let vault = c(scene.workspace.join("vault"));
            let _ = call(libc::SYS_umount2, [at(&vault), libc::MNT_DETACH as usize]);
            super::read(scene.workspace.join("vault/key"))
        }),
        Attack::new("new-mount-calls", Root, |_| {
            let (kind, root) = (c("tmpfs"), c("/"));
            any([reaches(libc::SYS_fsopen, [at(&kind), 0]), reaches(libc::SYS_open_tree, [HERE, at(&root), 1])])
        }),
        Attack::new("mount-attributes", Root, |_| {
            let (root, attributes) = (c("/proc"), [0_u64; 4]);
            reaches(libc::SYS_mount_setattr, [HERE, at(&root), 0, attributes.as_ptr() as usize, 32])
        }),
        Attack::new("pivot-root", Root, |_| {
            let nowhere = c("/nowhere");
            reaches(libc::SYS_pivot_root, [at(&nowhere), at(&nowhere)])
        }),
        Attack::new("chroot", Root, |scene| {
            let place = c(&scene.workspace);
            call(libc::SYS_chroot, [at(&place)])
        }),
        Attack::new("unshare-user", Bare, |_| call(libc::SYS_unshare, [libc::CLONE_NEWUSER as usize])),
        Attack::new("unshare-others", Root, |_| {
            let others = [
                libc::CLONE_NEWNS,
                libc::CLONE_NEWNET,
                libc::CLONE_NEWPID,
                libc::CLONE_NEWIPC,
                libc::CLONE_NEWUTS,
                libc::CLONE_NEWCGROUP,
                0x80,
            ];
            any(others.map(|flag| call(libc::SYS_unshare, [flag as usize])))
        }),
        Attack::new("clone-user", Bare, |_| {
            let child = raw(libc::SYS_clone, [(libc::CLONE_NEWUSER | libc::SIGCHLD) as usize, 0, 0, 0, 0]).map_err(words)?;
            if child == 0 {
                std::process::exit(0);
            }
            Ok("made".to_owned())
        }),
        Attack::new("clone3-user", Bare, |_| {
            let mut arguments = [0_u64; 11];
            (arguments[0], arguments[4]) = (libc::CLONE_NEWUSER as u64, libc::SIGCHLD as u64);
            let child = raw(libc::SYS_clone3, [arguments.as_ptr() as usize, 88]).map_err(words)?;
            if child == 0 {
                std::process::exit(0);
            }
            Ok("made".to_owned())
        }),
        Attack::new("setns", Root, |_| {
            let parent = rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get());
            let process = raw(libc::SYS_pidfd_open, [parent as usize, 0]).map_err(words)?;
            any([libc::CLONE_NEWNET, libc::CLONE_NEWNS, libc::CLONE_NEWUTS].map(|kind| call(libc::SYS_setns, [process, kind as usize])))
        }),
        Attack::new("open-by-handle", Root, |scene| {
            let root = raw(libc::SYS_openat, [HERE, at(&c(&scene.workspace)), libc::O_RDONLY as usize, 0]).map_err(words)?;
            let file = raw(libc::SYS_open_by_handle_at, [root, scene.handle.as_ptr() as usize, libc::O_RDONLY as usize]).map_err(words)?;
            let mut bytes = [0_u8; 16];
            call(libc::SYS_read, [file, bytes.as_mut_ptr() as usize, bytes.len()])
        }),
        Attack::new("keys-added", Bare, |_| {
            let (kind, name) = (c("user"), c("krabba-escape"));
            refused(raw(libc::SYS_add_key, [at(&kind), at(&name), b"x".as_ptr() as usize, 1, -3_isize as usize]))
        }),
        Attack::new("keys-searched", Bare, |_| refused(raw(libc::SYS_keyctl, [0, -3_isize as usize, 1]))),
        Attack::new("keys-requested", Bare, |_| {
            let (kind, name) = (c("user"), c("krabba-no-such-key"));
            reaches(libc::SYS_request_key, [at(&kind), at(&name), 0, 0])
        }),
        Attack::new("bpf", Root, |_| reaches(libc::SYS_bpf, [0, [0_u64; 16].as_ptr() as usize, 128])),
        Attack::new("perf-events", Root, |_| reaches(libc::SYS_perf_event_open, [[0_u64; 16].as_ptr() as usize, 0, NONE, NONE, 0])),
        Attack::new("userfaultfd", Root, |_| reaches(libc::SYS_userfaultfd, [0])),
        Attack::new("fanotify", Root, |_| reaches(libc::SYS_fanotify_init, [0, 0])),
        Attack::new("kexec", Root, |_| {
            any([reaches(libc::SYS_kexec_load, [0, 0, 0, 0xffff]), reaches(libc::SYS_kexec_file_load, [NONE, NONE, 0, 0, 0xffff])])
        }),
        Attack::new("module-loaded", Root, |_| {
            let nothing = c("");
            any([reaches(libc::SYS_init_module, [0, 0, at(&nothing)]), reaches(libc::SYS_finit_module, [NONE, at(&nothing), 0])])
        }),
        Attack::new("module-removed", Root, |_| reaches(libc::SYS_delete_module, [at(&c("krabba_no_such_module")), 0])),
        Attack::new("reboot", Root, |_| reaches(libc::SYS_reboot, [0, 0, 0, 0])),
        Attack::new("clock-set", Root, |_| {
            any([
                reaches(libc::SYS_clock_settime, [0, [0_i64, -1].as_ptr() as usize]),
                reaches(libc::SYS_settimeofday, [[0_i64, -1].as_ptr() as usize, 0]),
            ])
        }),
        Attack::new("host-name", Root, |_| any([reaches(libc::SYS_sethostname, [0, NONE]), reaches(libc::SYS_setdomainname, [0, NONE])])),
        Attack::new("swap", Root, |_| {
            any([reaches(libc::SYS_swapon, [at(&c("/nowhere")), 0]), reaches(libc::SYS_swapoff, [at(&c("/nowhere"))])])
        }),
        Attack::new("accounting", Root, |_| reaches(libc::SYS_acct, [at(&c("/nowhere"))])),
        Attack::new("quota", Root, |_| reaches(libc::SYS_quotactl, [0x0080_0002_usize << 8, at(&c("/nowhere")), 0, 0])),
        Attack::new("kernel-log-by-call", Root, |_| reaches(libc::SYS_syslog, [3, [0_u8; 64].as_ptr() as usize, 64])),
        #[cfg(target_arch = "x86_64")]
        Attack::new("ports", Root, |_| any([reaches(libc::SYS_iopl, [3]), reaches(libc::SYS_ioperm, [0x80, 1, 1])])),
        #[cfg(target_arch = "x86_64")]
        Attack::new("descriptor-tables", Bare, |_| reaches(libc::SYS_modify_ldt, [0, [0_u8; 64].as_ptr() as usize, 64])),
        #[cfg(target_arch = "x86_64")]
        Attack::new("thirty-two-bit-calls", Bare, |_| thirty_two_bit()),
        #[cfg(target_arch = "x86_64")]
        Attack::new("x32-calls", Nothing, |_| call(0x4000_0000 | libc::SYS_mount, [0, 0, 0, 0, 0])),
        Attack::new("personality", Bare, |_| call(libc::SYS_personality, [0x0040_0000])),
        Attack::new("mounts-listed", Bare, |_| {
            let (wanted, mut found) = ([24_u64, u64::MAX, 0], [0_u64; 64]);
            refused(raw(458, [wanted.as_ptr() as usize, found.as_mut_ptr() as usize, found.len(), 0]))
        }),
        Attack::new("program-in-memory", Bare, |_| refused(raw(libc::SYS_memfd_create, [at(&c("x")), 0]))),
        Attack::new("secret-memory", Bare, |_| refused(raw(libc::SYS_memfd_secret, [0]))),
        Attack::new("terminal-typed-into", Root, |_| typed(libc::TIOCSTI as usize)).within(Setting::Terminal),
        Attack::new("terminal-typed-into-with-high-bits", Root, |_| typed(libc::TIOCSTI as usize | 1 << 32)).within(Setting::Terminal),
        Attack::new("console", Root, |_| any(["/dev/tty0", "/dev/console", "/dev/tty1"].map(opens))),
        Attack::new("terminals-of-others", Bare, |_| {
            let terminals = fs::read_dir("/dev/pts").map_err(words)?.flatten().map(|entry| entry.path().display().to_string());
            any(terminals.filter(|name| name != "/dev/pts/ptmx").map(|name| opens(&name)))
        }),
        Attack::new("terminal-line-discipline", Bare, |_| {
            let terminal = raw(libc::SYS_openat, [HERE, at(&c("/dev/ptmx")), libc::O_RDWR as usize, 0]).map_err(words)?;
            call(libc::SYS_ioctl, [terminal, libc::TIOCSETD as usize, [0_i32].as_ptr() as usize])
        }),
        Attack::new("devices-made", Root, |scene| {
            any([(libc::S_IFCHR, 0x0101), (libc::S_IFBLK, 0x0700), (libc::S_IFCHR, 0)].map(|(kind, number)| made(scene, kind, number)))
        }),
        Attack::new("disks", Root, |_| {
            any(["/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/loop0", "/dev/loop-control", "/dev/dm-0"].map(opens))
        }),
        Attack::new("dangerous-devices", Root, |_| {
            any(["/dev/kvm", "/dev/fuse", "/dev/net/tun", "/dev/vhost-vsock", "/dev/uinput", "/dev/btrfs-control"].map(opens))
        }),
        Attack::new("setuid-program", Bare, |scene| as_root(&scene.setuid)),
        Attack::new("users-set", Root, |_| {
            any([
                call(libc::SYS_setgroups, [1, [0_u32].as_ptr() as usize]).map(|_| "groups".to_owned()),
                call(libc::SYS_setresuid, [7, 7, 7]),
                call(libc::SYS_setfsuid, [7]).and_then(|_| {
                    if raw(libc::SYS_setfsuid, [7]).is_ok_and(|now| now == 7) { Ok("files".to_owned()) } else { Err("no".to_owned()) }
                }),
            ])
        }),
        Attack::new("rights-taken-back", Root, |_| rights()),
        Attack::new("privileges-on-again", Nothing, |_| {
            let _ = call(libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS as usize, 0, 0, 0, 0]);
            let on = raw(libc::SYS_prctl, [libc::PR_GET_NO_NEW_PRIVS as usize, 0, 0, 0, 0]).map_err(words)?;
            if on == 1 { Err("no new ones".to_owned()) } else { Ok("new ones may come".to_owned()) }
        }),
        Attack::new("descriptors-inherited", Bare, |_| {
            any((3..512).map(|descriptor| {
                let mut bytes = [0_u8; 16];
                call(libc::SYS_pread64, [descriptor, bytes.as_mut_ptr() as usize, bytes.len(), 0])
            }))
        }),
        Attack::new("environment-inherited", Bare, |_| std::env::var(crate::room::OURS).map_err(|_| "not there".to_owned())),
    ];

fn opens(place: &str) -> Got {
    fs::OpenOptions::new()
        .read(true)
        .open(place)
        .or_else(|_| fs::OpenOptions::new().write(true).open(place))
        .map(|_| format!("{place} opens"))
        .map_err(words)
}

fn made(scene: &Scene, kind: libc::mode_t, number: usize) -> Got {
    any([scene.workspace.join("open/device"), std::env::temp_dir().join("device")].map(|path| {
        let path = c(path);
        let done = call(libc::SYS_mknodat, [HERE, at(&path), (kind | 0o666) as usize, number])?;
        let _ = call(libc::SYS_unlinkat, [HERE, at(&path), 0]);
        Ok(done)
    }))
}

/// Types into a terminal of its own, as its session's.
fn typed(request: usize) -> Got {
    let (mut pair, mut number) = ([0_usize; 2], [0_i32]);
    pair[0] = raw(libc::SYS_openat, [HERE, at(&c("/dev/ptmx")), (libc::O_RDWR | libc::O_NOCTTY) as usize, 0]).map_err(words)?;
    call(libc::SYS_ioctl, [pair[0], libc::TIOCSPTLCK as usize, number.as_ptr() as usize])?;
    pair[1] = raw(libc::SYS_ioctl, [pair[0], libc::TIOCGPTPEER as usize, libc::O_RDWR as usize]).map_err(words)?;
    number[0] = i32::from(b'x');
    any(pair.map(|descriptor| call(libc::SYS_ioctl, [descriptor, request, number.as_ptr() as usize])))
}

/// A program of root's that everybody runs as root.
#[allow(clippy::disallowed_methods, reason = "the attacker waits for it")]
fn as_root(program: &Path) -> Got {
    let is_one = fs::metadata(program).is_ok_and(|metadata| metadata.permissions().mode() & 0o4000 != 0);
    if !is_one {
        return Err(format!("{}no such program", super::LACKS));
    }
    let output = std::process::Command::new(program).arg("-u").output().map_err(words)?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    // Where root's id is all that there is, it has to be without root's rights.
    if text == "0" && rustix::process::getuid().is_root() {
        rights()
    } else if text == "0" {
        Ok("root".to_owned())
    } else {
        Err(format!("user {text}"))
    }
}

/// Asks for everything, and looks at what came.
fn rights() -> Got {
    let (header, mut sets) = ([0x2008_0522_u32, 0], [0_u32; 6]);
    let all = [u32::MAX; 6];
    let _ = call(libc::SYS_capset, [header.as_ptr() as usize, all.as_ptr() as usize]);
    for capability in 0..41 {
        let _ = call(libc::SYS_prctl, [libc::PR_CAP_AMBIENT as usize, libc::PR_CAP_AMBIENT_RAISE as usize, capability, 0, 0]);
    }
    call(libc::SYS_capget, [header.as_ptr() as usize, sets.as_mut_ptr() as usize])?;
    if [sets[0], sets[1], sets[3], sets[4]] == [0; 4] { Err("none".to_owned()) } else { Ok(format!("{sets:x?}")) }
}

/// The other door to the kernel.
#[cfg(target_arch = "x86_64")]
fn thirty_two_bit() -> Got {
    let answer: i32;
    // SAFETY: Asks for the process's number by the 32-bit interface, which touches no memory. Where it is not there, the process
    // ends by a signal.
    unsafe { std::arch::asm!("int 0x80", inout("eax") 20 => answer, options(nostack)) };
    if answer > 0 { Ok(format!("process {answer}")) } else { Err(format!("{answer}")) }
}

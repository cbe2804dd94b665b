//! Ways out by `/proc` and `/sys`.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::Control::{Bare, Root};
use super::{Attack, Got, LACKS, Scene, any, read, words};
use crate::victim::{VALUE, VARIABLE};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack::new("environ-of-others", Bare, |_| others("environ", |content| content.contains(&format!("{VARIABLE}={VALUE}")))),
    Attack::new("command-line-of-others", Bare, |_| others("cmdline", |content| content.contains(crate::victim::VICTIM))),
    Attack::new("memory-of-others-read", Bare, |scene| {
        let file = fs::File::open(of_victim(scene, "mem")).map_err(words)?;
        let mut bytes = [0; 32];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, scene.victim.address as u64).map_err(words)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }),
    Attack::new("memory-of-others-written", Bare, |scene| {
        let file = OpenOptions::new().write(true).open(of_victim(scene, "mem")).map_err(words)?;
        std::os::unix::fs::FileExt::write_all_at(&file, b"owned", scene.victim.address as u64).map_err(words)?;
        Ok("written".to_owned())
    }),
    Attack::new("root-of-others", Bare, |scene| {
        through(scene, "root", |root| root.join(scene.key().strip_prefix("/").unwrap_or(Path::new("x"))))
    }),
    Attack::new("directory-of-others", Bare, |scene| through(scene, "cwd", |directory| directory.join("key"))),
    Attack::new("descriptors-of-others", Bare, |scene| through(scene, &format!("fd/{}", scene.victim.descriptor), Path::to_owned)),
    Attack::new("maps-of-others", Bare, |scene| read(of_victim(scene, "maps")).and_then(filled)),
    Attack::new("program-of-the-keeper-written", Root, |scene| {
        // The program that looks after the command is krabba itself; whoever can write it runs outside.
        let keeper = rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get());
        any([keeper, 1, scene.victim.pid].map(|pid| {
            let program = fs::File::open(format!("/proc/{pid}/exe")).map_err(words)?;
            let again = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&program));
            // Refused while it runs, for whoever may write it at all; then its directory is as good.
            match OpenOptions::new().write(true).open(again) {
                Err(error) if error.raw_os_error() != Some(libc::ETXTBSY) => Err(words(error)),
                _ => Ok("may be written".to_owned()),
            }
        }))
    }),
    Attack::new("root-of-the-keeper", Bare, |scene| {
        let keeper = rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get());
        let below = scene.key();
        let below = below.strip_prefix("/").unwrap_or(Path::new("x"));
        any([1, keeper].map(|pid| any(["root", "cwd"].map(|name| read(PathBuf::from(format!("/proc/{pid}/{name}")).join(below))))))
    }),
    Attack::new("memory-of-the-keeper", Bare, |_| {
        let keeper = rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get());
        any([1, keeper].map(|pid| opens(&format!("/proc/{pid}/mem"), OpenOptions::new().read(true).write(true))))
    }),
    Attack::new("environ-of-the-keeper", Bare, |_| {
        let keeper = rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get());
        any([1, keeper].map(|pid| read(format!("/proc/{pid}/environ")).and_then(filled)))
    }),
    Attack::new("sysrq", Root, |_| opens("/proc/sysrq-trigger", OpenOptions::new().write(true))),
    Attack::new("core-pattern", Root, |_| opens("/proc/sys/kernel/core_pattern", OpenOptions::new().write(true))),
    Attack::new("module-loader-path", Root, |_| opens("/proc/sys/kernel/modprobe", OpenOptions::new().write(true))),
    Attack::new("kernel-settings", Root, |_| written_below(Path::new("/proc/sys"))),
    Attack::new("binary-formats", Root, |_| {
        any(["/proc/sys/fs/binfmt_misc/register", "/proc/sys/kernel/usermodehelper/bset"]
            .map(|place| opens(place, OpenOptions::new().write(true))))
    }),
    Attack::new("kernel-memory", Root, |_| {
        any(["/proc/kcore", "/dev/mem", "/dev/port", "/dev/kmem"].map(|place| opens(place, OpenOptions::new().read(true))))
    }),
    Attack::new("kernel-symbols", Root, |_| {
        let symbols = read("/proc/kallsyms")?;
        let known = symbols.lines().any(|line| !line.starts_with("0000000000000000"));
        if known { Ok("addresses".to_owned()) } else { Err("zeroes".to_owned()) }
    }),
    Attack::new("kernel-log", Root, |_| any(["/proc/kmsg", "/dev/kmsg"].map(|place| opens(place, OpenOptions::new().read(true))))),
    Attack::new("keys-listed", Bare, |_| {
        read("/proc/keys").and_then(|keys| if keys.contains(crate::room::KEY_NAME) { Ok(keys) } else { Err("none of others".to_owned()) })
    }),
    Attack::new("sysfs-written", Root, |_| written_below(Path::new("/sys/kernel"))),
    Attack::new("control-groups", Root, |_| written_below(Path::new("/sys/fs/cgroup"))),
    Attack::new("tracing-and-debugging", Root, |_| {
        any(["/sys/kernel/tracing", "/sys/kernel/debug", "/sys/kernel/security", "/sys/firmware"]
            .map(|place| fs::read_dir(place).map_err(words).map(|_| "listed".to_owned())))
    }),
];

fn of_victim(scene: &Scene, name: &str) -> String {
    format!("/proc/{}/{name}", scene.victim.pid)
}

fn filled(content: String) -> Got {
    if content.is_empty() { Err("empty".to_owned()) } else { Ok(format!("{} bytes", content.len())) }
}

/// Looks through all processes that are to be seen.
fn others(name: &str, wanted: impl Fn(&str) -> bool) -> Got {
    let processes =
        fs::read_dir("/proc").map_err(words)?.flatten().filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    let mut last = "nobody's".to_owned();
    for process in processes {
        match read(process.path().join(name)) {
            Ok(content) if wanted(&content) => return Ok(content.replace('\0', " ")),
            Ok(_) => {}
            Err(why) => last = why,
        }
    }
    Err(last)
}

/// By the victim's own links, and by everybody else's that can be seen.
fn through(scene: &Scene, link: &str, place: impl Fn(&Path) -> PathBuf) -> Got {
    read(place(Path::new(&of_victim(scene, link))))
}

fn opens(place: &str, how: &OpenOptions) -> Got {
    let opened = how.open(place).and_then(|file| file.metadata());
    // The null device stands where nothing is to be seen.
    if opened.as_ref().is_ok_and(|metadata| std::os::unix::fs::MetadataExt::rdev(metadata) == 0x103) {
        return Err("nothing is there".to_owned());
    }
    opened.map(|_| format!("{place} opens")).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{LACKS}{error}"),
        _ => words(error),
    })
}

/// Opens for writing whatever lies there, and writes nothing.
fn written_below(root: &Path) -> Got {
    let mut places = vec![root.to_owned()];
    let mut last = Err("nothing there".to_owned());
    let mut looked_at = 0;
    while let Some(place) = places.pop() {
        let entries = match fs::read_dir(&place) {
            Ok(entries) => entries,
            Err(error) => {
                last = Err(words(error));
                continue;
            }
        };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            looked_at += 1;
            if looked_at > 3000 {
                return last;
            }
            if kind.is_dir() {
                places.push(entry.path());
            } else if kind.is_file() {
                last =
                    OpenOptions::new().write(true).open(entry.path()).map(|_| format!("{} opens", entry.path().display())).map_err(words);
                if last.is_ok() {
                    return last;
                }
            }
        }
    }
    last
}

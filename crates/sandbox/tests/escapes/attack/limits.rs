//! Ways of taking more than one's share.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use super::Control::{Bare, Loose, Root};
use super::{Attack, Got, Scene, Setting, TAKEN, call, raw, words};

const MIB: usize = 1 << 20;

/// Longer than it takes to be noticed, however busy the machine is.
const NOTICED: Duration = Duration::from_secs(6);

/// Says that everything was taken, and keeps it until that has to be noticed.
fn noticed(what: &str) -> Got {
    println!("{TAKEN}");
    std::thread::sleep(NOTICED);
    Ok(what.to_owned())
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack::new("fork-bomb", Loose, |_| crowd(300, 0)).within(Setting::Tight(|limits| limits.processes = 64)),
    Attack::new("thread-bomb", Loose, |_| {
        for number in 0..300 {
            let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(|| std::thread::sleep(2 * NOTICED));
            thread.map_err(|error| format!("{number}: {error}"))?;
        }
        noticed("300 threads")
    })
    .within(Setting::Tight(|limits| limits.processes = 64)),
    Attack::new("memory-of-one", Loose, |_| {
        memory(400, libc::MAP_PRIVATE)?;
        noticed("400 MiB")
    })
    .within(Setting::Tight(|limits| limits.memory_bytes = 192 * MIB as u64)),
    Attack::new("memory-of-many", Loose, |_| crowd(4, 100)).within(Setting::Tight(|limits| limits.memory_bytes = 192 * MIB as u64)),
    Attack::new("memory-shared", Loose, |_| {
        memory(400, libc::MAP_SHARED)?;
        noticed("400 MiB")
    })
    .within(Setting::Tight(|limits| limits.memory_bytes = 192 * MIB as u64)),
    Attack::new("temporary-files", Loose, |_| filled(&std::env::temp_dir(), 96))
        .within(Setting::Tight(|limits| (limits.scratch_bytes, limits.disk_bytes) = (32 * MIB as u64, 64 * MIB as u64))),
    Attack::new("shared-memory-files", Loose, |_| filled("/dev/shm".as_ref(), 96))
        .within(Setting::Tight(|limits| limits.scratch_bytes = 32 * MIB as u64)),
    Attack::new("disk", Loose, |scene| filled(&scene.workspace.join("open"), 256))
        .within(Setting::Tight(|limits| limits.disk_bytes = 64 * MIB as u64)),
    Attack::new("disk-reserved", Loose, |scene| {
        for number in 0..6 {
            let file = fs::File::create(scene.workspace.join(format!("open/reserved-{number}"))).map_err(words)?;
            call(libc::SYS_fallocate, [std::os::fd::AsRawFd::as_raw_fd(&file) as usize, 0, 0, 400 * MIB])?;
        }
        noticed("2400 MiB")
    })
    .within(Setting::Tight(|limits| limits.disk_bytes = 64 * MIB as u64)),
    Attack::new("names", Loose, |scene| {
        let place = scene.workspace.join("open/names");
        fs::create_dir_all(&place).map_err(words)?;
        for number in 0..8000 {
            fs::write(place.join(number.to_string()), "").map_err(words)?;
        }
        noticed("8000 files")
    })
    .within(Setting::Tight(|limits| limits.disk_bytes = 32 * MIB as u64)),
    Attack::new("file-size", Loose, |scene| {
        let mut file = fs::File::create(scene.workspace.join("open/long")).map_err(words)?;
        file.write_all(&vec![0; 8 * MIB]).map_err(words)?;
        Ok("8 MiB".to_owned())
    })
    .within(Setting::Tight(|limits| limits.file_bytes = MIB as u64)),
    Attack::new("open-files", Loose, |_| {
        let files: Vec<_> = (0..256).map_while(|_| fs::File::open("/dev/null").ok()).collect();
        if files.len() < 256 { Err(format!("{} files", files.len())) } else { Ok("256 files".to_owned()) }
    })
    .within(Setting::Tight(|limits| limits.open_files = 64)),
    Attack::new("processor-time", Loose, |_| {
        // In hundredths of a second, as the kernel counts them.
        let mut used = [0_i64; 4];
        while used[0] < 200 {
            (0..1 << 20).for_each(|_| std::hint::spin_loop());
            let _ = raw(libc::SYS_times, [used.as_mut_ptr() as usize]);
        }
        Ok("two seconds".to_owned())
    })
    .within(Setting::Tight(|limits| limits.cpu_seconds = 1)),
    Attack::new("time", Loose, |_| {
        std::thread::sleep(Duration::from_secs(2));
        Ok("two seconds".to_owned())
    })
    .within(Setting::Tight(|limits| limits.longest = Duration::from_millis(500))),
    Attack::new("output", Loose, |_| {
        let line = [b'x'; 4096];
        for _ in 0..256 {
            std::io::stdout().write_all(&line).map_err(words)?;
        }
        Err("seen from outside".to_owned())
    })
    .within(Setting::Tight(|limits| limits.output_bytes = 64 << 10)),
    Attack::new("limits-raised", Bare, |_| raised()),
    Attack::new("memory-locked", Root, |_| {
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
        let piece =
            raw(libc::SYS_mmap, [0, 128 * MIB, (libc::PROT_READ | libc::PROT_WRITE) as usize, flags, usize::MAX, 0]).map_err(words)?;
        call(libc::SYS_mlock, [piece, 128 * MIB])
    }),
];

/// Processes that each take some memory, in MiB, and stay.
fn crowd(count: usize, each: usize) -> Got {
    for number in 0..count {
        let child = raw(libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0, 0, 0]).map_err(|error| format!("{number}: {error}"))?;
        if child == 0 {
            let _ = memory(each.max(1), libc::MAP_PRIVATE);
            std::thread::sleep(2 * NOTICED);
            std::process::exit(0);
        }
    }
    noticed(&format!("{count} processes"))
}

/// All of it there at once.
fn memory(mib: usize, kind: i32) -> Got {
    let flags = (kind | libc::MAP_ANONYMOUS | libc::MAP_POPULATE) as usize;
    call(libc::SYS_mmap, [0, mib * MIB, (libc::PROT_READ | libc::PROT_WRITE) as usize, flags, usize::MAX, 0])
}

fn filled(place: &std::path::Path, mib: usize) -> Got {
    let piece = vec![1; MIB];
    for number in 0..mib {
        fs::write(place.join(format!("fill-{number}")), &piece).map_err(words)?;
    }
    noticed(&format!("{mib} MiB"))
}

/// Whether it measures what others have a share in too: two at once would not be told apart.
pub(crate) fn is_shared(attack: &Attack) -> bool {
    ["disk", "disk-reserved", "names", "temporary-files"].contains(&attack.name)
}

/// One more than is allowed; nothing is a limit where there is none.
fn raised() -> Got {
    super::any([libc::RLIMIT_FSIZE, libc::RLIMIT_CPU, libc::RLIMIT_DATA, libc::RLIMIT_CORE].map(|resource| {
        let mut now = [0_u64; 2];
        call(libc::SYS_prlimit64, [0, resource as usize, 0, now.as_mut_ptr() as usize])?;
        if now[1] == u64::MAX {
            return Ok("there is none".to_owned());
        }
        let more = [now[1] + 1, now[1] + 1];
        call(libc::SYS_prlimit64, [0, resource as usize, more.as_ptr() as usize, 0])
    }))
}

/// Where files go that nobody keeps.
pub(crate) fn clean(scene: &Scene) {
    for entry in fs::read_dir(scene.workspace.join("open")).into_iter().flatten().flatten() {
        let kept = ["stream", "notes", "below"].contains(&entry.file_name().to_string_lossy().as_ref());
        if !kept {
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }
}

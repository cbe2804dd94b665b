//! Ways out by being quicker than whoever looks.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Control::{Bare, Nothing};
use super::{Attack, Got, HERE, Setting, at, c, call, raw, words};

const WHILE: Duration = Duration::from_millis(400);

pub(crate) const ATTACKS: &[Attack] = &[
    Attack::new("directory-exchanged-for-a-link", Bare, |scene| {
        let (real, link) = (scene.workspace.join("open/race"), scene.workspace.join("open/race-link"));
        let _ = fs::create_dir(&real);
        std::os::unix::fs::symlink(&scene.outside, &link).map_err(words)?;
        raced(
            || exchange(&real, &link),
            || {
                let file = raw(libc::SYS_openat, [HERE, at(&c(real.join("raced"))), (libc::O_WRONLY | libc::O_CREAT) as usize, 0o644]);
                let _ = file.map(|file| call(libc::SYS_close, [file]));
            },
        )
    }),
    Attack::new("file-exchanged-for-a-link", Bare, |scene| {
        let (real, link) = (scene.own("raced-file"), scene.workspace.join("open/raced-link"));
        std::os::unix::fs::symlink(scene.file(), &link).map_err(words)?;
        raced(|| exchange(&real, &link), || drop(fs::write(&real, "evil")))
    }),
    Attack::new("steering-file-raced", Bare, |scene| {
        let (steering, other) = (scene.steering(), scene.own("raced-steering"));
        raced(
            || {
                exchange(&steering, &other);
                let _ = fs::rename(&other, &steering);
                let _ = fs::hard_link(&steering, &other);
            },
            || drop(fs::write(&steering, "evil")),
        )
    }),
    Attack::new("stand-ins-raced", Nothing, |scene| {
        let end = Instant::now() + 2 * WHILE;
        while Instant::now() < end {
            let _ = super::creating::each(scene, |path| {
                let _ = fs::write(path, "evil");
                let _ = std::os::unix::fs::symlink(&scene.outside, path);
                let _ = fs::create_dir(path.join("evil"));
                Err("the next".to_owned())
            });
        }
        Err("seen from outside".to_owned())
    })
    .within(Setting::Crowd),
];

fn exchange(one: &Path, other: &Path) {
    let _ = call(libc::SYS_renameat2, [HERE, at(&c(one)), HERE, at(&c(other)), 2]);
}

/// Both at once, for a while. What came of it is seen from outside.
fn raced(turn: impl Fn() + Sync, strike: impl Fn()) -> Got {
    let end = Instant::now() + WHILE;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while Instant::now() < end {
                turn();
            }
        });
        while Instant::now() < end {
            strike();
        }
    });
    Err("seen from outside".to_owned())
}

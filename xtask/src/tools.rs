//! Programs that the chores need, installed when they are missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cache, shell};

const CARGO_DENY_VERSION: &str = "0.20.2";
const CARGO_NEXTEST_VERSION: &str = "0.9.143";
const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// The path of `cargo-deny`, built from crates once.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    cargo_tool("cargo-deny", CARGO_DENY_VERSION)
}

/// The path of `cargo-fuzz`: the one on the PATH, else built from crates once.
pub(crate) fn cargo_fuzz() -> Result<PathBuf> {
    if shell::exists("cargo-fuzz") {
        return Ok(PathBuf::from("cargo-fuzz"));
    }
    cargo_tool("cargo-fuzz", CARGO_FUZZ_VERSION)
}

/// The path of `cargo-nextest`: the one on the PATH, else built from crates once.
pub(crate) fn cargo_nextest() -> Result<PathBuf> {
    if shell::exists("cargo-nextest") {
        return Ok(PathBuf::from("cargo-nextest"));
    }
    cargo_tool("cargo-nextest", CARGO_NEXTEST_VERSION)
}

/// Python 3 with `venv`, from the system.
pub(crate) fn python() -> Result<&'static str> {
    // Debian's Python comes without what a virtual environment is made of.
    let complete = || Command::new("python3").args(["-c", "import ensurepip, venv"]).output().is_ok_and(|run| run.status.success());
    system_program("python3", complete, &["python3", "python3-venv"])?;
    Ok("python3")
}

/// A C++ compiler, from the system.
pub(crate) fn cxx_compiler() -> Result<()> {
    system_program("c++", || shell::exists("c++"), &["g++"])
}

/// `bwrap`, which is a rung of the sandbox's ladder, from the system. No other is used than the one that stands there.
pub(crate) fn bubblewrap() -> Result<()> {
    system_program("/usr/bin/bwrap", || Path::new("/usr/bin/bwrap").exists(), &["bubblewrap"])
}

/// A virtual environment with the given packages; made once, and again when `packages` changes.
pub(crate) fn python_environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let path = cache::directory()?.join(name);
    let stamp = path.join("packages");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(path);
    }
    shell::say(&format!("installing from PyPI into {}: {}", path.display(), packages.join(" ")));
    shell::run_quietly(Command::new(python()?).args(["-m", "venv", "--clear"]).arg(&path))?;
    shell::run_quietly(Command::new(path.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check"]).args(packages))?;
    std::fs::write(&stamp, wanted)?;
    Ok(path)
}

/// A directory with the given packages from npm; made once.
pub(crate) fn npm_packages(name: &str, packages: &[String]) -> Result<PathBuf> {
    let path = cache::directory()?.join(name);
    let stamp = path.join("packages");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(path);
    }
    system_program("npm", || shell::exists("npm"), &["nodejs", "npm"])?;
    shell::say(&format!("installing from npm into {}: {}", path.display(), packages.join(" ")));
    std::fs::create_dir_all(&path)?;
    let flags = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
    shell::run_quietly(Command::new("npm").args(flags).arg(&path).args(packages))?;
    std::fs::write(&stamp, wanted)?;
    Ok(path)
}

/// Installs a cargo subcommand at an exact version into the cache.
fn cargo_tool(name: &str, version: &str) -> Result<PathBuf> {
    let root = cache::directory()?.join(format!("{name}-{version}"));
    let program = root.join("bin").join(name);
    if !program.exists() {
        shell::say(&format!("building {name} {version} once (a few minutes); it is kept in {}", root.display()));
        // A debug build: it runs for seconds, and optimising it would take minutes more.
        shell::run(
            Command::new("cargo").args(["install", "--quiet", "--locked", "--debug", name, "--version", version, "--root"]).arg(&root),
        )?;
        let _ = std::fs::remove_file(root.join(".crates2.json"));
    }
    Ok(program)
}

/// Makes sure that `program` is there, as `works` tells, by Debian's packages if need be.
fn system_program(program: &str, works: impl Fn() -> bool, packages: &[&str]) -> Result<()> {
    if works() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("the tests need {program}; please install {}", packages.join(" "));
    }
    shell::say(&format!("installing Debian packages: {}", packages.join(" ")));
    let install = || shell::run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(packages));
    // A fresh machine may not know yet what packages there are.
    let installed = install().or_else(|_| shell::run(apt_get().arg("update")).and_then(|()| install()));
    installed.with_context(|| format!("the tests need {program}; please install {}", packages.join(" ")))
}

fn apt_get() -> Command {
    if !shell::exists("sudo") {
        return Command::new("apt-get");
    }
    let mut command = Command::new("sudo");
    command.args(["--non-interactive", "apt-get"]);
    command
}

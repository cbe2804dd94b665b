//! The real servers that tests talk to.
//!
//! `llama-server` is built from the llama.cpp source inside the PyPI source package of `llama-cpp-python`; LiteLLM's
//! proxy is installed from PyPI, the official MCP servers from npm. Model files are written by `crates/testkit/models/make_tiny_gguf.py`, since no weights
//! are downloaded. Everything lands in the cache under a name that contains its version, so that a second run is quick
//! and a changed version builds anew. The test kit finds the same places by the same names.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cache, shell, tools};

const LLAMA_CPP_PYTHON: &str = "0.3.36";
const LITELLM: &str = "1.106.2";
const MCP_SERVERS: &str = "2026.8.31";

/// The MCP servers that its makers test clients with.
const MCP_PACKAGES: [&str; 2] = ["@modelcontextprotocol/server-everything", "@modelcontextprotocol/server-filesystem"];

/// A model file: its name in the cache and the maker's arguments.
const MODELS: [(&str, &[&str]); 8] = [
    ("scripted-8k.gguf", &["--preset", "tiny", "--scripted", "--context", "8192"]),
    ("scripted-64k.gguf", &["--preset", "tiny", "--scripted", "--context", "65536"]),
    ("scripted-small-window.gguf", &["--preset", "tiny", "--scripted", "--context", "1024"]),
    ("scripted-task.gguf", &["--preset", "tiny", "--scripted", "--context", "65536", "--calls", "crates/testkit/models/task.json"]),
    (
        "scripted-text-task.gguf",
        &["--preset", "tiny", "--scripted", "--context", "8192", "--calls", "crates/testkit/models/task.json", "--text-calls"],
    ),
    ("random-8k.gguf", &["--preset", "small", "--context", "8192"]),
    ("random-tiny-8k.gguf", &["--preset", "tiny", "--context", "8192"]),
    ("slow-to-load.gguf", &["--preset", "bench", "--scripted"]),
];

/// Makes sure that all of them are there.
pub(crate) fn prepare() -> Result<PathBuf> {
    let cache = cache::directory()?;
    llama_server(&cache)?;
    models(&cache)?;
    tools::npm_packages(&format!("mcp-servers-{MCP_SERVERS}"), &MCP_PACKAGES.map(|name| format!("{name}@{MCP_SERVERS}")))?;
    tools::python_environment(&format!("litellm-{LITELLM}"), &[&format!("litellm[proxy]=={LITELLM}")])?;
    Ok(cache)
}

fn llama_server(cache: &Path) -> Result<()> {
    let home = cache.join(format!("llama-server-{LLAMA_CPP_PYTHON}"));
    let program = home.join("llama-server");
    if program.exists() {
        return Ok(());
    }
    shell::say(&format!(
        "building llama-server from llama-cpp-python {LLAMA_CPP_PYTHON} once (about 10 minutes on 2 cores); it is kept in {}",
        home.display()
    ));
    tools::cxx_compiler()?;
    let environment = tools::python_environment("build-tools", &["cmake==4.4.4", "ninja==1.13.2"])?;
    let work = cache.join("llama-build");
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    std::fs::create_dir_all(&work)?;
    let source_package = format!("llama-cpp-python=={LLAMA_CPP_PYTHON}");
    shell::run_quietly(
        Command::new(environment.join("bin/pip"))
            .args(["download", "--quiet", "--no-deps", "--no-binary", "llama-cpp-python", &source_package, "--dest"])
            .arg(&work),
    )?;
    let archive = work.join(format!("llama_cpp_python-{LLAMA_CPP_PYTHON}.tar.gz"));
    shell::run_quietly(Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(&work))?;
    let source = work.join(format!("llama_cpp_python-{LLAMA_CPP_PYTHON}/vendor/llama.cpp"));
    if !source.join("CMakeLists.txt").exists() {
        bail!("{} holds no llama.cpp source", archive.display());
    }
    let build = work.join("build");
    let ninja = environment.join("bin/ninja");
    let options = [
        "-DCMAKE_BUILD_TYPE=Release",
        "-DBUILD_SHARED_LIBS=OFF",
        "-DLLAMA_CURL=OFF",
        "-DLLAMA_OPENSSL=OFF",
        // Its web page would be downloaded from elsewhere during the build.
        "-DLLAMA_USE_PREBUILT_UI=OFF",
        "-DLLAMA_BUILD_TESTS=OFF",
        "-DLLAMA_BUILD_EXAMPLES=OFF",
        // The cached program may be run on another machine than the one that built it.
        "-DGGML_NATIVE=OFF",
    ];
    shell::run_quietly(
        Command::new(environment.join("bin/cmake"))
            .args(["-G", "Ninja", "-S"])
            .arg(&source)
            .arg("-B")
            .arg(&build)
            .arg(format!("-DCMAKE_MAKE_PROGRAM={}", ninja.display()))
            .args(options),
    )?;
    shell::run(Command::new(&ninja).arg("-C").arg(&build).args(["--quiet", "llama-server"]))?;
    std::fs::create_dir_all(&home)?;
    std::fs::copy(build.join("bin/llama-server"), home.join("llama-server.part")).context("the build made no llama-server")?;
    std::fs::rename(home.join("llama-server.part"), &program)?;
    std::fs::remove_dir_all(&work)?;
    Ok(())
}

fn models(cache: &Path) -> Result<()> {
    let root = shell::repository_root()?;
    let maker = root.join("crates/testkit/models/make_tiny_gguf.py");
    let mut script = Vec::new();
    for file in [&maker, &root.join("crates/testkit/models/task.json")] {
        script.extend(std::fs::read(file).with_context(|| format!("could not read {}", file.display()))?);
    }
    let home = cache.join("models");
    std::fs::create_dir_all(&home)?;
    let stamp = home.join("made-by.py");
    let current = std::fs::read(&stamp).is_ok_and(|made_by| made_by == script);
    let environment = tools::python_environment("gguf", &["gguf==0.19.0", "numpy==2.4.6"])?;
    let missing: Vec<_> = MODELS.iter().filter(|(name, _)| !current || !home.join(name).exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    shell::say(&format!("making {} tiny model files in {}", missing.len(), home.display()));
    for (name, arguments) in missing {
        let part = home.join(format!("{name}.part"));
        shell::run_quietly(Command::new(environment.join("bin/python")).current_dir(&root).arg(&maker).arg(&part).args(*arguments))?;
        std::fs::rename(&part, home.join(name))?;
    }
    std::fs::write(&stamp, script)?;
    Ok(())
}

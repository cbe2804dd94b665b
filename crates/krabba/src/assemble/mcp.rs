//! From the configured MCP servers to what is needed to talk to them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use krabba_config::{Credential, Loaded, McpServer};
use krabba_mcp::{Clocks, Filter, ServerSettings, Transport};
use krabba_redact::Redactor;
use krabba_sandbox::{Reach, ServerCommand};

use super::providers::headers;

/// Places that no argument opens by being named; what of them a program needs, it sees anyway.
const SYSTEM: [&str; 9] = ["/usr", "/etc", "/proc", "/sys", "/dev", "/bin", "/sbin", "/lib", "/opt"];
/// The same, but not what lies in them.
const TOP: [&str; 5] = ["/", "/tmp", "/var", "/home", "/mnt"];

/// What lies beside a `bin` and belongs to its programs.
const BESIDE_BIN: [&str; 5] = ["lib", "lib64", "libexec", "include", "pyvenv.cfg"];
/// What stands at the root of a program that is several files.
const PROJECT: [&str; 2] = ["package.json", "pyproject.toml"];
/// What such programs begin with.
const SCRIPTS: [&str; 5] = ["js", "mjs", "cjs", "ts", "py"];

/// The servers that are switched on. What is secret about them becomes known to `redactor`.
pub(super) fn servers(loaded: &Loaded, redactor: &Redactor) -> Vec<ServerSettings> {
    let home = loaded.env.get("HOME").map(PathBuf::from).unwrap_or_default();
    let on = loaded.config.mcp.servers.iter().filter(|(_, server)| server.enabled != Some(false));
    on.filter_map(|(id, server)| {
        let secrets = server.headers.iter().chain(&server.env).filter(|(name, value)| is_secret(name, value));
        secrets.filter_map(|(_, value)| value.secret()).for_each(|secret| redactor.register(secret));
        let clocks = Clocks::default();
        let milliseconds = |given: Option<u64>, usual| given.map_or(usual, Duration::from_millis);
        Some(ServerSettings {
            id: id.to_owned(),
            transport: transport(server, &home)?,
            filter: Filter { include: server.tool_filter.include.clone(), exclude: server.tool_filter.exclude.clone() },
            critical: server.tools.iter().filter_map(|(name, tool)| Some((name.to_owned(), tool.critical.clone()?))).collect(),
            clocks: Clocks {
                connect: milliseconds(server.connection_timeout_ms, clocks.connect),
                call: milliseconds(server.request_timeout_ms, clocks.call),
            },
        })
    })
    .collect()
}

/// A value from elsewhere, or of a name that says so. Not every variable is one: `NODE_ENV=production` hides no word.
pub(crate) fn is_secret(name: &str, value: &Credential) -> bool {
    let referred = matches!(value, Credential::Given { source, .. } if source != "configuration");
    let name = name.to_lowercase();
    referred || ["key", "token", "secret", "pass", "auth", "cookie", "credential"].iter().any(|word| name.contains(word))
}

fn transport(server: &McpServer, home: &Path) -> Option<Transport> {
    match (&server.command, &server.url) {
        (Some(program), _) => Some(Transport::Program(command(program, server, home))),
        // An address that cannot be read was said to be one.
        (None, Some(url)) => Some(Transport::Http { url: url.parse().ok()?, headers: headers(&server.headers) }),
        (None, None) => None,
    }
}

fn command(program: &str, server: &McpServer, home: &Path) -> ServerCommand {
    let place = |text: &str| text.strip_prefix("~/").map_or_else(|| PathBuf::from(text), |rest| home.join(rest));
    let (program, directory) = (place(program), server.cwd.as_deref().map(place));
    let mut readable: Vec<PathBuf> = server.sandbox.read.iter().map(|path| place(path)).collect();
    let mut writable: Vec<PathBuf> = directory.iter().cloned().chain(server.sandbox.write.iter().map(|path| place(path))).collect();
    readable.extend(installation(&program));
    for path in server.args.iter().map(|argument| place(argument)) {
        if opens(&path, home) && path.is_dir() {
            writable.push(path);
        } else if opens(&path, home) && path.is_file() {
            readable.push(project(&path, home));
        }
    }
    readable.retain(|path| !writable.iter().any(|writable| path.starts_with(writable)));
    ServerCommand {
        program: program.to_string_lossy().into_owned(),
        arguments: server.args.iter().map(|argument| place(argument).to_string_lossy().into_owned()).collect(),
        environment: server.env.iter().filter_map(|(name, value)| Some((name.clone(), value.secret()?.expose().to_owned()))).collect(),
        directory,
        writable,
        readable,
        reach: match server.sandbox.hosts.as_slice() {
            [] => Reach::Nothing,
            hosts if hosts.iter().any(|host| host == "*") => Reach::Internet,
            hosts => Reach::Hosts(hosts.to_vec()),
        },
    }
}

/// Whether naming a place opens it. The home directory and what holds it need to be named in `sandbox`.
fn opens(path: &Path, home: &Path) -> bool {
    let within = SYSTEM.iter().any(|system| path.starts_with(system));
    path.is_absolute() && !within && !TOP.iter().any(|top| path == Path::new(top)) && !home.starts_with(path)
}

/// What belongs to a program that is named by its whole path: its directory, and what lies beside a `bin`; for what it is a link to as well.
fn installation(program: &Path) -> Vec<PathBuf> {
    let real = program.is_absolute().then(|| program.canonicalize().ok()).flatten();
    let mut places = Vec::new();
    for directory in real.iter().map(PathBuf::as_path).chain([program]).filter(|path| path.is_absolute()).filter_map(Path::parent) {
        places.push(directory.to_owned());
        if let Some(root) = directory.parent().filter(|_| directory.ends_with("bin")) {
            places.extend(BESIDE_BIN.iter().map(|name| root.join(name)).filter(|path| path.exists()));
        }
    }
    places
}

/// A file; or what a script is a part of.
fn project(file: &Path, home: &Path) -> PathBuf {
    if !file.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| SCRIPTS.contains(&ending)) {
        return file.to_owned();
    }
    let above = file.ancestors().skip(1).take_while(|directory| opens(directory, home));
    let root = above.clone().find(|directory| PROJECT.iter().any(|name| directory.join(name).exists()));
    root.or(above.clone().next()).map_or_else(|| file.to_owned(), Path::to_owned)
}

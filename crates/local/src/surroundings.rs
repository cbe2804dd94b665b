//! Where we run, as far as it matters for finding servers: inside a container the host's servers are not on loopback, and variables or
//! traces on the disk tell of servers on other ports.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::residency::HOST_ALIASES;

/// Where to look for servers besides loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether this is a container.
    pub container: Container,
    /// Hosts to look at besides loopback: the container's names for its host, and its default gateway.
    pub hosts: Vec<String>,
    /// Addresses that variables of the environment name (`OLLAMA_HOST`, `LMSTUDIO_HOST`, `LLAMA_ARG_PORT`, …).
    pub named: Vec<String>,
    /// Whether LM Studio is here at all, so that a person can be told to switch its server on.
    pub lm_studio: LmStudioTrace,
}

/// Whether we are in a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// Not as far as can be seen.
    None,
    /// Docker, Podman, Kubernetes or the like.
    Inside,
}

/// What can be seen of LM Studio without asking its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LmStudioTrace {
    /// Nothing.
    None,
    /// Its directory is there.
    Installed,
    /// Its window is open (or its background process runs).
    Running,
}

impl Surroundings {
    /// Loopback and nothing else.
    pub fn plain() -> Self {
        Self { container: Container::None, hosts: Vec::new(), named: Vec::new(), lm_studio: LmStudioTrace::None }
    }

    /// Looks around. `variable` reads the environment, which was taken once at the start.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        Self::detect_under(Path::new("/"), variable)
    }

    /// The same below another root directory.
    pub(crate) fn detect_under(root: &Path, variable: impl Fn(&str) -> Option<String>) -> Self {
        let container = container(root);
        let mut hosts = Vec::new();
        if container == Container::Inside {
            hosts.extend(HOST_ALIASES.iter().map(|alias| (*alias).to_owned()));
            let routes = fs::read_to_string(root.join("proc/net/route")).unwrap_or_default();
            // The bridge of a container engine has a private address; any other gateway is a stranger's router.
            hosts.extend(default_gateway(&routes).filter(Ipv4Addr::is_private).map(|gateway| gateway.to_string()));
        }
        let home = variable("HOME").or_else(|| variable("USERPROFILE")).map(PathBuf::from);
        Self { container, hosts, named: named_by(&variable), lm_studio: lm_studio(root, home.as_deref()) }
    }
}

fn container(root: &Path) -> Container {
    let marked = ["run/.containerenv", ".dockerenv"].iter().any(|file| root.join(file).exists());
    let groups = fs::read_to_string(root.join("proc/1/cgroup")).unwrap_or_default();
    let grouped = ["docker", "kubepods", "containerd", "libpod", "lxc"].iter().any(|name| groups.contains(name));
    if marked || grouped { Container::Inside } else { Container::None }
}

/// The default gateway in `/proc/net/route`: the line whose destination is zero, its address in hexadecimal with the lowest byte first.
pub(crate) fn default_gateway(routes: &str) -> Option<Ipv4Addr> {
    routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok()?;
        (destination == "00000000" && gateway != 0).then(|| Ipv4Addr::from(gateway.swap_bytes()))
    })
}

/// Addresses in variables that the servers or their clients use themselves.
fn named_by(variable: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    let given = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let mut named: Vec<String> = Vec::new();
    named.extend(given("OLLAMA_HOST").and_then(|host| address(&host, 11434)));
    for name in ["LMSTUDIO_HOST", "LM_STUDIO_HOST", "LMSTUDIO_BASE_URL", "LM_STUDIO_BASE_URL"] {
        named.extend(given(name).and_then(|host| address(&host, 1234)));
    }
    // llama-server reads its own options from `LLAMA_ARG_…`.
    let llama_host = given("LLAMA_ARG_HOST");
    match given("LLAMA_ARG_PORT").and_then(|port| port.parse::<u16>().ok()) {
        Some(port) => named.extend(address(llama_host.as_deref().unwrap_or("127.0.0.1"), port)),
        None => named.extend(llama_host.and_then(|host| address(&host, 8080))),
    }
    named
}

/// `host`, `host:port`, `:port`, a port alone, or a URL, as `OLLAMA_HOST` allows; addresses to listen on become addresses to connect to.
pub(crate) fn address(text: &str, usual_port: u16) -> Option<String> {
    let text = text.trim().trim_matches('"').trim_end_matches('/');
    if text.contains("://") {
        let url = krabba_net::base_urls(text).into_iter().next()?;
        let unsaid = url.port().is_none() && url.scheme() == "http";
        return Some(if unsaid { format!("http://{}:{usual_port}", url.host_str()?) } else { text.to_owned() });
    }
    if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
        return Some(format!("http://127.0.0.1:{port}"));
    }
    let has_port =
        text.rsplit_once(':').is_some_and(|(host, port)| port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']')));
    let bare_v6 = !has_port && text.matches(':').count() > 1 && !text.starts_with('[');
    let host = if bare_v6 { format!("[{text}]") } else { text.to_owned() };
    Some(if has_port { format!("http://{host}") } else { format!("http://{host}:{usual_port}") })
}

fn lm_studio(root: &Path, home: Option<&Path>) -> LmStudioTrace {
    if lm_studio_runs(&root.join("proc")) {
        return LmStudioTrace::Running;
    }
    let places = [".lmstudio", ".cache/lm-studio", ".config/LM Studio", "Library/Application Support/LM Studio"];
    let installed = home.is_some_and(|home| places.iter().any(|place| home.join(place).is_dir()));
    if installed { LmStudioTrace::Installed } else { LmStudioTrace::None }
}

/// Whether one of the running programs is LM Studio's, by the names in `/proc/*/comm`.
fn lm_studio_runs(processes: &Path) -> bool {
    let Ok(entries) = fs::read_dir(processes) else { return false };
    entries.flatten().filter(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit())).any(|entry| {
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default().to_lowercase();
        ["lm-studio", "lm studio", "lmstudio", "llmster"].iter().any(|known| name.starts_with(known))
    })
}

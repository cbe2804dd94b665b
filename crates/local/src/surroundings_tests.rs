use std::fs;
use std::net::Ipv4Addr;

use crate::surroundings::{address, default_gateway};
use crate::{Container, LmStudioTrace, Surroundings};

fn nothing(_: &str) -> Option<String> {
    None
}

#[test]
fn plain_machine_looks_at_loopback_alone() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(Surroundings::detect_under(root.path(), nothing), Surroundings::plain());
}

#[test]
fn container_looks_at_its_host() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(".dockerenv"), "").unwrap();
    fs::create_dir_all(root.path().join("proc/net")).unwrap();
    let routes =
        "Iface\tDestination\tGateway \tFlags\nlo\t0000007F\t00000000\t1\neth0\t00000000\t010011AC\t0003\neth0\t000011AC\t00000000\t0001\n";
    fs::write(root.path().join("proc/net/route"), routes).unwrap();
    let found = Surroundings::detect_under(root.path(), nothing);
    assert_eq!(found.container, Container::Inside);
    assert_eq!(found.hosts, ["host.docker.internal", "host.containers.internal", "172.17.0.1"]);
    assert_eq!(default_gateway(routes), Some(Ipv4Addr::new(172, 17, 0, 1)));
}

#[test]
fn container_without_marks_is_seen_by_its_cgroup() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("proc/1")).unwrap();
    fs::write(root.path().join("proc/1/cgroup"), "0::/kubepods/besteffort/pod1\n").unwrap();
    assert_eq!(Surroundings::detect_under(root.path(), nothing).container, Container::Inside);
}

#[test]
fn open_lm_studio_is_seen_while_its_server_is_off() {
    let root = tempfile::tempdir().unwrap();
    let home = root.path().join("home");
    fs::create_dir_all(home.join(".lmstudio")).unwrap();
    let variable = |name: &str| (name == "HOME").then(|| home.to_string_lossy().into_owned());
    assert_eq!(Surroundings::detect_under(root.path(), variable).lm_studio, LmStudioTrace::Installed);
    fs::create_dir_all(root.path().join("proc/4711")).unwrap();
    fs::write(root.path().join("proc/4711/comm"), "lm-studio\n").unwrap();
    assert_eq!(Surroundings::detect_under(root.path(), variable).lm_studio, LmStudioTrace::Running);
}

#[test]
fn listening_addresses_become_addresses_to_connect_to() {
    let cases = [
        ("127.0.0.1:11435", "http://127.0.0.1:11435"),
        ("0.0.0.0", "http://0.0.0.0:11434"),
        (":11435", "http://127.0.0.1:11435"),
        ("11435", "http://127.0.0.1:11435"),
        ("gpubox", "http://gpubox:11434"),
        ("http://gpubox", "http://gpubox:11434"),
        ("http://gpubox:9/v1/", "http://gpubox:9/v1"),
        ("https://ollama.example", "https://ollama.example"),
        ("::1", "http://[::1]:11434"),
        ("[::1]:7", "http://[::1]:7"),
    ];
    for (text, expected) in cases {
        assert_eq!(address(text, 11434).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn servers_on_other_ports_are_named_by_the_environment() {
    let root = tempfile::tempdir().unwrap();
    let variable = |name: &str| match name {
        "OLLAMA_HOST" => Some("0.0.0.0:9999".to_owned()),
        "LLAMA_ARG_PORT" => Some("9090".to_owned()),
        "LMSTUDIO_BASE_URL" => Some(" ".to_owned()),
        _ => None,
    };
    assert_eq!(Surroundings::detect_under(root.path(), variable).named, ["http://0.0.0.0:9999", "http://127.0.0.1:9090"]);
}

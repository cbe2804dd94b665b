use url::Url;

use crate::Reach::{self, Loopback, Private, Public};
use crate::reach;

#[test]
fn a_public_address_is_never_taken_for_home() {
    let hosts: [(&str, Reach); 22] = [
        ("localhost", Loopback),
        ("ollama.localhost", Loopback),
        ("127.0.0.1", Loopback),
        ("127.8.9.1", Loopback),
        ("[::1]", Loopback),
        ("0.0.0.0", Loopback),
        ("[::ffff:127.0.0.1]", Loopback),
        ("10.1.2.3", Private),
        ("172.16.0.1", Private),
        ("192.168.178.20", Private),
        ("169.254.1.1", Private),
        ("100.100.1.1", Private),
        ("[fd00::1]", Private),
        ("[fe80::1]", Private),
        ("gpubox", Private),
        ("gpubox.local", Private),
        ("host.docker.internal", Private),
        ("8.8.8.8", Public),
        ("172.32.0.1", Public),
        ("100.128.0.1", Public),
        ("[2001:db8::1]", Public),
        ("localhost.example.com", Public),
    ];
    for (host, expected) in hosts {
        assert_eq!(reach(&Url::parse(&format!("http://{host}:1234/v1")).unwrap()), expected, "{host}");
    }
}

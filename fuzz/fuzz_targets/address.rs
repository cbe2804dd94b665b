//! However an address is written, one that is near is not taken for one of the open internet.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use krabba_net::{Pages, Reach, Url, is_public, reach};
use libfuzzer_sys::fuzz_target;
use url::Host;

fuzz_target!(|data: &[u8]| {
    if let Some(octets) = data.first_chunk::<4>() {
        v4(Ipv4Addr::from(*octets));
    }
    if let Some(octets) = data.first_chunk::<16>() {
        address(IpAddr::V6(Ipv6Addr::from(*octets)));
    }
    let text = String::from_utf8_lossy(data);
    for written in [text.to_string(), format!("http://{text}"), format!("https://[{text}]/"), format!("http://a@{text}:80/?q")] {
        if let Ok(url) = Url::parse(&written) {
            judged(&url);
        }
    }
});

/// An IPv4 address is judged alike in each form that leads to it; those that hide it lead nowhere open.
fn v4(plain: Ipv4Addr) {
    let open = is_public(IpAddr::V4(plain));
    let [a, b, c, d] = plain.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    assert_eq!(is_public(IpAddr::V6(plain.to_ipv6_mapped())), open);
    assert_eq!(is_public(IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low))), open);
    assert!(!is_public(IpAddr::V6(plain.to_ipv6_compatible())));
    assert!(!is_public(IpAddr::V6(Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1))));
    address(IpAddr::V4(plain));
    // A browser reads a number, octal and hexadecimal as an address, too.
    let number = u32::from(plain);
    for written in [format!("{number}"), format!("{number:#x}"), format!("0{a:o}.{b}.{c}.{d}"), format!("{a:#x}.{b}.{}", u32::from(low))] {
        let url = Url::parse(&format!("http://{written}/")).expect("an address");
        assert_eq!(url.host(), Some(Host::Ipv4(plain)), "{written}");
        judged(&url);
    }
}

fn address(address: IpAddr) {
    let host = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    judged(&Url::parse(&format!("http://{host}/")).expect("an address"));
}

fn judged(url: &Url) {
    let open = Pages::new([]).check(url).is_ok();
    let (address, name) = match url.host() {
        Some(Host::Ipv4(address)) => (Some(IpAddr::V4(address)), None),
        Some(Host::Ipv6(address)) => (Some(IpAddr::V6(address)), None),
        Some(Host::Domain(name)) => (None, Some(name)),
        None => (None, None),
    };
    if let Some(address) = address {
        assert!(!open || is_public(address), "{url}");
        assert!(reach(url) == Reach::Public || !is_public(address), "{url}");
    }
    if let Some(name) = name {
        let name = name.trim_end_matches('.');
        let here = name == "localhost" || name.ends_with(".localhost") || !name.contains('.');
        assert!(!(open && here), "{url}");
    }
    assert!(!open || (matches!(url.scheme(), "http" | "https") && url.host().is_some()), "{url}");
}

//! Which addresses belong to the open internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` is one of the open internet. Everything that could be this machine, its network, a cloud's metadata service
/// or a group of machines is not, in whatever form it is written; nor is what the registries of IANA hold back for special
/// purposes (RFC 6890 and its successors).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        // "This network", and multicast with everything above it.
        || a == 0
        || a >= 224
        // Carrier NAT, protocol assignments, the retired 6to4 relays, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return v4(mapped);
    }
    let [first, second, third, ..] = address.segments();
    // NAT64's well-known prefix leads to the IPv4 address in its last four bytes.
    if (first, second, third) == (0x64, 0xff9b, 0) {
        let [.., a, b, c, d] = address.octets();
        return address.segments()[3..6] == [0, 0, 0] && v4(Ipv4Addr::new(a, b, c, d));
    }
    // Only 2000::/3 is given out; in it Teredo and other protocols, documentation, and 6to4, which hides an IPv4 address.
    let special = (first == 0x2001 && (second < 0x200 || second == 0xdb8)) || first == 0x2002 || (first, second >> 12) == (0x3fff, 0);
    first & 0xe000 == 0x2000 && !special
}

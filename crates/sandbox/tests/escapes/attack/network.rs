//! Ways out by a network, or by anything that is like one.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use super::Control::{Bare, Nothing, Root};
use super::{Attack, Got, Scene, any, c, call, raw, reaches};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack::new("tcp", Bare, |scene| connect(libc::AF_INET, libc::SOCK_STREAM, 0, &v4(Ipv4Addr::LOCALHOST, scene.ports.tcp4))),
    Attack::new("tcp-ipv6", Bare, |scene| connect(libc::AF_INET6, libc::SOCK_STREAM, 0, &v6(scene.ports.tcp6))),
    Attack::new("tcp-mapped-address", Bare, |scene| {
        let mut address = v6(scene.ports.tcp4);
        address[8..24].copy_from_slice(&Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets());
        connect(libc::AF_INET6, libc::SOCK_STREAM, 0, &address)
    }),
    Attack::new("tcp-fast-open", Bare, |scene| {
        send(libc::AF_INET, libc::SOCK_STREAM, &v4(Ipv4Addr::LOCALHOST, scene.ports.tcp4), libc::MSG_FASTOPEN)
    }),
    Attack::new("multipath-tcp", Bare, |scene| {
        connect(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP, &v4(Ipv4Addr::LOCALHOST, scene.ports.tcp4))
    }),
    Attack::new("udp", Bare, |scene| send(libc::AF_INET, libc::SOCK_DGRAM, &v4(Ipv4Addr::LOCALHOST, scene.ports.udp4), 0)),
    Attack::new("udp-ipv6", Bare, |scene| send(libc::AF_INET6, libc::SOCK_DGRAM, &v6(scene.ports.udp6), 0)),
    Attack::new("udp-connected", Bare, |scene| connect(libc::AF_INET, libc::SOCK_DGRAM, 0, &v4(Ipv4Addr::LOCALHOST, scene.ports.udp4))),
    Attack::new("dns-query", Bare, dns),
    Attack::new("dns-resolver", Nothing, |_| {
        // A name that the C library would ask the machine's name server for.
        std::net::ToSocketAddrs::to_socket_addrs("sesame.krabba.example:80").map(|_| "resolved".to_owned()).map_err(super::words)
    }),
    Attack::new("icmp-raw", Root, |_| socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)),
    Attack::new("ip-raw", Root, |_| socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)),
    Attack::new("icmp-ping", Nothing, |_| {
        let echo = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
        let descriptor = raw(libc::SYS_socket, [libc::AF_INET as usize, libc::SOCK_DGRAM as usize, libc::IPPROTO_ICMP as usize])
            .map_err(super::words)?;
        let address = v4(Ipv4Addr::LOCALHOST, 0);
        let _ = call(libc::SYS_sendto, [descriptor, echo.as_ptr() as usize, echo.len(), 0, address.as_ptr() as usize, address.len()])?;
        let mut answer = [0; 64];
        call(libc::SYS_recvfrom, [descriptor, answer.as_mut_ptr() as usize, answer.len(), libc::MSG_DONTWAIT as usize])
    }),
    Attack::new("packet-socket", Root, |_| socket(libc::AF_PACKET, libc::SOCK_RAW, 0x0300)),
    Attack::new("netlink-route", Bare, |_| socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)),
    Attack::new("netlink-netfilter", Bare, |_| socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)),
    Attack::new("netlink-uevent", Bare, |_| socket(libc::AF_NETLINK, libc::SOCK_DGRAM, libc::NETLINK_KOBJECT_UEVENT)),
    Attack::new("vsock", Bare, |_| socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)),
    Attack::new("other-socket-families", Bare, families),
    Attack::new("unix-socket", Bare, |scene| connect(libc::AF_UNIX, libc::SOCK_STREAM, 0, &unix(&scene.outside.join("stream")))),
    Attack::new("unix-socket-in-the-workspace", Bare, |scene| {
        connect(libc::AF_UNIX, libc::SOCK_STREAM, 0, &unix(&scene.workspace.join("open/stream")))
    }),
    Attack::new("unix-datagram", Bare, |scene| send(libc::AF_UNIX, libc::SOCK_DGRAM, &unix(&scene.outside.join("datagram")), 0)),
    Attack::new("unix-abstract", Bare, |scene| connect(libc::AF_UNIX, libc::SOCK_STREAM, 0, &abstracted(&scene.abstract_name))),
    Attack::new("socket-pair-turned-round", Bare, turned),
    Attack::new("io-uring", Bare, |_| {
        let parameters = [0_u8; 120];
        reaches(libc::SYS_io_uring_setup, [8, parameters.as_ptr() as usize])
    }),
    Attack::new("configuring-the-network", Root, |_| {
        let descriptor = raw(libc::SYS_socket, [libc::AF_INET as usize, libc::SOCK_DGRAM as usize, 0]).map_err(super::words)?;
        // An interface that is not there: who may not is told so first.
        let mut request = [0_u8; 40];
        request[..4].copy_from_slice(b"none");
        reaches(libc::SYS_ioctl, [descriptor, libc::SIOCSIFFLAGS as usize, request.as_ptr() as usize])
    }),
    Attack::new("listening-for-others", Bare, |scene| {
        let listener = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, scene.ports.called)).map_err(super::words)?;
        listener.set_nonblocking(true).map_err(super::words)?;
        std::thread::sleep(Duration::from_millis(400));
        listener.accept().map(|_| "somebody came".to_owned()).map_err(super::words)
    }),
];

fn socket(family: i32, kind: i32, protocol: i32) -> Got {
    super::refused(raw(libc::SYS_socket, [family as usize, kind as usize, protocol as usize]))
}

fn connect(family: i32, kind: i32, protocol: i32, address: &[u8]) -> Got {
    let descriptor = super::refused(raw(libc::SYS_socket, [family as usize, kind as usize, protocol as usize]))?;
    let descriptor: usize = descriptor.parse().map_err(|_| "no number".to_owned())?;
    call(libc::SYS_connect, [descriptor, address.as_ptr() as usize, address.len()])?;
    let sent = call(libc::SYS_write, [descriptor, b"sesame".as_ptr() as usize, 6])?;
    if kind == libc::SOCK_DGRAM { Err(SENT.to_owned()) } else { Ok(sent) }
}

/// Into an empty network something may well be sent.
const SENT: &str = "seen from outside";

fn send(family: i32, kind: i32, address: &[u8], flags: i32) -> Got {
    let descriptor = raw(libc::SYS_socket, [family as usize, kind as usize, 0]).map_err(super::words)?;
    let sent =
        call(libc::SYS_sendto, [descriptor, b"sesame".as_ptr() as usize, 6, flags as usize, address.as_ptr() as usize, address.len()])?;
    Err(format!("{SENT} ({sent})"))
}

fn v4(address: Ipv4Addr, port: u16) -> Vec<u8> {
    [&family(libc::AF_INET), &port.to_be_bytes()[..], &address.octets(), &[0; 8]].concat()
}

fn v6(port: u16) -> Vec<u8> {
    let loopback = std::net::Ipv6Addr::LOCALHOST.octets();
    [&family(libc::AF_INET6), &port.to_be_bytes()[..], &[0; 4], &loopback, &[0; 4]].concat()
}

fn unix(path: &Path) -> Vec<u8> {
    [&family(libc::AF_UNIX)[..], c(path).as_bytes_with_nul()].concat()
}

fn abstracted(name: &str) -> Vec<u8> {
    [&family(libc::AF_UNIX)[..], &[0], name.as_bytes()].concat()
}

fn family(family: i32) -> [u8; 2] {
    u16::try_from(family).unwrap_or_default().to_ne_bytes()
}

/// What is known goes out as part of a name.
fn dns(scene: &Scene) -> Got {
    let mut query = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in ["sesame", "krabba", "example"] {
        query.push(u8::try_from(label.len()).unwrap_or_default());
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 16, 0, 1]);
    let descriptor = raw(libc::SYS_socket, [libc::AF_INET as usize, libc::SOCK_DGRAM as usize, 0]).map_err(super::words)?;
    let address = v4(Ipv4Addr::LOCALHOST, scene.ports.udp4);
    let sent = call(libc::SYS_sendto, [descriptor, query.as_ptr() as usize, query.len(), 0, address.as_ptr() as usize, address.len()])?;
    Err(format!("{SENT} ({sent})"))
}

fn families(_: &Scene) -> Got {
    let others = (0..=46).filter(|family| ![libc::AF_INET, libc::AF_INET6, libc::AF_UNIX, libc::AF_NETLINK].contains(family));
    any(others.flat_map(|family| (1..=5).map(move |kind| socket(family, kind, 0).map(|_| format!("family {family}, kind {kind}")))))
}

/// A pair needs no address, but one of its ends may be given one.
fn turned(scene: &Scene) -> Got {
    let turned = any([libc::SOCK_DGRAM, libc::SOCK_STREAM, libc::SOCK_SEQPACKET].map(|kind| {
        let mut pair = [0_i32; 2];
        call(libc::SYS_socketpair, [libc::AF_UNIX as usize, kind as usize, 0, pair.as_mut_ptr() as usize])?;
        any(["datagram", "stream"].map(|name| {
            let address = unix(&scene.outside.join(name));
            let descriptor = pair[0] as usize;
            let (there, back) = ([descriptor, address.as_ptr() as usize, address.len()], b"sesame".as_ptr() as usize);
            let connected = call(libc::SYS_connect, there).and_then(|_| call(libc::SYS_write, [descriptor, back, 6]));
            connected.or_else(|_| call(libc::SYS_sendto, [descriptor, back, 6, 0, there[1], there[2]]))
        }))
    }));
    // With an address or without, most of them send to the other end.
    Err(format!("{SENT} ({turned:?})"))
}

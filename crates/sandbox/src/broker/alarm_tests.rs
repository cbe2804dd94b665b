use std::io::Read as _;
use std::os::unix::net::UnixStream;

use krabba_guard::Decoys;

use super::Alarm;
use super::alarm::Watch;

#[test]
fn decoy_in_two_pieces_rings_too() {
    let decoys = Decoys::of("seed");
    let decoy = &decoys.named()[0].1;
    for at in 0..=decoy.len() {
        let (ours, mut launcher) = UnixStream::pair().unwrap();
        let alarm = Alarm::new(decoys.clone(), ours.into());
        let mut watch = Watch::new(&alarm);
        assert!(watch.passes(&[0; 20_000]) && !alarm.rang());
        let (first, second) = decoy.as_bytes().split_at(at);
        assert!(!(watch.passes(first) && watch.passes(second)), "split at {at}");
        assert!(alarm.rang());
        assert_eq!(launcher.read(&mut [0; 1]).unwrap(), 0, "its side is still open");
    }
}

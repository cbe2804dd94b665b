use std::fs;

use crate::machine::total_memory;
use crate::{Machine, ServerModel};

#[test]
fn memory_and_cards_are_read_without_starting_a_program() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("proc/meminfo", "MemTotal:       32653456 kB\nMemFree:  1 kB\n");
    write("sys/class/drm/card0/device/mem_info_vram_total", "17163091968\n");
    write("sys/class/drm/card0-HDMI-A-1/device/mem_info_vram_total", "17163091968\n");
    write("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA GeForce RTX 3090\nIRQ: 1\n");
    let expected = Machine {
        memory_bytes: Some(32_653_456 * 1024),
        video_bytes: Some(17_163_091_968),
        card: Some("NVIDIA GeForce RTX 3090".to_owned()),
    };
    assert_eq!(Machine::detect_under(root.path()), expected);
}

#[test]
fn machine_that_tells_nothing_is_not_taken_for_a_small_one() {
    let empty = tempfile::tempdir().unwrap();
    let machine = Machine::detect_under(empty.path());
    assert_eq!((machine.clone(), machine.fits(&ServerModel::new("qwen3-8b-q4_k_m"))), (Machine::default(), None));
    assert_eq!(total_memory("garbage"), None);
}

#[test]
fn model_that_leaves_no_room_for_the_system_does_not_fit() {
    let machine = Machine { memory_bytes: Some(16_000_000_000), video_bytes: None, card: None };
    let fits = |bytes: u64| {
        let mut model = ServerModel::new("m");
        model.weights.size_bytes = Some(bytes);
        machine.fits(&model)
    };
    assert_eq!((fits(5_000_000_000), fits(15_000_000_000)), (Some(true), Some(false)));
    assert_eq!(machine.fits(&ServerModel::new("qwen3-70b-q4_k_m")), Some(false), "size from parameters and bits");
    assert_eq!(machine.fits(&ServerModel::new("m")), None, "size unknown");
}

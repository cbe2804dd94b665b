//! For the tests of other crates, whose `main` belongs to the test harness.

#![allow(unsafe_code, reason = "a function that runs before main has to be placed by the linker")]

extern "C" fn play() {
    if let Some(code) = crate::launcher_main() {
        std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
    }
}

/// Called by the C library before `main`, when standard library and arguments are ready on the systems that this runs on.
// SAFETY: The section holds pointers to functions that are called without arguments that matter.
#[used]
#[unsafe(link_section = ".init_array")]
static PLAY: extern "C" fn() = play;

/// Keeps the linker from leaving this file out.
pub(crate) fn keep() {
    std::hint::black_box(&PLAY);
}

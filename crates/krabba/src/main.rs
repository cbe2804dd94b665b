//! A private AI agent that lives on your own machine.

fn main() {}

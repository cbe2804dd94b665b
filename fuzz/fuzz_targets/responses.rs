//! OpenAI Responses, whatever a server sends in place of it.
#![no_main]

use krabba_types::Dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| krabba_fuzz::decode(Dialect::OpenAiResponses, data));

//! Scripted model servers for tests: every quirk of every server, from small text files.

//! One SQLite file: sessions, events, facts, usage, leases.

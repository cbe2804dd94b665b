//! The model servers in reach: discover, probe without waking, load and keep, start and stop on demand.

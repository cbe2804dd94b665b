//! The user's configuration file: JSON5 with includes and variables, merged with provenance, checked with line and column, edited with comments kept.

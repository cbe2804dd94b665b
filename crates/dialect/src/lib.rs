//! The four model wire formats, pure, in both directions.

//! The turn loop: one lane per session, cancellation, resume.

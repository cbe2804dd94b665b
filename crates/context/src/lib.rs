//! The prompt for given facts: fragments, stable prefix, budget, history repair, the deterministic cut.

//! Which model answers: catalogue, references, residency, order, clocks, breaker, queue, failover.

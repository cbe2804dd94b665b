//! HTTP client factory, SSE and NDJSON framing, egress guard, backoff, redaction.

-- Where the audit ends, so that an end that was cut off is seen.
CREATE TABLE audit_end (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    seq         INTEGER NOT NULL,
    hash        TEXT NOT NULL
) STRICT;

INSERT INTO audit_end (one, seq, hash) SELECT 1, seq, hash FROM audit ORDER BY seq DESC LIMIT 1;

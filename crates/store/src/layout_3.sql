-- What MCP servers offer: what the owner knows of it, and what waits for their word. A row without a tool says that a server is known.
CREATE TABLE mcp_tool (
    server      TEXT NOT NULL,
    tool        TEXT NOT NULL,
    approved    TEXT,
    waiting     TEXT,
    told        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (server, tool)
) STRICT, WITHOUT ROWID;

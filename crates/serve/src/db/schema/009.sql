-- Peers that an administrator allowed on the operations page, beside those of the configuration.
ALTER TABLE refusal ADD COLUMN is_allowable BIGINT NOT NULL DEFAULT 0;
CREATE TABLE allowed_peer (
    id {id},
    ae_title TEXT NOT NULL,
    address TEXT NOT NULL,
    allowed_at BIGINT NOT NULL,
    allowed_by TEXT NOT NULL,
    UNIQUE (ae_title, address)
);

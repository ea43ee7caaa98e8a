-- How often a process ended while it had a row in hand, without saying what became of it: after some times it is a person's to look at.
ALTER TABLE job ADD COLUMN lost BIGINT NOT NULL DEFAULT 0;
ALTER TABLE send ADD COLUMN lost BIGINT NOT NULL DEFAULT 0;
ALTER TABLE commitment ADD COLUMN lost BIGINT NOT NULL DEFAULT 0;

-- SHA-256 of the data set alone: the file meta information before it is another one with each way that an object comes. Empty where an
-- earlier version received it.
ALTER TABLE instance ADD COLUMN data_sha256 TEXT NOT NULL DEFAULT '';
ALTER TABLE conflict ADD COLUMN data_sha256 TEXT NOT NULL DEFAULT '';
-- The node on whose disk it lies; empty where an earlier version received it.
ALTER TABLE conflict ADD COLUMN home TEXT NOT NULL DEFAULT '';

-- Files whose rows were removed: each is removed by the node that has it, and one with an empty home from the bucket.
CREATE TABLE leftover (
    sha256 TEXT NOT NULL,
    home TEXT NOT NULL,
    PRIMARY KEY (sha256, home)
);

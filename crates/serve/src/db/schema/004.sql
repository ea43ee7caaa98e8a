-- What the worklist is ordered by stands in the film's own row, so that one index has the order and what is counted and filtered.
ALTER TABLE instance ADD COLUMN is_positive BIGINT NOT NULL DEFAULT 0;
UPDATE instance SET is_positive = 1 WHERE id IN (SELECT film_id FROM reading WHERE is_positive = 1);
DROP INDEX reading_positive;
ALTER TABLE reading DROP COLUMN is_positive;

DROP INDEX instance_state;
CREATE INDEX instance_state ON instance (state) WHERE kind = 'film';
CREATE INDEX instance_worklist ON instance (is_positive, received_at, id, state) WHERE kind = 'film';

-- What a physician says to a film's result. A row is never changed but for `undone_at` (0: it stands).
CREATE TABLE review (
    id {id},
    film_id BIGINT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    -- `agree`, `disagree`, `unsure`.
    verdict TEXT NOT NULL,
    note TEXT NOT NULL,
    -- A place on the film, in its pixels; -1 where none is marked.
    mark_x BIGINT NOT NULL,
    mark_y BIGINT NOT NULL,
    reviewer TEXT NOT NULL,
    at BIGINT NOT NULL,
    undone_at BIGINT NOT NULL
);
CREATE INDEX review_film ON review (film_id, id);

-- The worklist: positive films first, the counts of states.
CREATE INDEX reading_positive ON reading (is_positive, film_id);
CREATE INDEX instance_state ON instance (kind, state);

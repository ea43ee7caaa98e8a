-- Reader studies. An answer is added once and never changed; a reader's link is kept as its hash.
CREATE TABLE study (
    id {id},
    name TEXT NOT NULL,
    design TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    locked_at BIGINT NOT NULL,
    seal TEXT NOT NULL
);
CREATE TABLE study_film (
    study_id BIGINT NOT NULL REFERENCES study (id),
    is_practice BIGINT NOT NULL,
    place BIGINT NOT NULL,
    film_id BIGINT NOT NULL,
    PRIMARY KEY (study_id, is_practice, place)
);
CREATE INDEX study_film_film ON study_film (film_id);
CREATE TABLE study_reader (
    id {id},
    study_id BIGINT NOT NULL REFERENCES study (id),
    place BIGINT NOT NULL,
    link TEXT NOT NULL UNIQUE,
    person_id BIGINT NOT NULL,
    specialty TEXT NOT NULL,
    grade TEXT NOT NULL,
    years BIGINT NOT NULL,
    joined_at BIGINT NOT NULL,
    UNIQUE (study_id, place)
);
CREATE INDEX study_reader_person ON study_reader (person_id);
CREATE TABLE study_answer (
    id {id},
    reader_id BIGINT NOT NULL REFERENCES study_reader (id),
    item BIGINT NOT NULL,
    film BIGINT NOT NULL,
    is_practice BIGINT NOT NULL,
    arm TEXT NOT NULL,
    rating BIGINT NOT NULL,
    mark_x BIGINT NOT NULL,
    mark_y BIGINT NOT NULL,
    milliseconds BIGINT NOT NULL,
    at BIGINT NOT NULL,
    UNIQUE (reader_id, item),
    UNIQUE (reader_id, is_practice, film, arm)
);
{append_only:study_answer}

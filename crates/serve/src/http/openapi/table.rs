//! What each route of the interfaces is for, what it takes and what it answers.

/// A route.
pub(super) struct Described {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: &'static [Query],
    /// The media type of the body, and what it is.
    pub(super) body: Option<(&'static str, &'static str)>,
    pub(super) answers: &'static [Answer],
}

/// A parameter of a query.
pub(super) struct Query {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) words: &'static str,
}

/// What a parameter may be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Uid,
    /// UIDs with commas between; none is any.
    Uids,
    /// `YYYYMMDD`, or two with a hyphen between, either of which may be missing.
    Dates,
    /// Numbers from 1 with commas between.
    Frames,
    Flag,
    /// Eight hexadecimal digits each, with commas between, or `all`. Keywords are taken too.
    Tags,
    /// From 0 to a largest.
    Number(i64),
    /// FHIR's prefix `ge` before a moment.
    Since,
    /// RFC 3339, or microseconds since 1970.
    Moment,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) words: &'static str,
    pub(super) shape: Shape,
}

/// What an answer's body is.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Text,
    /// A JSON object a line.
    Lines,
    /// A schema of the document.
    Named(&'static str),
    /// An object of a media type.
    Json(&'static str),
    /// A list of objects of a media type.
    List(&'static str),
    Bytes(&'static str),
    /// As the interface has its errors.
    Error,
}

const fn answer(status: u16, words: &'static str, shape: Shape) -> Answer {
    Answer { status, words, shape }
}

const fn query(name: &'static str, kind: Kind, words: &'static str) -> Query {
    Query { name, kind, words }
}

/// A route that takes a `GET` request.
const fn get(
    path: &'static str,
    summary: &'static str,
    query: &'static [Query],
    answers: &'static [Answer],
) -> Described {
    Described { method: "GET", path, summary, query, body: None, answers }
}

/// A route that takes a `POST` request.
const fn post(
    path: &'static str,
    summary: &'static str,
    body: Option<(&'static str, &'static str)>,
    answers: &'static [Answer],
) -> Described {
    Described { method: "POST", path, summary, query: &[], body, answers }
}

/// Answers of every route that needs a token.
pub(super) const REFUSED: &[Answer] = &[
    answer(401, "No token, or one that is not valid.", Shape::Error),
    answer(403, "The token or role does not allow it.", Shape::Error),
];

/// Answers of every route.
pub(super) const ALWAYS: &[Answer] = &[
    answer(408, "The request took too long.", Shape::Text),
    answer(503, "The database, the disk or the store of films does not answer now.", Shape::Error),
];

const DICOM_JSON: Shape = Shape::List("application/dicom+json");
const OBJECTS: Shape = Shape::Bytes("multipart/related");
const BAD: Answer = answer(400, "A parameter that cannot be.", Shape::Error);
const MISSING: Answer = answer(404, "There is no such object.", Shape::Error);
const NOT_ACCEPTABLE: Answer = answer(406, "No media type that is accepted is offered.", Shape::Error);
const UNREADABLE: Answer = answer(422, "The object's pixels cannot be decoded.", Shape::Error);

const SEARCH: &[Query] = &[
    query("PatientID", Kind::Text, "Matches with `*` and `?`."),
    query("PatientName", Kind::Text, "Matches with `*` and `?`."),
    query("AccessionNumber", Kind::Text, "Matches with `*` and `?`."),
    query("StudyID", Kind::Text, "Matches with `*` and `?`."),
    query("Modality", Kind::Text, "One, or several with commas between."),
    query(
        "StudyDate",
        Kind::Dates,
        "A day, or a range of days whose first or last may be missing; an empty text matches all.",
    ),
    query("StudyInstanceUID", Kind::Uids, "One UID, or several with commas between; an empty text matches all."),
    query("includefield", Kind::Tags, "A tag or keyword beside those that are always given, or `all`."),
    query("fuzzymatching", Kind::Flag, "Not supported: a warning is given with `true`."),
    query("limit", Kind::Number(i64::MAX), "The most matches; 10,000 are given at most."),
    query("offset", Kind::Number(1_000_000_000), "Matches that are left out."),
];
const FOUND: &[Answer] = &[answer(200, "Matches as DICOM JSON (PS3.18, F).", DICOM_JSON), BAD, NOT_ACCEPTABLE];
const RETRIEVED: &[Answer] =
    &[answer(200, "Objects as they were received, a part each.", OBJECTS), BAD, MISSING, NOT_ACCEPTABLE];
const METADATA: &[Answer] =
    &[answer(200, "Headers as DICOM JSON (PS3.18, F).", DICOM_JSON), BAD, MISSING, NOT_ACCEPTABLE];
const RENDERED: &[Answer] =
    &[answer(200, "The film as a picture.", Shape::Bytes("image/png")), BAD, MISSING, NOT_ACCEPTABLE, UNREADABLE];
const STORED: &[Answer] = &[
    answer(200, "All objects are stored.", Shape::Json("application/dicom+json")),
    answer(202, "Some objects are stored, and others refused.", Shape::Json("application/dicom+json")),
    BAD,
    answer(409, "No object is stored; each has its reason.", Shape::Json("application/dicom+json")),
    answer(413, "An object or the body is too large.", Shape::Error),
    answer(415, "The body is no `multipart/related` of `application/dicom`.", Shape::Error),
];
const OBJECT_BODY: Option<(&str, &str)> =
    Some(("multipart/related", "DICOM objects: `multipart/related; type=\"application/dicom\"; boundary=…`"));
const FHIR: Shape = Shape::Json("application/fhir+json");

/// All.
pub(super) const TABLE: &[Described] = &[
    get("/health", "Whether the process lives and its database answers", &[], &[answer(200, "It does.", Shape::Text)]),
    get("/ready", "Whether films are taken now", &[], &[answer(200, "They are.", Shape::Text)]),
    get("/metrics", "Figures of the node (OpenMetrics)", &[], &[answer(200, "A figure a line.", Shape::Text)]),
    get("/api/v1/openapi.json", "This document", &[], &[answer(200, "OpenAPI 3.1.", Shape::Json("application/json"))]),
    get(
        "/api/v1/readings",
        "A line for each film that came or was read since a moment",
        &[query("since", Kind::Moment, "RFC 3339, or microseconds since 1970; all films without it.")],
        &[answer(200, "A `Reading` a line.", Shape::Lines), BAD],
    ),
    get(
        "/api/v1/readings/{instance}",
        "A film by its SOP Instance UID",
        &[],
        &[answer(200, "What is known of it.", Shape::Named("Reading")), BAD, MISSING],
    ),
    get(
        "/api/v1/status",
        "Queues, destinations, refused associations, objects kept apart",
        &[],
        &[answer(200, "The node's state.", Shape::Named("Status"))],
    ),
    post(
        "/api/v1/resend",
        "Make dead letters due again",
        None,
        &[answer(200, "How many are due again.", Shape::Named("Resend"))],
    ),
    get("/dicom-web/studies", "Search for studies (QIDO-RS)", SEARCH, FOUND),
    get("/dicom-web/series", "Search for series (QIDO-RS)", SEARCH, FOUND),
    get("/dicom-web/instances", "Search for objects (QIDO-RS)", SEARCH, FOUND),
    get("/dicom-web/studies/{study}/series", "Search for series of a study (QIDO-RS)", SEARCH, FOUND),
    get("/dicom-web/studies/{study}/instances", "Search for objects of a study (QIDO-RS)", SEARCH, FOUND),
    get(
        "/dicom-web/studies/{study}/series/{series}/instances",
        "Search for objects of a series (QIDO-RS)",
        SEARCH,
        FOUND,
    ),
    get("/dicom-web/studies/{study}", "Objects of a study (WADO-RS)", &[], RETRIEVED),
    get("/dicom-web/studies/{study}/metadata", "Headers of a study (WADO-RS)", &[], METADATA),
    get("/dicom-web/studies/{study}/series/{series}", "Objects of a series (WADO-RS)", &[], RETRIEVED),
    get("/dicom-web/studies/{study}/series/{series}/metadata", "Headers of a series (WADO-RS)", &[], METADATA),
    get("/dicom-web/studies/{study}/series/{series}/instances/{instance}", "An object (WADO-RS)", &[], RETRIEVED),
    get(
        "/dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata",
        "The header of an object (WADO-RS)",
        &[],
        METADATA,
    ),
    get(
        "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}",
        "Frames of an object (WADO-RS)",
        &[],
        &[answer(200, "A part for each frame.", OBJECTS), BAD, MISSING, NOT_ACCEPTABLE, UNREADABLE],
    ),
    get(
        "/dicom-web/studies/{study}/series/{series}/instances/{instance}/rendered",
        "An object as a picture (WADO-RS)",
        &[],
        RENDERED,
    ),
    get(
        "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/rendered",
        "A frame as a picture (WADO-RS)",
        &[],
        RENDERED,
    ),
    post("/dicom-web/studies", "Store objects (STOW-RS)", OBJECT_BODY, STORED),
    post("/dicom-web/studies/{study}", "Store objects of a study (STOW-RS)", OBJECT_BODY, STORED),
    get(
        "/fhir/metadata",
        "What the FHIR interface can do",
        &[],
        &[answer(200, "A CapabilityStatement (FHIR R5).", FHIR)],
    ),
    get(
        "/fhir/DiagnosticReport",
        "Search for reports",
        &[
            query("study", Kind::Text, "`urn:oid:` and a Study Instance UID."),
            query("_lastUpdated", Kind::Since, "`ge` and a moment: `ge2026-01-31T12:00:00Z`."),
            query("_count", Kind::Number(200), "The most reports of a page."),
            query("_after", Kind::Number(i64::MAX), "Where a page begins: the link `next` of the page before has it."),
        ],
        &[answer(200, "A Bundle of DiagnosticReports.", FHIR), BAD],
    ),
    get(
        "/fhir/DiagnosticReport/{id}",
        "The report of a film",
        &[],
        &[answer(200, "A DiagnosticReport.", FHIR), BAD, MISSING],
    ),
    get("/fhir/Observation/{id}", "The finding of a film", &[], &[answer(200, "An Observation.", FHIR), BAD, MISSING]),
];

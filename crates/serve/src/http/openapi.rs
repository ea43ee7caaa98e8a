//! The document of the programs' interfaces (OpenAPI 3.1), made of the router's own table: a route without a description here is missing
//! from it, which a test refuses, and whether a token opens a route is asked of the rules.

use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Required,
    ResponseBuilder,
};
use utoipa::{PartialSchema as _, ToSchema};

use super::answers::{ErrorAnswer, ReadingLine, ResendAnswer, StatusAnswer};
use super::api::LAST_MOMENT;
use super::routes::Rule;
use crate::db::Scope;
use crate::people::{Action, Asker, Subject, may};

mod table;

use table::{Answer, Described, Kind, Query, Shape, TABLE};

/// What begins the paths of the interfaces.
const INTERFACES: [&str; 6] = ["/api/", "/dicom-web/", "/fhir/", "/health", "/ready", "/metrics"];

/// Whether the document describes a route.
pub(super) fn is_described(rule: &Rule) -> bool {
    INTERFACES.iter().any(|start| rule.path.starts_with(start))
}

/// What a token must allow for an action; `None` where none is needed.
fn scope(action: Action) -> Option<Scope> {
    if action == Action::Open {
        return None;
    }
    let opens = |scope: Scope| may(&Asker::Token { name: String::new(), scope }, action, Subject::Any);
    Some(if opens(Scope::Read) { Scope::Read } else { Scope::Admin })
}

/// The document of the interfaces among the routes of a node.
pub(super) fn document(rules: &[Rule]) -> OpenApi {
    let mut paths = Paths::new();
    for rule in rules.iter().filter(|rule| is_described(rule)) {
        let described = TABLE.iter().find(|one| one.path == rule.path && one.method == rule.method.as_str());
        let method = if rule.method == axum::http::Method::POST { HttpMethod::Post } else { HttpMethod::Get };
        if let Some(described) = described {
            paths.add_path_operation(rule.path, vec![method], operation(rule, described));
        }
    }
    let schema = |name: &str, of: RefOr<Schema>| (name.to_owned(), of);
    let mut schemas = vec![
        schema("Reading", ReadingLine::schema()),
        schema("Status", StatusAnswer::schema()),
        schema("Resend", ResendAnswer::schema()),
        schema("Error", ErrorAnswer::schema()),
    ];
    ReadingLine::schemas(&mut schemas);
    StatusAnswer::schemas(&mut schemas);
    let token = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of `coxa token create`, of scope `read` or `admin`; `admin` contains `read`."))
        .build();
    let info = InfoBuilder::new()
        .title("Coxa")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(format!("Findings of hip fractures on pelvic radiographs. {}.", coxa_schema::NOTICE)));
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(
            ComponentsBuilder::new()
                .schemas_from_iter(schemas)
                .security_scheme("token", SecurityScheme::Http(token))
                .build(),
        ))
        .build()
}

fn operation(rule: &Rule, described: &Described) -> Operation {
    let scope = scope(rule.action);
    let mut operation = OperationBuilder::new()
        .tag(tag(rule.path))
        .operation_id(Some(operation_id(rule)))
        .summary(Some(described.summary));
    for name in rule.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        operation = operation.parameter(in_path(name));
    }
    for query in described.query {
        operation = operation.parameter(in_query(query));
    }
    if let Some((media, words)) = described.body {
        let content = ContentBuilder::new().schema(Some(object(Type::String))).build();
        let body = RequestBodyBuilder::new().description(Some(words)).required(Some(Required::True));
        operation = operation.request_body(Some(body.content(media, content).build()));
    }
    let refused: &[Answer] = if scope.is_some() { table::REFUSED } else { &[] };
    for answer in described.answers.iter().chain(refused).chain(table::ALWAYS) {
        operation = operation.response(answer.status.to_string(), response(rule.path, answer));
    }
    match scope {
        Some(scope) => operation.security(SecurityRequirement::new("token", [scope.as_str()])).build(),
        None => operation.build(),
    }
}

fn tag(path: &str) -> &'static str {
    match path.split('/').nth(1) {
        Some("api") => "Readings and state",
        Some("dicom-web") => "DICOMweb",
        Some("fhir") => "FHIR",
        _ => "Node",
    }
}

/// `get_api_v1_readings_instance` for `GET /api/v1/readings/{instance}`.
fn operation_id(rule: &Rule) -> String {
    let words = rule.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(rule.method.as_str().to_lowercase(), |id, word| id + "_" + word)
}

fn response(path: &str, answer: &Answer) -> utoipa::openapi::response::Response {
    let content = |schema: RefOr<Schema>| ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description(answer.words);
    let named = |name: &str| RefOr::Ref(Ref::from_schema_name(name));
    let (media, schema) = match answer.shape {
        Shape::Text => ("text/plain", object(Type::String)),
        Shape::Lines => ("application/x-ndjson", object(Type::String)),
        Shape::Named(name) => ("application/json", named(name)),
        Shape::Json(media) => (media, object(Type::Object)),
        Shape::List(media) => {
            let list = utoipa::openapi::ArrayBuilder::new().items(object(Type::Object)).build();
            (media, RefOr::T(Schema::Array(list)))
        }
        Shape::Bytes(media) => (media, object(Type::String)),
        Shape::Error if path.starts_with("/api/") => ("application/json", named("Error")),
        Shape::Error if path.starts_with("/fhir/") => ("application/fhir+json", object(Type::Object)),
        Shape::Error => ("text/plain", object(Type::String)),
    };
    response.content(media, content(schema)).build()
}

fn object(kind: Type) -> RefOr<Schema> {
    RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(kind).build()))
}

fn in_path(name: &str) -> Parameter {
    let (kind, words) = match name {
        "study" => (Kind::Uid, "Study Instance UID"),
        "series" => (Kind::Uid, "Series Instance UID"),
        "instance" => (Kind::Uid, "SOP Instance UID"),
        "frames" => (Kind::Frames, "Frames from 1, with commas between"),
        _ => (Kind::Number(i64::MAX), "Number of the film"),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(words))
        .schema(Some(schema_of(kind)))
        .build()
}

fn in_query(query: &Query) -> Parameter {
    ParameterBuilder::new()
        .name(query.name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(query.words))
        .schema(Some(schema_of(query.kind)))
        .build()
}

/// A UID's form as a regular expression (PS3.5, 9.1), without its length.
const UID: &str = r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*";

fn schema_of(kind: Kind) -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let number = |most: i64| {
        let object = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        object.maximum(Some(most)).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
    };
    let moment = || text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let object = match kind {
        Kind::Text => text().pattern(Some(r"^[^\u0000]*$")),
        Kind::Uid => text().pattern(Some(format!("^{UID}$"))).max_length(Some(64)),
        Kind::Uids => text().pattern(Some(format!(r"^({UID})?([,\\]({UID})?)*$"))),
        Kind::Dates => text().pattern(Some("^([0-9]{8})?(-([0-9]{8})?)?$")),
        Kind::Frames => text().pattern(Some("^[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})*$")).max_length(Some(200)),
        Kind::Flag => text().enum_values(Some(["true", "false"])),
        Kind::Tags => text().pattern(Some("^([0-9A-Fa-f]{8}(,[0-9A-Fa-f]{8})*|all)?$")),
        Kind::Number(most) => number(most),
        Kind::Since => text().pattern(Some(
            "^ge[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$",
        )),
        Kind::Moment => {
            let either = AnyOfBuilder::new().item(moment()).item(number(LAST_MOMENT));
            return RefOr::T(Schema::AnyOf(either.build()));
        }
    };
    RefOr::T(Schema::Object(object.build()))
}

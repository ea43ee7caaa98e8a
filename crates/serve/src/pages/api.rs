//! The programs' interfaces as a page, made of their document.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::{Frame, PageError, html};
use crate::http::{Caller, Shared, document};
use crate::language::Language;

/// A parameter: name, place, words.
struct Parameter {
    name: String,
    place: String,
    words: String,
}

/// A route.
struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    /// What a token must allow; empty where none is needed.
    scope: String,
    parameters: Vec<Parameter>,
    /// The body's media type and what it is.
    body: Option<(String, String)>,
    /// Status, media type and words of each answer.
    answers: Vec<(String, String, String)>,
}

/// Routes that belong together.
struct Group {
    name: String,
    operations: Vec<Operation>,
}

#[derive(Template)]
#[template(path = "api.html")]
struct Page {
    frame: Frame,
    groups: Vec<Group>,
    /// Whether the page is in another language than the document, which is English.
    is_translated: bool,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn media(content: &Value) -> String {
    content.as_object().and_then(|content| content.keys().next()).cloned().unwrap_or_default()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

impl Operation {
    fn of(method: &str, path: &str, value: &Value) -> Self {
        let list = |key: &str| value[key].as_array().cloned().unwrap_or_default();
        let parameter = |one: &Value| Parameter {
            name: text(&one["name"]),
            place: text(&one["in"]),
            words: text(&one["description"]),
        };
        let body = &value["requestBody"];
        Self {
            id: text(&value["operationId"]),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(&value["summary"]),
            scope: list("security").first().map(|one| text(&one["token"][0])).unwrap_or_default(),
            parameters: list("parameters").iter().map(parameter).collect(),
            body: body.is_object().then(|| (media(&body["content"]), text(&body["description"]))),
            answers: members(&value["responses"])
                .map(|(status, answer)| (status.clone(), media(&answer["content"]), text(&answer["description"])))
                .collect(),
        }
    }
}

/// `GET /api`.
pub(super) async fn page(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    let document = serde_json::to_value(document(&app.config)).unwrap_or_default();
    let mut groups: Vec<Group> = Vec::new();
    for (path, item) in members(&document["paths"]) {
        for (method, value) in members(item) {
            let name = text(&value["tags"][0]);
            let operation = Operation::of(method, path, value);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.operations.push(operation),
                None => groups.push(Group { name, operations: vec![operation] }),
            }
        }
    }
    let is_translated = caller.language != Language::default();
    html(&Page { frame: Frame::of("api-title", "api", &caller), groups, is_translated })
}

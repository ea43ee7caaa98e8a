//! The document of the interfaces, against the router's own table and against a validator that is not ours.

use coxa_serve::Config;
use coxa_serve::config::Role;
use coxa_serve::db::Scope;
use coxa_serve::http::{document, is_described, rules};
use coxa_serve::people::{Action, Asker, Subject, may};
use serde_json::Value;

use crate::support::Running;

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, item): (&String, &'_ Value)| {
        let methods: Vec<String> = item.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(|method| (method, path.clone())).collect::<Vec<_>>()
    };
    let all: Vec<(String, String)> = paths.iter().flat_map(of).collect();
    all.into_iter().map(|(method, path)| (method.to_uppercase(), path.clone(), &paths[&path][&method])).collect()
}

#[test]
fn every_route_of_the_interfaces_is_described() {
    let config = Config::default();
    let described = serde_json::to_value(document(&config)).unwrap();
    let all = operations(&described);
    let routes = rules(&config);
    let routes: Vec<_> = routes.iter().filter(|rule| is_described(rule)).collect();
    assert!(routes.len() > 25);
    for rule in &routes {
        let name = format!("{} {}", rule.method, rule.path);
        let found = all.iter().find(|(method, path, _)| *method == rule.method.as_str() && path == rule.path);
        let (_, _, operation) = found.unwrap_or_else(|| panic!("{name} is not described: http/openapi/table.rs"));
        // What a token must allow is what the rule says.
        let opens = |scope| may(&Asker::Token { name: String::new(), scope }, rule.action, Subject::Any);
        let needed = match rule.action {
            Action::Open => Value::Null,
            _ if opens(Scope::Read) => serde_json::json!([{ "token": ["read"] }]),
            _ if opens(Scope::Admin) => serde_json::json!([{ "token": ["admin"] }]),
            _ => panic!("no token opens {name}"),
        };
        assert_eq!(operation["security"], needed, "{name}");
        // Each parameter of the path, once.
        let braces = rule.path.matches('{').count();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        assert_eq!(parameters.iter().filter(|one| one["in"] == "path").count(), braces, "{name}");
        assert!(operation["responses"]["200"].is_object() && operation["responses"]["503"].is_object(), "{name}");
    }
    assert_eq!(all.len(), routes.len(), "an operation without a route");
    // A node that receives nothing has no route to store with, and its document neither.
    let config = Config { roles: vec![Role::Pages], ..Config::default() };
    assert!(!serde_json::to_string(&document(&config)).unwrap().contains("post_dicom_web_studies"));
}

#[tokio::test]
async fn the_document_is_valid_and_errors_are_what_it_says() {
    let node = Running::start(|config| {
        config.roles = vec![Role::Receive, Role::Pages];
        config.require_token = true;
    })
    .await;
    assert!(node.app.db.add_token("r", "token r", Scope::Read).await.unwrap());
    let stranger = node.stranger();
    let answer = stranger.get("/api/v1/openapi.json").await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let text = answer.text().await.unwrap();
    let page = stranger.page("/api").await;
    crate::pages::is_clean(&page, "/api");
    assert!(page.contains("GET /api/v1/readings/{instance}") && page.contains("POST /dicom-web/studies"));
    for (path, token, status, code) in [
        ("/api/v1/status", false, 401, ""),
        ("/api/v1/nothing", false, 404, ""),
        ("/api/v1/resend", true, 405, ""),
        ("/api/v1/readings?since=yesterday", true, 400, ""),
        ("/api/v1/readings?since=1&since=2", true, 400, ""),
        ("/api/v1/readings/1.2.3", true, 404, ""),
        ("/api/v1/readings/%00", true, 400, ""),
        ("/fhir/DiagnosticReport/none", true, 400, "invalid"),
        ("/fhir/DiagnosticReport/7", true, 404, "not-found"),
        ("/fhir/DiagnosticReport?_lastUpdated=%00", true, 400, "invalid"),
        ("/fhir/metadata", false, 401, "login"),
    ] {
        let request = stranger.request(reqwest::Method::GET, path);
        let answer = if token { request.bearer_auth("token r") } else { request }.send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert!(status != 401 || header("www-authenticate").is_some(), "{path}");
        assert!(status != 405 || header("allow").as_deref() == Some("POST"), "{path}");
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let message = if code.is_empty() { &body["error"] } else { &body["issue"][0]["diagnostics"] };
        assert!(message.as_str().is_some_and(|message| !message.is_empty()), "{path}: {body}");
        assert!(code.is_empty() || body["issue"][0]["code"] == code, "{path}: {body}");
    }
    let file = node.folder.path().join("openapi.json");
    std::fs::write(&file, text).unwrap();
    if let Some(mut python) = coxa_testing::python("openapi_spec_validator") {
        let checked = python.args(["-m", "openapi_spec_validator"]).arg(&file).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    }
    node.stop().await;
}

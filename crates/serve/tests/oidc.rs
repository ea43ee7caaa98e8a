//! Sign-in through an identity provider: a provider that lies in every way, and a real one.

mod provider;

use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coxa_serve::config::{Config, Oidc, PasswordsFrom, Role as NodeRole};
use coxa_serve::db::AuditQuery;
use coxa_serve::people::Role;
use serde_json::{Value, json};

use crate::support::{Running, Visitor, client};
use provider::{Provider, SECRET, Signed, laid_over, seconds};

fn oidc(issuer: &str) -> Oidc {
    Oidc {
        issuer: issuer.into(),
        client_id: "coxa".into(),
        client_secret: Some(SECRET.into()),
        client_secret_file: None,
        claim: "groups".into(),
        scopes: vec!["profile".into(), "email".into()],
        button: "Sign in as <staff>".into(),
        email_domains: Vec::new(),
        passwords: PasswordsFrom::Anywhere,
        roles: [
            ("radiology".to_owned(), vec!["physician".to_owned(), "reviewer".to_owned()]),
            ("it".to_owned(), vec!["administrator".to_owned()]),
        ]
        .into(),
    }
}

async fn node(issuer: &str, change: impl FnOnce(&mut Config)) -> Running {
    Running::start(|config| {
        config.roles = vec![NodeRole::Receive, NodeRole::Pages];
        config.oidc = Some(oidc(issuer));
        change(config);
    })
    .await
}

/// A request with a form as its body.
fn filled(request: reqwest::RequestBuilder, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", crate::support::encoded(value));
    let body = fields.iter().map(pair).collect::<Vec<_>>().join("&");
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}

/// A parameter of an address.
fn parameter(address: &str, name: &str) -> String {
    let url: reqwest::Url = address.parse().unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("{address} has no {name}")).1.into_owned()
}

fn cookie_of(answer: &reqwest::Response, name: &str) -> Option<String> {
    let all = answer.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    all.filter_map(|cookie| cookie.split(';').next())
        .find(|pair| pair.starts_with(&format!("{name}=")))
        .map(str::to_owned)
}

/// Begins a sign-in: where the browser is sent, with its cookie.
async fn begin(provider: Option<&Provider>, visitor: &mut Visitor, next: &str) -> String {
    let answer = visitor.get(&format!("/signin/oidc?next={}", crate::support::encoded(next))).await;
    assert_eq!(answer.status(), 303);
    let to = answer.headers()["location"].to_str().unwrap().to_owned();
    visitor.cookie = cookie_of(&answer, "coxa-oidc").unwrap();
    if let Some(provider) = provider {
        provider.script.lock().unwrap().nonce = parameter(&to, "nonce");
    }
    to
}

async fn come_back(visitor: &Visitor, state: &str) -> reqwest::Response {
    visitor.get(&format!("/signin/oidc/callback?code=c&state={state}")).await
}

/// A whole sign-in; what it led to.
async fn enter(provider: &Provider, visitor: &mut Visitor, next: &str) -> reqwest::Response {
    let to = begin(Some(provider), visitor, next).await;
    come_back(visitor, &parameter(&to, "state")).await
}

fn signed_in(visitor: &Visitor, answer: &reqwest::Response) -> Option<Visitor> {
    let cookie = cookie_of(answer, "coxa")?;
    Some(Visitor { http: visitor.http.clone(), cookie, form: String::new() })
}

async fn audited(node: &Running, action: &str) -> Vec<Value> {
    let query = AuditQuery { action: action.into(), ..AuditQuery::default() };
    let rows = node.app.db.audit_after(&query, 0, 1000).await.unwrap();
    rows.iter().map(|row| serde_json::from_str(&row.body).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_of_the_provider_signs_in() {
    let provider = Provider::start().await;
    let node = node(&provider.issuer, |_| {}).await;
    // A local account of the same name is somebody else.
    let local = node.person("doe", &[Role::Administrator]).await;
    let mut visitor = node.stranger();
    let page = visitor.page("/signin?next=/me").await;
    crate::pages::is_clean(&page, "/signin");
    assert!(
        page.contains("href=\"/signin/oidc?next=%2Fme\"") && page.contains("Sign in as") && !page.contains("<staff>")
    );
    let to = begin(Some(&provider), &mut visitor, "/me").await;
    assert!(to.starts_with(&format!("{}/authorize?", provider.issuer)));
    assert_eq!(
        ["response_type", "client_id", "code_challenge_method", "scope", "redirect_uri"]
            .map(|name| parameter(&to, name)),
        ["code", "coxa", "S256", "openid profile email", &format!("{}/signin/oidc/callback", node.http)]
            .map(str::to_owned)
    );
    let answer = come_back(&visitor, &parameter(&to, "state")).await;
    assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (303, "/me"));
    assert!(cookie_of(&answer, "coxa-oidc").unwrap().ends_with('='), "the sign-in's own cookie is removed");
    let doe = signed_in(&visitor, &answer).unwrap();
    let page = doe.page("/me").await;
    assert!(page.contains("Jane Doe") && page.contains("physician") && page.contains("reviewer"));
    let asked = provider.script.lock().unwrap().asked.clone();
    let challenge = ring::digest::digest(&ring::digest::SHA256, value_of(&asked, "code_verifier").as_bytes());
    assert_eq!(URL_SAFE_NO_PAD.encode(challenge), parameter(&to, "code_challenge"));
    let account = node.app.db.linked_account(&provider.issuer, "u-1").await.unwrap().unwrap();
    assert!(account.person.id != local && account.person.name.starts_with("doe.") && account.password.is_empty());
    assert!(!node.app.db.is_linked(local).await.unwrap());
    // No password and no second factor are given to it here.
    let admin = node.session(local, coxa_serve::people::session::Stage::Full).await;
    assert_eq!(admin.post(&format!("/people/{}/reset", account.person.id), &[]).await.status(), 409);
    assert_eq!(node.stranger().post("/signin", &[("name", &account.person.name)]).await.status(), 401);
    // Roles are those of the last sign-in, and count at once.
    provider.script(|script| script.claims = json!({ "groups": "it", "name": "Jane Roe" }));
    let answer = enter(&provider, &mut visitor, "").await;
    assert_eq!(answer.headers()["location"], "/operations");
    assert_eq!((doe.get("/").await.status().as_u16(), doe.get("/people").await.status().as_u16()), (403, 200));
    assert!(doe.page("/me").await.contains("Jane Roe"));
    // The last administrator with a password stays, whoever else is one.
    assert_eq!(
        admin.post(&format!("/people/{local}"), &[("auditor", "1")]).await.status(),
        200,
        "the first account is one"
    );
    let first = node.app.db.account_named("admin").await.unwrap().unwrap().person.id;
    assert_eq!(node.app.db.set_disabled(first, true).await.unwrap(), coxa_serve::db::Changed::LastAdministrator);
    // Without a group that has a role nobody comes in, and the account keeps none.
    provider.script(|script| script.claims = json!({ "groups": ["everybody"] }));
    assert_eq!(enter(&provider, &mut visitor, "").await.status(), 403);
    assert_eq!(doe.get("/people").await.status(), 403);
    // A disabled account stays out.
    provider.script(|_| {});
    let id = account.person.id;
    node.app.db.set_disabled(id, true).await.unwrap();
    let answer = enter(&provider, &mut visitor, "").await;
    assert!(answer.status() == 403 && signed_in(&visitor, &answer).is_none());
    node.app.db.set_disabled(id, false).await.unwrap();
    assert_eq!(enter(&provider, &mut visitor, "").await.status(), 303);
    let signed: Vec<Value> = audited(&node, "signed_in").await;
    assert!(
        signed.len() == 3 && signed.iter().all(|entry| entry["detail"]["through"] == "identity provider"),
        "{signed:?}"
    );
    let failed = audited(&node, "sign_in_failed").await;
    let whys: Vec<&str> = failed.iter().filter_map(|entry| entry["detail"]["why"].as_str()).collect();
    assert!(whys.contains(&"no role") && whys.contains(&"disabled"), "{whys:?}");
    assert_eq!(
        audited(&node, "person_changed").await.iter().filter(|e| e["detail"]["through"] == "identity provider").count(),
        3
    );
    node.stop().await;
}

fn value_of<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_but_a_right_one_is_believed() {
    let provider = Provider::start().await;
    let node = node(&provider.issuer, |_| {}).await;
    let (past, future) = (seconds() - 10, seconds() + 86_400);
    for (what, signed, claims) in [
        ("another nonce", Signed::ByItsKey, json!({ "nonce": "another" })),
        ("no nonce", Signed::ByItsKey, json!({ "nonce": null })),
        ("another audience", Signed::ByItsKey, json!({ "aud": "another" })),
        ("another audience beside ours", Signed::ByItsKey, json!({ "aud": ["coxa", "another"] })),
        ("no audience", Signed::ByItsKey, json!({ "aud": null })),
        ("another issuer", Signed::ByItsKey, json!({ "iss": "https://elsewhere.example" })),
        ("no issuer", Signed::ByItsKey, json!({ "iss": null })),
        ("expired", Signed::ByItsKey, json!({ "exp": past })),
        ("no end", Signed::ByItsKey, json!({ "exp": null })),
        ("from the future", Signed::ByItsKey, json!({ "iat": future, "exp": future + 300 })),
        ("no subject", Signed::ByItsKey, json!({ "sub": null })),
        ("not signed", Signed::Not, json!({})),
        ("another key", Signed::ByAnother, json!({})),
        ("the client's secret", Signed::WithTheSecret, json!({})),
        ("the public key as a secret", Signed::WithThePublicKey, json!({})),
    ] {
        provider.script(|script| (script.signed, script.claims) = (signed, claims));
        let mut visitor = node.stranger();
        let answer = enter(&provider, &mut visitor, "/me").await;
        // Too many that came to nothing from one address must wait, which is no success either.
        assert!(matches!(answer.status().as_u16(), 401 | 429) && signed_in(&visitor, &answer).is_none(), "{what}");
        assert_eq!(answer.status(), 401, "{what}");
        let page = answer.text().await.unwrap();
        assert!(!page.contains("another") && page.contains("did not succeed"), "{what}");
    }
    assert!(node.app.db.linked_account(&provider.issuer, "u-1").await.unwrap().is_none());
    provider.script(|_| {});
    assert_eq!(enter(&provider, &mut node.stranger(), "/me").await.status(), 303, "a right one is");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_is_good_once_for_the_browser_that_began_it() {
    let provider = Provider::start().await;
    let node = node(&provider.issuer, |_| {}).await;
    let (mut visitor, mut other) = (node.stranger(), node.stranger());
    let state = parameter(&begin(Some(&provider), &mut visitor, "/me").await, "state");
    let _ = begin(None, &mut other, "").await;
    for (what, cookie, state) in [
        ("no cookie", String::new(), state.clone()),
        ("another browser", other.cookie.clone(), state.clone()),
        ("another state", visitor.cookie.clone(), "0".repeat(64)),
        ("no state", visitor.cookie.clone(), String::new()),
        ("a long state", visitor.cookie.clone(), "x".repeat(5000)),
    ] {
        let answer = come_back(&Visitor { cookie, ..visitor.clone() }, &state).await;
        assert!(answer.status() == 400 && signed_in(&visitor, &answer).is_none(), "{what}");
    }
    // None of that used it up.
    assert_eq!(come_back(&visitor, &state).await.status(), 303);
    let again = come_back(&visitor, &state).await;
    assert!(again.status() == 400 && signed_in(&visitor, &again).is_none(), "it is good once");
    for next in ["//evil.example", "https://evil.example", "/\\evil.example", "/signin"] {
        let answer = enter(&provider, &mut visitor, next).await;
        assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (303, "/"), "{next}");
    }
    // What the provider refuses, and an answer of another provider.
    for end in ["error=access_denied&error_description=%3Cb%3E", "code=c&iss=https://elsewhere.example"] {
        let state = parameter(&begin(Some(&provider), &mut visitor, "").await, "state");
        let answer = visitor.get(&format!("/signin/oidc/callback?state={state}&{end}")).await;
        assert!(answer.status() == 401 && !answer.text().await.unwrap().contains("<b>"), "{end}");
    }
    // Nothing is led back to a name that is not this machine's.
    let forwarded = node.stranger().request(reqwest::Method::GET, "/signin/oidc").header("host", "evil.example");
    assert_eq!(forwarded.send().await.unwrap().status(), 400);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_none_is_refused() {
    for (what, discovery) in [
        ("another issuer", json!({ "issuer": "https://elsewhere.example" })),
        ("keys elsewhere, not encrypted", json!({ "jwks_uri": "http://elsewhere.example/jwks" })),
        ("keys at an address of the link", json!({ "jwks_uri": "https://169.254.169.254/jwks" })),
        ("keys by a redirect", json!({ "jwks_uri": "ISSUER/elsewhere" })),
        ("keys without end", json!({ "jwks_uri": "ISSUER/long" })),
        ("a sign-in page that is not encrypted", json!({ "authorization_endpoint": "http://elsewhere.example/a" })),
        ("a sign-in page that is a script", json!({ "authorization_endpoint": "javascript:alert(1)" })),
    ] {
        let provider = Provider::start().await;
        let text = discovery.to_string().replace("ISSUER", &provider.issuer);
        provider.script(|script| script.discovery = serde_json::from_str(&text).unwrap());
        let node = node(&provider.issuer, |_| {}).await;
        let answer = node.stranger().get("/signin/oidc").await;
        assert_eq!(answer.status(), 503, "{what}");
        assert!(!answer.text().await.unwrap().contains("elsewhere"), "{what}");
        node.stop().await;
    }
    // The token's endpoint is called at the way back.
    let provider = Provider::start().await;
    provider.script(|script| script.discovery = json!({ "token_endpoint": "http://elsewhere.example/token" }));
    let node = node(&provider.issuer, |_| {}).await;
    assert_eq!(enter(&provider, &mut node.stranger(), "").await.status(), 401);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_token_lacks_is_asked_for_and_domains_count() {
    let provider = Provider::start().await;
    let node = node(&provider.issuer, |config| {
        let oidc = config.oidc.as_mut().unwrap();
        (oidc.claim, oidc.email_domains) = ("realm.roles".into(), vec!["Hospital.example".into()]);
        oidc.passwords = PasswordsFrom::Loopback;
    })
    .await;
    let groups = json!({ "roles": ["radiology"] });
    for (userinfo, status) in [
        (json!({ "sub": "u-1", "realm": groups, "email": "d@hospital.example", "email_verified": true }), 303),
        (json!({ "sub": "u-1", "realm": groups, "email": "d@hospital.example", "email_verified": false }), 403),
        (json!({ "sub": "u-1", "realm": groups, "email": "d@hospital.example" }), 403),
        (json!({ "sub": "u-1", "realm": groups, "email": "d@evil.example", "email_verified": true }), 403),
        (json!({ "sub": "u-1", "realm": groups, "email": "hospital.example", "email_verified": true }), 403),
        (json!({ "sub": "u-2", "realm": groups, "email": "d@hospital.example", "email_verified": true }), 401),
    ] {
        provider.script(|script| script.userinfo = userinfo.clone());
        assert_eq!(enter(&provider, &mut node.stranger(), "").await.status(), status, "{userinfo}");
    }
    // Passwords sign in on this machine, and by the configuration here nowhere else.
    node.person("roe", &[Role::Physician]).await;
    let fields = [("name", "roe"), ("password", "the password of roe")];
    assert_eq!(node.stranger().post("/signin", &fields).await.status(), 303);
    let elsewhere = node.stranger().request(reqwest::Method::POST, "/signin").header("origin", &node.http);
    let elsewhere = elsewhere.header("x-forwarded-for", "10.0.0.7");
    let elsewhere = filled(elsewhere, &fields);
    assert_eq!(elsewhere.send().await.unwrap().status(), 401);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_the_configured_address_counts() {
    let provider = Provider::start().await;
    let node = node(&provider.issuer, |config| config.people.address = Some("https://coxa.example".into())).await;
    let ask = async |path: &str| {
        let request = node.stranger().request(reqwest::Method::GET, path).header("host", "coxa.example");
        request.header("x-forwarded-for", "10.0.0.7").send().await.unwrap()
    };
    assert_eq!(ask("/signin").await.status(), 200);
    assert_eq!(ask("/api/v1/readings").await.status(), 401, "whoever comes through a proxy needs a token");
    let answer = ask("/signin/oidc").await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-coxa-oidc=") && cookie.contains("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    let back = parameter(answer.headers()["location"].to_str().unwrap(), "redirect_uri");
    assert_eq!(back, "https://coxa.example/signin/oidc/callback");
    let mut config = node.app.config.clone();
    let _folder = node.stop().await;
    // `coxa serve --check` asks the provider too.
    for (issuer, is_right) in [(provider.issuer.clone(), true), (format!("{}/other", provider.issuer), false)] {
        config.oidc = Some(oidc(&issuer));
        let findings = coxa_serve::check::check(&config).await;
        let found = findings.iter().find(|finding| finding.what.contains(&issuer)).unwrap();
        assert_eq!(found.wrong.is_none(), is_right, "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_ends_sessions() {
    let provider = Provider::start().await;
    let node = node(&provider.issuer, |_| {}).await;
    let mut visitor = node.stranger();
    let answer = enter(&provider, &mut visitor, "/me").await;
    let doe = signed_in(&visitor, &answer).unwrap();
    let event = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let right = json!({
        "iss": provider.issuer, "aud": "coxa", "sub": "u-1", "iat": seconds(), "exp": seconds() + 120, "jti": "1", "events": event,
    });
    let send = async |claims: Value, signed: Signed| {
        let token = provider.token(&laid_over(right.clone(), &claims), signed, "logout+jwt");
        let request = client().post(format!("{}/signin/oidc/logout", node.http));
        filled(request, &[("logout_token", &token)]).send().await.unwrap().status().as_u16()
    };
    for (what, claims, signed) in [
        ("an ID token", json!({ "events": null, "nonce": "n" }), Signed::ByItsKey),
        ("no event", json!({ "events": null }), Signed::ByItsKey),
        ("a nonce", json!({ "nonce": "n" }), Signed::ByItsKey),
        ("another audience", json!({ "aud": "another" }), Signed::ByItsKey),
        ("an old one", json!({ "iat": seconds() - 3600 }), Signed::ByItsKey),
        ("not signed", json!({}), Signed::Not),
        ("another key", json!({}), Signed::ByAnother),
        ("the secret", json!({}), Signed::WithTheSecret),
    ] {
        assert_eq!(send(claims, signed).await, 400, "{what}");
        assert_eq!(doe.get("/me").await.status(), 200, "{what}");
    }
    assert_eq!(send(json!({ "sub": "somebody" }), Signed::ByItsKey).await, 200, "nobody of ours");
    assert_eq!(doe.get("/me").await.status(), 200);
    assert_eq!(send(json!({}), Signed::ByItsKey).await, 200);
    assert_eq!(doe.get("/me").await.status(), 303, "signed out");
    assert_eq!(audited(&node, "sessions_ended").await.len(), 1);
    node.stop().await;
}

/// A program that ends with the test.
struct Started(std::process::Child);

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.0.kill().and_then(|()| self.0.wait()));
    }
}

/// oidc-provider-mock, which knows Jane Doe as `u-7`, and its issuer; `None` where it is not installed.
async fn real_provider() -> Option<(Started, String)> {
    let mut python = coxa_testing::python("oidc_provider_mock")?;
    let port = coxa_testing::free_port();
    let issuer = format!("http://127.0.0.1:{port}");
    let args = ["-m", "oidc_provider_mock", "--port", &port.to_string()];
    let peer = Started(python.args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let user = json!({ "preferred_username": "jane", "name": "Jane Doe", "groups": ["radiology"] }).to_string();
    for _ in 0..200 {
        let put =
            client().put(format!("{issuer}/users/u-7")).header("content-type", "application/json").body(user.clone());
        if put.send().await.is_ok_and(|answer| answer.status().is_success()) {
            return Some((peer, issuer));
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the provider does not answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_by_a_browser() {
    let Some(mut browser) = crate::peers::node("provider.js") else { return };
    let Some((_peer, issuer)) = real_provider().await else { return };
    let node = node(&issuer, |_| {}).await;
    let pictures = coxa_testing::artifacts().join("provider");
    std::fs::create_dir_all(&pictures).unwrap();
    browser.args([&node.http, "u-7"]).arg(pictures);
    crate::peers::run(browser).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_provider_signs_people_in() {
    let Some((_peer, issuer)) = real_provider().await else { return };
    let node = node(&issuer, |_| {}).await;
    let mut visitor = node.stranger();
    let to = begin(None, &mut visitor, "/me").await;
    let provider = Visitor { http: issuer.clone(), cookie: String::new(), form: String::new() };
    let page = provider.request(reqwest::Method::POST, to.strip_prefix(&issuer).unwrap());
    let answer = filled(page, &[("sub", "u-7")]).send().await.unwrap();
    let back = answer.headers()["location"].to_str().unwrap().to_owned();
    let answer = visitor.get(back.strip_prefix(&node.http).unwrap()).await;
    assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (303, "/me"));
    let jane = signed_in(&visitor, &answer).unwrap();
    assert!(jane.page("/me").await.contains("Jane Doe"));
    assert_eq!(node.app.db.linked_account(&issuer, "u-7").await.unwrap().unwrap().person.name, "jane");
    // Its code is good once, even for the browser that began.
    assert_eq!(visitor.get(back.strip_prefix(&node.http).unwrap()).await.status(), 400);
    node.stop().await;
}

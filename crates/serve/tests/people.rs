//! Sign-in as a browser goes through it, and what each protection refuses.

use coxa_serve::config::Role as NodeRole;
use coxa_serve::db::{Changed, NewPerson};
use coxa_serve::people::session::Stage;
use coxa_serve::people::{Role, totp};
use futures_util::StreamExt as _;

use crate::queue::on_both;
use crate::support::{Running, Visitor};

async fn node() -> Running {
    Running::start(|config| config.roles = vec![NodeRole::Receive, NodeRole::Pages]).await
}

async fn enter(visitor: &mut Visitor, name: &str, password: &str) -> String {
    let answer = visitor.post("/signin", &[("name", name), ("password", password), ("next", "/me")]).await;
    assert_eq!(answer.status(), 303, "{name}");
    visitor.follow(&answer).await
}

/// The code that an app shows, so many steps of 30 seconds from now.
fn code(secret: &str, steps: i64) -> String {
    totp::code(secret, coxa_serve::db::now() / 1_000_000 + 30 * steps).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_prints_a_password_that_is_changed_at_once() {
    let node = node().await;
    let line = node.first_sign_in.clone().unwrap();
    let password = line.rsplit(' ').next().unwrap().to_owned();
    assert_eq!(line, format!("first sign-in: {}/signin user admin password {password}", node.http));
    let mut admin = node.stranger();
    // From elsewhere the password is good for nothing.
    let forwarded = admin
        .request(reqwest::Method::POST, "/signin")
        .header("origin", &node.http)
        .header("x-forwarded-for", "10.0.0.7")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("name=admin&password={password}"));
    assert_eq!(forwarded.send().await.unwrap().status(), 401);
    assert_eq!(enter(&mut admin, "admin", &password).await, "/signin/password?next=%2Fme");
    // Nothing else opens before another one is chosen.
    assert_eq!(admin.get("/people").await.headers()["location"], "/signin");
    assert_eq!(admin.post("/people", &[("name", "x")]).await.status(), 401);
    for (chosen, again) in
        [("short", "short"), (password.as_str(), password.as_str()), ("four unrelated words", "four words")]
    {
        assert_eq!(
            admin.post("/signin/password", &[("password", chosen), ("again", again)]).await.status(),
            400,
            "{chosen}"
        );
    }
    let before = admin.cookie.clone();
    let fields = [("password", "four unrelated words"), ("again", "four unrelated words"), ("next", "/people")];
    let answer = admin.post("/signin/password", &fields).await;
    assert_eq!(admin.follow(&answer).await, "/people");
    assert_ne!(before, admin.cookie, "a session's id is new when its rights are");
    assert_eq!(
        Visitor { cookie: before, ..admin.clone() }.get("/people").await.status(),
        303,
        "the one before has ended"
    );
    assert!(admin.page("/people").await.contains("admin"));
    // The next start prints no password any more.
    let folder = node.stop().await;
    let mut config = crate::support::config(folder.path());
    config.roles = vec![NodeRole::Receive, NodeRole::Pages];
    let node = Running::start_in(folder, config).await;
    assert_eq!(node.first_sign_in, None);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_lasts_and_ends() {
    let node = node().await;
    node.person("doe", &[Role::Physician]).await;
    let mut doe = node.stranger();
    let opened = doe.get("/films/3?q=a&state=read").await;
    assert_eq!(
        (opened.status().as_u16(), opened.headers()["location"].to_str().unwrap()),
        (303, "/signin?next=/films/3%3Fq%3Da%26state%3Dread")
    );
    assert_eq!(
        doe.request(reqwest::Method::GET, "/worklist").header("sec-fetch-mode", "cors").send().await.unwrap().status(),
        401,
        "a script gets no form"
    );
    assert!(doe.page("/signin?next=/films/3").await.contains("name=\"next\" value=\"/films/3\""));
    assert!(!doe.page("/signin?next=//elsewhere.example").await.contains("elsewhere"));
    let answer = doe.post("/signin", &[("name", " Doe "), ("password", "the password of doe")]).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("coxa=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    assert_eq!(doe.follow(&answer).await, "/");
    let mut elsewhere = node.stranger();
    enter(&mut elsewhere, "doe", "the password of doe").await;
    assert_eq!(doe.get("/signin").await.headers()["location"], "/");
    // The database holds neither cookie nor password.
    let secret = doe.cookie.trim_start_matches("coxa=").to_owned();
    for name in ["coxa.sqlite", "coxa.sqlite-wal"] {
        let bytes = std::fs::read(node.folder.path().join("data").join(name)).unwrap_or_default();
        for secret in [secret.as_bytes(), b"the password of doe"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{name}");
        }
    }
    assert_eq!(doe.post("/me/sessions/end", &[]).await.status(), 200);
    assert_eq!(elsewhere.get("/me").await.status(), 303, "signed out everywhere else");
    let out = doe.post("/signout", &[]).await;
    assert!(
        out.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0")
            && out.headers().contains_key("clear-site-data")
    );
    assert_eq!(doe.get("/me").await.status(), 303);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_by_themselves_and_with_their_person() {
    on_both("sessions", async |db| {
        let person = NewPerson {
            name: "doe".into(),
            full_name: "Ünïcode 名前".into(),
            roles: [Role::Administrator].into_iter().collect(),
            password: "x".into(),
            is_local: true,
        };
        let id = db.add_person(&person).await.unwrap().unwrap();
        assert_eq!(db.add_person(&person).await.unwrap(), None, "a name is taken once");
        let session = |hash: &str| coxa_serve::db::NewSession {
            hash: hash.into(),
            person: id,
            stage: Stage::Full,
            address: "::1".into(),
            agent: String::new(),
        };
        db.begin_session(&session("a"), 0, 0).await.unwrap();
        let now = coxa_serve::db::now();
        let found = db.session("a", now - 1_000_000, now - 1_000_000).await.unwrap().unwrap();
        assert_eq!((found.person.name.as_str(), found.person.full_name.as_str()), ("doe", "Ünïcode 名前"));
        let later = now + 1_000_000;
        assert!(db.session("a", later, 0).await.unwrap().is_none(), "idle for too long");
        assert!(db.session("a", 0, later).await.unwrap().is_none(), "too old");
        assert!(db.session("b", 0, 0).await.unwrap().is_none());
        db.begin_session(&session("b"), later, 0).await.unwrap();
        assert!(db.session("a", 0, 0).await.unwrap().is_none(), "what has ended is removed");
        // The last administrator stays one.
        assert_eq!(db.set_disabled(id, true).await.unwrap(), Changed::LastAdministrator);
        assert_eq!(
            db.set_roles(id, "", [Role::Auditor].into_iter().collect()).await.unwrap(),
            Changed::LastAdministrator
        );
        assert!(db.session("b", 0, 0).await.unwrap().is_some(), "nothing of it is left");
        let other = db.add_person(&NewPerson { name: "roe".into(), ..person }).await.unwrap().unwrap();
        assert_eq!(db.set_disabled(id, true).await.unwrap(), Changed::Done);
        assert!(db.session("b", 0, 0).await.unwrap().is_none());
        assert_eq!(
            db.set_roles(other, "", [Role::Auditor].into_iter().collect()).await.unwrap(),
            Changed::LastAdministrator
        );
        assert_eq!(db.set_disabled(999, true).await.unwrap(), Changed::Missing);
        // A code is good once.
        db.set_totp(id, "SECRET").await.unwrap();
        db.confirm_totp(id, 7, &["h".into()]).await.unwrap();
        assert!(
            !db.use_totp(id, 7).await.unwrap()
                && db.use_totp(id, 8).await.unwrap()
                && !db.use_totp(id, 8).await.unwrap()
        );
        assert!(db.use_recovery(id, "h").await.unwrap() && !db.use_recovery(id, "h").await.unwrap());
        db.set_password(id, "y", true).await.unwrap();
        assert!(db.account(id).await.unwrap().unwrap().is_local);
        db.set_password(id, "z", false).await.unwrap();
        let account = db.account_named("doe").await.unwrap().unwrap();
        assert!(!account.is_local && !account.is_one_time && account.has_totp && account.password == "z");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_asked_for_and_no_code_is_good_twice() {
    let node = node().await;
    let doe = node.visitor("doe", &[Role::Physician]).await;
    let current = ("current", "the password of doe");
    assert_eq!(doe.post("/me/factor", &[]).await.status(), 400, "a session that was left open sets up no factor");
    assert_eq!(doe.post("/me/factor", &[("current", "wrong")]).await.status(), 400);
    let page = doe.post("/me/factor", &[current]).await.text().await.unwrap();
    let secret: String =
        page.split("<dt>Key</dt><dd><code>").nth(1).unwrap().split('<').next().unwrap().replace(' ', "");
    assert!(page.contains(&format!("otpauth://totp/Coxa:doe?secret={secret}")) && secret.len() == 32);
    assert_eq!(doe.post("/me/factor/confirm", &[current, ("code", "no code")]).await.status(), 400);
    let first = code(&secret, 0);
    assert_eq!(doe.post("/me/factor/confirm", &[("code", &first)]).await.status(), 400, "a code without the password");
    let page = doe.post("/me/factor/confirm", &[current, ("code", &first)]).await.text().await.unwrap();
    let recovery: Vec<&str> = page.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(recovery.len(), 10);
    assert!(!doe.page("/me").await.contains(recovery[0]), "they are shown once");

    let mut other = node.stranger();
    assert_eq!(enter(&mut other, "doe", "the password of doe").await, "/signin/code?next=%2Fme");
    assert_eq!(other.get("/").await.headers()["location"], "/signin", "half a sign-in opens nothing");
    assert_eq!(
        other.post("/signin/password", &[("password", "x"), ("again", "x")]).await.status(),
        401,
        "and skips no step"
    );
    assert_eq!(other.post("/signin/code", &[("code", &first)]).await.status(), 401, "the code that set it up was used");
    assert_eq!(other.post("/signin/code", &[("code", &code(&secret, 1)), ("next", "/me")]).await.status(), 303);
    let mut third = node.stranger();
    enter(&mut third, "doe", "the password of doe").await;
    let answer = third.post("/signin/code", &[("code", &recovery[0].to_uppercase())]).await;
    assert_eq!(third.follow(&answer).await, "/");
    assert!(third.page("/me").await.contains("9 recovery codes"));
    enter(&mut other, "doe", "the password of doe").await;
    assert_eq!(other.post("/signin/code", &[("code", recovery[0])]).await.status(), 401);
    assert_eq!(third.post("/me/factor/remove", &[("current", "wrong")]).await.status(), 400);
    assert_eq!(third.post("/me/factor/remove", &[("current", "the password of doe")]).await.status(), 200);
    assert_eq!(enter(&mut node.stranger(), "doe", "the password of doe").await, "/me");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_or_session_changes_nothing() {
    let node = node().await;
    let admin = node.visitor("roe", &[Role::Administrator]).await;
    let other = node.visitor("doe", &[Role::Administrator]).await;
    let send = async |header: &[(&str, &str)], body: String| {
        let mut request =
            admin.request(reqwest::Method::POST, "/people").header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in header {
            request = request.header(*name, *value);
        }
        request.body(body).send().await.unwrap().status().as_u16()
    };
    let (ours, host) = (format!("name=new&form={}", admin.form), node.http.as_str());
    for (headers, why) in [
        (vec![], "no origin"),
        (vec![("origin", "http://elsewhere.example")], "another origin"),
        (vec![("origin", "null")], "none to be known"),
        (vec![("sec-fetch-site", "cross-site")], "another site"),
        (vec![("sec-fetch-site", "same-site"), ("origin", host)], "a neighbor"),
    ] {
        assert_eq!(send(&headers, ours.clone()).await, 403, "{why}");
    }
    for body in [
        "name=new".into(),
        "name=new&form=".into(),
        format!("name=new&form={}", other.form),
        format!("name=new&form={}0", admin.form),
    ] {
        assert_eq!(send(&[("origin", host)], body.clone()).await, 403, "{body}");
    }
    assert!(node.app.db.account_named("new").await.unwrap().is_none());
    assert_eq!(send(&[("origin", host)], ours).await, 200);
    assert_eq!(send(&[("sec-fetch-site", "same-origin")], format!("form={}&name=new2", admin.form)).await, 200);
    // Nobody is signed in by another site either.
    let sign_in =
        node.stranger().request(reqwest::Method::POST, "/signin").header("origin", "http://elsewhere.example");
    let sign_in = sign_in
        .header("content-type", "application/x-www-form-urlencoded")
        .body("name=doe&password=the+password+of+doe");
    assert_eq!(sign_in.send().await.unwrap().status(), 403);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_costs_time_and_a_thousand_guesses_are_not_hashed() {
    let node = node().await;
    node.person("doe", &[Role::Physician]).await;
    let (client, address) = (crate::support::client(), format!("{}/signin", node.http));
    let tries = (0..1000).map(|i| {
        let request = client
            .post(&address)
            .header("sec-fetch-site", "same-origin")
            .header("x-forwarded-for", "10.0.0.1")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("name=user{i}&password=guess"));
        async move {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
        }
    });
    let answers: Vec<(u16, bool)> = futures_util::stream::iter(tries).buffer_unordered(200).collect().await;
    for answer in &answers {
        assert!(matches!(answer, (401, false) | (429 | 503, true)), "{answer:?}");
    }
    let judged = answers.iter().filter(|answer| answer.0 == 401).count();
    assert!(judged <= 40, "{judged} passwords were hashed");
    assert!(node.app.passwords.most_at_once() <= 2);
    // Whoever sits at the machine is not kept out by it.
    assert_eq!(enter(&mut node.stranger(), "doe", "the password of doe").await, "/me");
    let mut waits = 0;
    for _ in 0..8 {
        let answer = node.stranger().post("/signin", &[("name", "doe"), ("password", "wrong")]).await;
        waits += usize::from(answer.status() == 429);
    }
    assert!(waits >= 3, "an account waits after five");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_manages_accounts() {
    let node = node().await;
    let admin = node.visitor("roe", &[Role::Administrator]).await;
    let hostile = "<script>alert(1)</script>{{7*7}}\u{202E}=cmd|' /C calc'!A0";
    let fields = [("name", "Doe"), ("full_name", hostile), ("physician", "1")];
    let page = admin.post("/people", &fields).await.text().await.unwrap();
    let password = page.split("<code class=\"large\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let page = admin.page("/people").await;
    assert!(!page.contains(&password), "it is shown once");
    crate::pages::is_clean(&page, "/people");
    assert!(
        !page.contains("<script>alert")
            && page.contains("[U+202E]")
            && !page.contains('\u{202E}')
            && page.contains("{{7*7}}")
    );
    for name in ["", "a b", "<b>", "=cmd", "doe"] {
        assert_eq!(admin.post("/people", &[("name", name)]).await.status(), 400, "{name}");
    }
    let mut doe = node.stranger();
    assert_eq!(enter(&mut doe, "doe", &password).await, "/signin/password?next=%2Fme");
    let answer =
        doe.post("/signin/password", &[("password", "four unrelated words"), ("again", "four unrelated words")]).await;
    doe.follow(&answer).await;
    crate::pages::is_clean(&doe.page("/me").await, "/me");
    assert_eq!(doe.get("/people").await.status(), 403);
    let id = node.app.db.account_named("doe").await.unwrap().unwrap().person.id;
    // Roles count at once.
    assert_eq!(admin.post(&format!("/people/{id}"), &[("full_name", "Doe"), ("auditor", "1")]).await.status(), 200);
    assert_eq!((doe.get("/").await.status().as_u16(), doe.get("/audit").await.status().as_u16()), (403, 200));
    assert_eq!(admin.post(&format!("/people/{id}/disable"), &[]).await.status(), 200);
    assert_eq!(doe.get("/audit").await.status(), 303);
    assert_eq!(doe.post("/signin", &[("name", "doe"), ("password", "four unrelated words")]).await.status(), 401);
    assert_eq!(admin.post(&format!("/people/{id}/enable"), &[]).await.status(), 200);
    enter(&mut doe, "doe", "four unrelated words").await;
    let page = admin.post(&format!("/people/{id}/reset"), &[]).await.text().await.unwrap();
    assert!(page.contains("Password of doe"));
    assert_eq!(doe.get("/me").await.status(), 303);
    assert_eq!(admin.post("/people/999/reset", &[]).await.status(), 404);
    // The first account is an administrator too; without it the last one stays.
    let first = node.app.db.account_named("admin").await.unwrap().unwrap().person.id;
    assert_eq!(admin.post(&format!("/people/{first}/disable"), &[]).await.status(), 200);
    let own = node.app.db.account_named("roe").await.unwrap().unwrap().person.id;
    assert_eq!(admin.post(&format!("/people/{own}/disable"), &[]).await.status(), 409);
    assert_eq!(admin.post(&format!("/people/{own}"), &[("auditor", "1")]).await.status(), 409);
    assert_eq!(admin.get("/people").await.status(), 200);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_holds_no_second_factor_that_it_could_use() {
    let node = node().await;
    let (doe, roe) = (node.visitor("doe", &[Role::Physician]).await, node.visitor("roe", &[Role::Physician]).await);
    let mut secrets = Vec::new();
    for (name, visitor) in [("doe", &doe), ("roe", &roe)] {
        let password = format!("the password of {name}");
        let current = ("current", password.as_str());
        let page = visitor.post("/me/factor", &[current]).await.text().await.unwrap();
        let secret = page.split("secret=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        assert!(visitor.page("/me").await.contains(&secret), "it is shown until it is confirmed");
        let confirmed = visitor.post("/me/factor/confirm", &[current, ("code", &code(&secret, 0))]).await;
        assert_eq!(confirmed.status(), 200);
        secrets.push(secret);
    }
    // As a version before this one left a third.
    let plain = totp::secret();
    let old = node.person("old", &[Role::Physician]).await;
    node.app.db.set_totp(old, &plain).await.unwrap();
    node.app.db.confirm_totp(old, 1, &[]).await.unwrap();
    // A secret that was put into another account's row opens nothing there, whatever code is typed.
    let [first, second] = ["doe", "roe"].map(|name| async { node.app.db.account_named(name).await.unwrap().unwrap() });
    let (first, second) = (first.await, second.await);
    node.app.db.set_totp(first.person.id, &second.totp_secret).await.unwrap();
    node.app.db.confirm_totp(first.person.id, 1, &[]).await.unwrap();
    let mut thief = node.stranger();
    enter(&mut thief, "doe", "the password of doe").await;
    for code in [code(&secrets[1], 0), code(&secrets[0], 0), "000000".into()] {
        assert_eq!(thief.post("/signin/code", &[("code", &code)]).await.status(), 401);
    }
    node.app.db.set_totp(first.person.id, &first.totp_secret).await.unwrap();
    node.app.db.confirm_totp(first.person.id, 1, &[]).await.unwrap();
    // The next start seals what was plain.
    let folder = node.stop().await;
    let mut config = crate::support::config(folder.path());
    config.roles = vec![NodeRole::Receive, NodeRole::Pages];
    let node = Running::start_in(folder, config.clone()).await;
    for name in ["coxa.sqlite", "coxa.sqlite-wal"] {
        let bytes = std::fs::read(node.folder.path().join("data").join(name)).unwrap_or_default();
        for secret in secrets.iter().chain([&plain]) {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{name}");
        }
    }
    for (name, secret) in [("old", &plain), ("doe", &secrets[0])] {
        let mut visitor = node.stranger();
        enter(&mut visitor, name, &format!("the password of {name}")).await;
        assert_eq!(visitor.post("/signin/code", &[("code", &code(secret, 1))]).await.status(), 303, "{name}");
    }
    // Without its key the node does not start, and says what to do.
    let folder = node.stop().await;
    std::fs::write(folder.path().join("data/secrets.key"), coxa_serve::secret()).unwrap();
    let error = coxa_serve::Node::start(config.clone()).await.unwrap_err();
    assert!(error.to_string().contains("sealed with another key"), "{error}");
    assert!(coxa_schema::Hint::hint(&error).unwrap().contains("key_file"));
}

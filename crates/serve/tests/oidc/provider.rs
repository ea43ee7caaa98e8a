//! An identity provider that does as it is written.

use std::sync::{Arc, Mutex};

use axum::extract::{Form, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

pub const SECRET: &str = "the client's secret";

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Signed {
    /// ES256 with the provider's key.
    ByItsKey,
    /// ES256 with a key that the provider does not publish, under the name of one that it does.
    ByAnother,
    /// HS256 with the client's secret.
    WithTheSecret,
    /// HS256 with the provider's public key, as text.
    WithThePublicKey,
    /// `none`.
    Not,
}

/// What the provider does next.
#[derive(Clone)]
pub struct Script {
    pub signed: Signed,
    /// Over the claims of a right token; `null` removes one.
    pub claims: Value,
    /// Over the document of discovery.
    pub discovery: Value,
    pub userinfo: Value,
    pub nonce: String,
    /// What was sent to the token endpoint.
    pub asked: Vec<(String, String)>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            signed: Signed::ByItsKey,
            claims: json!({}),
            discovery: json!({}),
            userinfo: json!({}),
            nonce: String::new(),
            asked: Vec::new(),
        }
    }
}

/// A provider that does as it is written.
pub struct Provider {
    pub issuer: String,
    key: EcdsaKeyPair,
    other: EcdsaKeyPair,
    pub script: Mutex<Script>,
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random).unwrap()
}

pub fn seconds() -> i64 {
    coxa_serve::db::now() / 1_000_000
}

/// Lays members over an object; `null` removes one.
pub fn laid_over(mut under: Value, over: &Value) -> Value {
    for (name, value) in over.as_object().unwrap() {
        match value {
            Value::Null => drop(under.as_object_mut().unwrap().remove(name)),
            value => under[name] = value.clone(),
        }
    }
    under
}

impl Provider {
    pub async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = Arc::new(Self { issuer, key: key(), other: key(), script: Mutex::default() });
        let router = axum::Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/elsewhere", get(|| async { Redirect::temporary("/jwks") }))
            .route("/long", get(|| async { json_of(&json!({ "keys": [], "more": "x".repeat(2 << 20) })) }))
            .with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        provider
    }

    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        let mut script = self.script.lock().unwrap();
        *script = Script { nonce: script.nonce.clone(), ..Script::default() };
        change(&mut script);
    }

    fn jwks(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "alg": "ES256", "x": x, "y": y }] })
    }

    pub fn token(&self, claims: &Value, signed: Signed, kind: &str) -> String {
        let algorithm = match signed {
            Signed::ByItsKey | Signed::ByAnother => "ES256",
            Signed::WithTheSecret | Signed::WithThePublicKey => "HS256",
            Signed::Not => "none",
        };
        let head = json!({ "alg": algorithm, "kid": "one", "typ": kind });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&head), part(claims));
        let mac = |key: &[u8]| {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
            ring::hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
        };
        let with = |key: &EcdsaKeyPair| key.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec();
        let signature = match signed {
            Signed::ByItsKey => with(&self.key),
            Signed::ByAnother => with(&self.other),
            Signed::WithTheSecret => mac(SECRET.as_bytes()),
            Signed::WithThePublicKey => mac(self.jwks()["keys"][0].to_string().as_bytes()),
            Signed::Not => Vec::new(),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn json_of(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

async fn discovery(State(provider): State<Arc<Provider>>) -> Response {
    let at = |path: &str| format!("{}{path}", provider.issuer);
    let document = json!({
        "issuer": provider.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"), "jwks_uri": at("/jwks"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
    });
    json_of(&laid_over(document, &provider.script.lock().unwrap().discovery))
}

async fn jwks(State(provider): State<Arc<Provider>>) -> Response {
    json_of(&provider.jwks())
}

async fn userinfo(State(provider): State<Arc<Provider>>) -> Response {
    json_of(&provider.script.lock().unwrap().userinfo)
}

async fn token(State(provider): State<Arc<Provider>>, Form(asked): Form<Vec<(String, String)>>) -> Response {
    let mut script = provider.script.lock().unwrap();
    script.asked = asked;
    let right = json!({
        "iss": provider.issuer, "aud": "coxa", "sub": "u-1", "iat": seconds(), "exp": seconds() + 300, "nonce": script.nonce,
        "preferred_username": "Doe", "name": "Jane Doe", "groups": ["everybody", "radiology"],
    });
    let token = provider.token(&laid_over(right, &script.claims), script.signed, "JWT");
    json_of(&json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": token }))
}

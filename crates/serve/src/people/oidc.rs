//! An identity provider: OpenID Connect's authorization code flow with PKCE, all of it on the server.
//!
//! No token reaches a page or the database. Every address of the provider is called over TLS (plain HTTP on this machine alone), without
//! redirects, with a deadline and a limit of size; addresses of the link are refused. ID tokens are verified with the provider's public
//! keys alone: a token that is not signed, or signed with the client's secret, is none.

use std::time::{Duration, Instant};

use axum::http::{Response, header};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    IdToken, IdTokenClaims, IdTokenFields, IdTokenVerifier, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, SignatureVerificationError, StandardErrorResponse, StandardTokenResponse,
    TokenResponse, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::config::{Oidc, may_be_called};
use crate::db::Flow;
use crate::push;
use crate::visible::visible;

/// How long the provider's addresses and keys are kept.
const FRESH: Duration = Duration::from_secs(3600);
/// Keys that do not know a token are fetched again at most this often.
const AGAIN: Duration = Duration::from_secs(30);
/// How long a provider that failed is left alone.
const PAUSE: Duration = Duration::from_secs(5);
/// How long an answer of the provider may take, and how long it may be.
const PATIENCE: Duration = Duration::from_secs(15);
const LARGEST: usize = 1 << 20;
/// A token of another clock may be from so many seconds ahead; one that ends sessions is good for so many.
const DRIFT: i64 = 300;
/// What a token that ends sessions holds (OpenID Connect Back-Channel Logout 1.0, 2.4).
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Public-key signatures, and no other.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The claims that the standard does not name, the groups among them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Claims(Map<String, Value>);

impl AdditionalClaims for Claims {}

type Token = IdToken<Claims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Answer = StandardTokenResponse<
    IdTokenFields<
        Claims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;
type Client = openidconnect::Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Answer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why a sign-in came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The provider cannot be reached, or answers what no provider answers.
    #[error("the identity provider: {0}")]
    Provider(String),
    /// The provider does not take the code.
    #[error("the identity provider refused the code: {0}")]
    Code(String),
    /// What it states of a person cannot be believed.
    #[error("the token is refused: {0}")]
    Token(String),
}

impl Failure {
    /// As the audit log has it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Provider(_) => "provider",
            Self::Code(_) => "code",
            Self::Token(_) => "token",
        }
    }
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct CallError(String);

/// Who somebody is at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The number or name that never changes there.
    pub(crate) subject: String,
    /// The name that is signed in with there; empty where it is not stated.
    pub(crate) name: String,
    /// As other people read it.
    pub(crate) full_name: String,
    /// The mail address that the provider has verified; empty where there is none.
    pub(crate) email: String,
    /// Groups or roles there.
    pub(crate) groups: Vec<String>,
}

/// A sign-in that begins: where the browser goes, and what is kept meanwhile.
pub(crate) struct Begun {
    pub(crate) address: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
}

#[derive(Debug, Default)]
struct Known {
    http: Option<reqwest::Client>,
    metadata: Option<(Instant, CoreProviderMetadata)>,
    failed: Option<(Instant, String)>,
}

/// The provider, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Provider {
    known: Mutex<Known>,
}

impl Provider {
    /// The provider's addresses and keys, not older than `fresh`.
    async fn metadata(&self, oidc: &Oidc, fresh: Duration) -> Result<(reqwest::Client, CoreProviderMetadata), Failure> {
        let mut known = self.known.lock().await;
        let http = match &known.http {
            Some(http) => http.clone(),
            None => {
                let made = push::client().map_err(Failure::Provider)?;
                known.http.insert(made).clone()
            }
        };
        if let Some((at, metadata)) = &known.metadata
            && at.elapsed() < fresh
        {
            return Ok((http, metadata.clone()));
        }
        if let Some((at, why)) = &known.failed
            && at.elapsed() < PAUSE
        {
            return Err(Failure::Provider(why.clone()));
        }
        match discover(oidc, &http).await {
            Ok(metadata) => {
                known.metadata = Some((Instant::now(), metadata.clone()));
                known.failed = None;
                Ok((http, metadata))
            }
            Err(why) => {
                known.failed = Some((Instant::now(), why.clone()));
                Err(Failure::Provider(why))
            }
        }
    }

    /// Whether the provider answers as one does.
    pub(crate) async fn check(&self, oidc: &Oidc) -> Result<(), Failure> {
        self.metadata(oidc, FRESH).await.map(drop)
    }

    /// Begins a sign-in that is led back to `back`.
    pub(crate) async fn begin(&self, oidc: &Oidc, back: &str) -> Result<Begun, Failure> {
        let (_, metadata) = self.metadata(oidc, FRESH).await?;
        let client = client(oidc, metadata, back)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = client.authorize_url(
            AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
            || CsrfToken::new(crate::secret()),
            || Nonce::new(crate::secret()),
        );
        let scopes = oidc.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new);
        let (url, state, nonce) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
        Ok(Begun {
            address: url.to_string(),
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    /// Exchanges the code that a browser came back with, and verifies who it is.
    pub(crate) async fn finish(&self, oidc: &Oidc, back: &str, code: String, flow: &Flow) -> Result<Identity, Failure> {
        let (http, metadata) = self.metadata(oidc, FRESH).await?;
        let client = client(oidc, metadata, back)?;
        let ask = |request| call(http.clone(), request);
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Failure::Provider(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone()));
        let answer = request.request_async(&ask).await.map_err(|error| Failure::Code(explained(&error)))?;
        let token = answer.id_token().ok_or_else(|| Failure::Token("there is no ID token".into()))?;
        let claims = self.verified(oidc, token, Some(&flow.nonce)).await?;
        let mut identity = identity(oidc, &claims);
        // Some providers state groups, names and addresses on request alone.
        let is_whole = !identity.groups.is_empty() && (oidc.email_domains.is_empty() || !identity.email.is_empty());
        if !is_whole
            && let Ok(request) = client.user_info(answer.access_token().clone(), Some(claims.subject().clone()))
        {
            let stated: UserInfoClaims<Claims, CoreGenderClaim> =
                request.request_async(&ask).await.map_err(|error| Failure::Provider(explained(&error)))?;
            identity.complete(oidc, &stated);
        }
        Ok(identity)
    }

    /// Whose sessions a logout token of the provider ends: the subject.
    pub(crate) async fn ended(&self, oidc: &Oidc, token: &str) -> Result<String, Failure> {
        let token: Token = token.parse().map_err(|_| Failure::Token("it is no signed token with a subject".into()))?;
        let claims = self.verified(oidc, &token, None).await?;
        let events = claims.additional_claims().0.get("events").and_then(Value::as_object);
        if !events.is_some_and(|events| events.contains_key(LOGOUT)) {
            return Err(Failure::Token("it is no logout token".into()));
        }
        let age = crate::db::now() / 1_000_000 - claims.issue_time().timestamp();
        if age > DRIFT {
            return Err(Failure::Token("it was issued too long ago".into()));
        }
        Ok(claims.subject().to_string())
    }

    /// A token's claims, where its signature, issuer, audience, times and nonce are right; without `nonce` it must have none.
    async fn verified(
        &self,
        oidc: &Oidc,
        token: &Token,
        nonce: Option<&str>,
    ) -> Result<IdTokenClaims<Claims, CoreGenderClaim>, Failure> {
        let (_, metadata) = self.metadata(oidc, FRESH).await?;
        match verify(oidc, &metadata, token, nonce) {
            // The provider may have new keys.
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
                let (_, metadata) = self.metadata(oidc, AGAIN).await?;
                verify(oidc, &metadata, token, nonce)
            }
            verified => verified,
        }
        .map_err(|error| Failure::Token(explained(&error)))
    }
}

async fn discover(oidc: &Oidc, http: &reqwest::Client) -> Result<CoreProviderMetadata, String> {
    let issuer = IssuerUrl::new(oidc.issuer.clone()).map_err(|error| error.to_string())?;
    let ask = |request| call(http.clone(), request);
    let metadata = CoreProviderMetadata::discover_async(issuer, &ask).await.map_err(|error| explained(&error))?;
    if !may_be_called(metadata.authorization_endpoint().url()) {
        return Err("its page of sign-in is no https:// address".into());
    }
    Ok(metadata)
}

fn client(oidc: &Oidc, metadata: CoreProviderMetadata, back: &str) -> Result<Client, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Provider(error.to_string());
    let secret = oidc.secret().map_err(|error| wrong(&error))?;
    let back = RedirectUrl::new(back.to_owned()).map_err(|error| wrong(&error))?;
    let methods = metadata.token_endpoint_auth_methods_supported().cloned().unwrap_or_default();
    let is_in_body = methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic);
    let client =
        Client::from_provider_metadata(metadata, ClientId::new(oidc.client_id.clone()), secret.map(ClientSecret::new));
    let client = client.set_redirect_uri(back);
    Ok(if is_in_body { client.set_auth_type(AuthType::RequestBody) } else { client })
}

fn verify(
    oidc: &Oidc,
    metadata: &CoreProviderMetadata,
    token: &Token,
    nonce: Option<&str>,
) -> Result<IdTokenClaims<Claims, CoreGenderClaim>, ClaimsVerificationError> {
    // The verifier of a public client has no secret to verify with.
    let verifier = IdTokenVerifier::new_public_client(
        ClientId::new(oidc.client_id.clone()),
        metadata.issuer().clone(),
        metadata.jwks().clone(),
    );
    let verifier = verifier.set_allowed_algs(ALGORITHMS).set_issue_time_verifier_fn(|at| {
        let ahead = at.timestamp() - crate::db::now() / 1_000_000;
        if ahead > DRIFT { Err("it was issued in the future".into()) } else { Ok(()) }
    });
    match nonce {
        Some(nonce) => token.claims(&verifier, &Nonce::new(nonce.to_owned())).cloned(),
        None => token
            .claims(&verifier.allow_all_jose_types(), |nonce: Option<&Nonce>| match nonce {
                Some(_) => Err("it holds a nonce".to_owned()),
                None => Ok(()),
            })
            .cloned(),
    }
}

/// A request to the provider.
async fn call(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, CallError> {
    let (head, body) = request.into_parts();
    let url: reqwest::Url = head.uri.to_string().parse().map_err(|_| CallError("an address is no URL".into()))?;
    if !may_be_called(&url) {
        return Err(CallError("an address that it names is not https://, or is one of the link".into()));
    }
    let failed = |error: reqwest::Error| CallError(explained(&error.without_url()));
    let request = http.request(head.method, url).headers(head.headers).body(body).timeout(PATIENCE);
    let mut answer = request.send().await.map_err(failed)?;
    let mut response = Response::builder().status(answer.status());
    if let Some(media) = answer.headers().get(header::CONTENT_TYPE) {
        response = response.header(header::CONTENT_TYPE, media);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > LARGEST {
            return Err(CallError(format!("an answer is longer than {LARGEST} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    response.body(bytes).map_err(|error| CallError(error.to_string()))
}

/// An error with what caused it, in a line that a peer's text cannot break.
fn explained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    visible(&text).chars().take(400).collect()
}

fn identity(oidc: &Oidc, claims: &IdTokenClaims<Claims, CoreGenderClaim>) -> Identity {
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let email = text(claims.email().map(|email| &**email));
    let name = text(claims.preferred_username().map(|name| &**name));
    let is_verified = claims.email_verified() == Some(true);
    Identity {
        subject: claims.subject().to_string(),
        name: if name.is_empty() { email.clone() } else { name },
        full_name: text(claims.name().and_then(|name| name.get(None)).map(|name| &**name)),
        email: if is_verified { email } else { String::new() },
        groups: groups(&oidc.claim, &claims.additional_claims().0),
    }
}

impl Identity {
    /// What the ID token did not state.
    fn complete(&mut self, oidc: &Oidc, stated: &UserInfoClaims<Claims, CoreGenderClaim>) {
        let email = stated.email().map(|email| email.to_string()).unwrap_or_default();
        if self.groups.is_empty() {
            self.groups = groups(&oidc.claim, &stated.additional_claims().0);
        }
        if self.name.is_empty() {
            self.name = stated.preferred_username().map_or_else(|| email.clone(), |name| name.to_string());
        }
        if self.full_name.is_empty() {
            self.full_name =
                stated.name().and_then(|name| name.get(None)).map(|name| name.to_string()).unwrap_or_default();
        }
        if self.email.is_empty() && stated.email_verified() == Some(true) {
            self.email = email;
        }
    }
}

/// The groups that a claim states: a list of texts, or one text; the claim by its name, or by the path `a.b` where none has that name.
fn groups(claim: &str, claims: &Map<String, Value>) -> Vec<String> {
    let by_path = || {
        let mut parts = claim.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    };
    match claims.get(claim).or_else(by_path) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_are_found_by_name_and_by_path() {
        let claims = json!({
            "groups": ["a", 7, "b"], "role": "one", "realm_access": { "roles": ["r"] }, "https://x.example/roles": ["u"],
        });
        let Value::Object(claims) = claims else { unreachable!() };
        for (claim, found) in [
            ("groups", vec!["a", "b"]),
            ("role", vec!["one"]),
            ("realm_access.roles", vec!["r"]),
            ("https://x.example/roles", vec!["u"]),
            ("realm_access", vec![]),
            ("none.roles", vec![]),
        ] {
            assert_eq!(groups(claim, &claims), found, "{claim}");
        }
    }

    #[test]
    fn what_may_be_called() {
        for url in ["https://idp.example/a", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1/"] {
            assert!(may_be_called(&url.parse().unwrap()), "{url}");
        }
        for url in [
            "http://idp.example/",
            "https://169.254.169.254/latest",
            "https://[fe80::1]/",
            "https://user:password@idp.example/",
            "ftp://127.0.0.1/",
            "http://localhost.evil.example/",
            "http://10.0.0.1/",
        ] {
            assert!(!may_be_called(&url.parse().unwrap()), "{url}");
        }
    }
}

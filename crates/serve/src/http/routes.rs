//! The one way to add a route: with the action that its rule is about. A router that was made here has no route without a rule.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, Route, on};
use tower::{Layer, Service};

use super::app::App;
use crate::people::Action;

/// A route and its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `GET` or `POST`; `HEAD` is as `GET`.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// What the route does.
    pub action: Action,
}

/// Routes with their rules.
pub(crate) struct Routes {
    router: Router<Arc<App>>,
    rules: Vec<Rule>,
}

/// Rules by path and method.
pub(super) type Rules = BTreeMap<(&'static str, String), Action>;

impl Routes {
    pub(super) fn new() -> Self {
        Self { router: Router::new(), rules: Vec::new() }
    }

    /// Adds a `GET` route.
    #[must_use]
    pub(crate) fn get<H: Handler<T, Arc<App>>, T: 'static>(
        self,
        path: &'static str,
        action: Action,
        handler: H,
    ) -> Self {
        self.route(Method::GET, MethodFilter::GET, path, action, handler)
    }

    /// Adds a `POST` route.
    #[must_use]
    pub(crate) fn post<H: Handler<T, Arc<App>>, T: 'static>(
        self,
        path: &'static str,
        action: Action,
        handler: H,
    ) -> Self {
        self.route(Method::POST, MethodFilter::POST, path, action, handler)
    }

    fn route<H: Handler<T, Arc<App>>, T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        action: Action,
        handler: H,
    ) -> Self {
        self.router = self.router.route(path, on(filter, handler));
        self.rules.push(Rule { method, path, action });
        self
    }

    /// Wraps each route so far in a layer, as [`Router::layer`] does.
    #[must_use]
    pub(crate) fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.router = self.router.layer(layer);
        self
    }

    /// With other routes.
    #[must_use]
    pub(super) fn with(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.rules.extend(other.rules);
        self
    }

    /// The rules.
    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The router, and its rules by path and method.
    pub(super) fn into_parts(self) -> (Router<Arc<App>>, Rules) {
        let rules = self.rules.iter().map(|rule| ((rule.path, rule.method.to_string()), rule.action)).collect();
        (self.router, rules)
    }
}

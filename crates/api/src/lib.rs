//! The wire: requests read, the service asked, answers written. Each dialect has a folder; what they share lies beside.
//! Knows no rule of the business: an `if` about runs or credits belongs in `service`.

mod autoretouch;
mod bearer;
mod body;
mod cause;
mod client;
mod form;
mod handout;
mod hosts;
mod listing;
mod multipart;
mod native;
mod oauth;
mod observe;
mod openapi;
mod operations;
mod pages;
mod paths;
mod repeat;
pub mod runflow;
mod serve;
mod tls;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware;
use axum::routing::get;
use service::Service;
use tower::ServiceBuilder;

use hosts::Division;

pub use autoretouch::event::AutoRetouchEvents;
pub use hosts::{Host, Hosts, NoHost};
pub use openapi::{autoretouch_document, native_document};
pub use operations::{Check, MetricsText, Readiness, operations_router};
pub use runflow::dispatch::FACE as RUNFLOW_FACE;
pub use runflow::event::RunflowEvents;
pub use serve::{Serving, serve};
pub use tls::{Tls, TlsFault};

/// Limits and names of the wire.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Proxies whose `x-forwarded-for` is believed; others' is not looked at.
    pub trusted_proxies: Vec<IpAddr>,
    /// The names it answers by.
    pub hosts: Hosts,
    /// Largest body that is not a file, in bytes.
    pub json_bytes_max: usize,
    /// Largest body that orders many images at once, in bytes.
    pub order_bytes_max: usize,
    /// A body that sends nothing for so long is given up.
    pub body_idle: Duration,
    /// Largest JSON body that may hold pictures, in bytes.
    pub inline_bytes_max: usize,
    /// What a credit is worth, in millionths of a US dollar.
    pub credit_micros: u64,
    /// Origins whose pages may call the Runflow interface from a browser; `*` for every one.
    pub cors_origins: Vec<String>,
    /// A waiting event stream says that it is alive this often, to those who can read it.
    pub heartbeat: Duration,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            hosts: Hosts::default(),
            json_bytes_max: 1024 * 1024,
            order_bytes_max: 16 * 1024 * 1024,
            inline_bytes_max: 24 * 1024 * 1024,
            credit_micros: 1000,
            cors_origins: Vec::new(),
            body_idle: Duration::from_secs(30),
            heartbeat: Duration::from_secs(15),
        }
    }
}

impl ApiSettings {
    /// Largest JSON body taken at a path of the native interface.
    fn bytes_max_at(&self, path: &str) -> usize {
        if path.ends_with("/orders") { self.order_bytes_max } else { self.json_bytes_max }
    }
}

/// What every handler has.
#[derive(Clone)]
struct Front {
    service: Service,
    settings: Arc<ApiSettings>,
    /// Looks whether the server can do its work; none where nobody asks.
    readiness: Option<Arc<dyn Readiness>>,
}

impl FromRef<Front> for Service {
    fn from_ref(front: &Front) -> Self {
        front.service.clone()
    }
}

/// The AutoRetouch dialect with its sign-in, and the native interface below `/packshot/v1`: everything a client of either
/// reaches, and their OpenAPI documents.
/// Serve it with the peer's address as connect info ([`serve()`] does), or guesses at codes and passwords are counted
/// for all clients together.
pub fn router(service: Service, settings: ApiSettings, readiness: Arc<dyn Readiness>) -> Router {
    let front = Front { service, settings: Arc::new(settings), readiness: Some(readiness) };
    let native = native::router(front.clone());
    let fore = front.clone();
    let (routes, document) = openapi::autoretouch_routes().split_for_parts();
    let document = Arc::new(openapi::finish(document));
    let division = Division::new(front.settings.clone(), document.paths.paths.keys().map(String::as_str));
    let routes = routes
        .merge(pages::routes())
        .route("/openapi.json", get(move || openapi::serve_document(document.clone())))
        .fallback(autoretouch::unknown_path)
        .method_not_allowed_fallback(autoretouch::unknown_method)
        .layer(middleware::from_fn_with_state(division, hosts::keep_apart))
        .layer(middleware::from_fn(autoretouch::unambiguous))
        .layer(middleware::from_fn_with_state(front.clone(), autoretouch::seal))
        .layer(middleware::from_fn_with_state(front.clone(), observe::observe))
        .with_state(front);
    // Around the routes, not a layer on them: paths must be rewritten before a route is chosen.
    let others = native.fallback_service(ServiceBuilder::new().map_request(paths::rewrite).service(routes));
    runflow::before(others, fore)
}

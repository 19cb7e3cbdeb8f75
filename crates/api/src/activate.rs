//! The page on which a person lets a device in. Plain HTML, no script, nothing from elsewhere.

use std::net::IpAddr;

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderName, REFERRER_POLICY, RETRY_AFTER,
    SET_COOKIE, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use service::access::{Decision, DeviceRequest, form_token};
use service::{Refusal, Service};

use crate::Front;
use crate::autoretouch::error::Verbatim;
use crate::body::read_all;
use crate::client::ClientAddress;
use crate::form::{Pairs, Query};
use crate::observe::Said;

const STYLE: &str = include_str!("../assets/activate.css");
const FORM_BYTES_MAX: usize = 16 * 1024;
const FORM_COOKIE: &str = "packshot_form";
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(crate) fn routes() -> Router<Front> {
    Router::new()
        .route("/activate", get(show).post(decide))
        .route("/activate.css", get(|| async { ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }))
}

/// What the page shows.
enum Stage<'a> {
    /// A field for the code.
    AskForCode,
    /// The code to compare, and the sign-in.
    Compare(&'a DeviceRequest),
    /// It is done, or refused.
    Done { title: &'static str, text: &'static str },
}

#[derive(Template)]
#[template(path = "activate.html")]
struct Page<'a> {
    stage: Stage<'a>,
    fault: Option<String>,
    email: &'a str,
    typed_code: &'a str,
    form_token: &'a str,
}

/// Shows the code to compare, or asks for it.
async fn show(
    State(service): State<Service>,
    ClientAddress(from): ClientAddress,
    Query(query): Query,
    headers: HeaderMap,
) -> Response {
    let token = cookie(&headers).unwrap_or_else(form_token);
    match query.get("user_code") {
        None => page(&service, StatusCode::OK, Stage::AskForCode, None, "", "", &token),
        Some(code) => compare(&service, from, code, None, "", &token).await,
    }
}

/// The page for that code; asks for another when there is no open sign-in with it.
async fn compare(
    service: &Service,
    from: IpAddr,
    code: &str,
    fault: Option<Refusal>,
    email: &str,
    token: &str,
) -> Response {
    match service.device_request(code, from).await {
        Ok(request) => {
            let status = fault.as_ref().map_or(StatusCode::OK, status_of);
            page(service, status, Stage::Compare(&request), fault.as_ref(), email, code, token)
        }
        Err(refusal) => {
            page(service, status_of(&refusal), Stage::AskForCode, Some(&refusal), "", code, token)
        }
    }
}

/// Takes the decision.
async fn decide(
    State(service): State<Service>,
    ClientAddress(from): ClientAddress,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let token = cookie(&headers).unwrap_or_else(form_token);
    let form = match read_all(body, FORM_BYTES_MAX).await {
        Ok(bytes) => Pairs::parse(&bytes),
        Err(fault) => {
            let refusal = Refusal::Invalid(fault.to_string());
            return page(
                &service,
                StatusCode::BAD_REQUEST,
                Stage::AskForCode,
                Some(&refusal),
                "",
                "",
                &token,
            );
        }
    };
    let code = form.get("user_code").unwrap_or_default();
    let email = form.get("email").unwrap_or_default();
    // A form that another site made has neither our cookie nor its copy, and modern browsers say where it comes from.
    let site = headers.get(SEC_FETCH_SITE).and_then(|site| site.to_str().ok());
    let from_here = cookie(&headers).is_some_and(|cookie| form.get("form_token") == Some(cookie.as_str()))
        && !matches!(site, Some("cross-site" | "same-site"));
    if !from_here {
        let refusal = Refusal::NotAllowed(
            "this form did not come from this page, or cookies are off; allow them and try again".to_owned(),
        );
        return page(&service, StatusCode::FORBIDDEN, Stage::AskForCode, Some(&refusal), "", code, &token);
    }
    let (decision, done) = match form.get("decision") {
        Some("confirm") => {
            let password = form.get("password").unwrap_or_default().to_owned();
            let done = Stage::Done {
                title: "Congratulations, you’re all set",
                text: "The device is signed in. You can close this window and return to it.",
            };
            (Decision::Confirm { email: email.to_owned(), password }, done)
        }
        Some("deny") => {
            let done = Stage::Done {
                title: "The device was turned away",
                text: "It cannot act for you. You can close this window.",
            };
            (Decision::Deny, done)
        }
        _ => return compare(&service, from, code, None, email, &token).await,
    };
    match service.decide_device(code, decision, from).await {
        Ok(()) => page(&service, StatusCode::OK, done, None, "", "", &token),
        Err(refusal @ (Refusal::Missing { .. } | Refusal::TooManyTries { .. })) => {
            page(&service, status_of(&refusal), Stage::AskForCode, Some(&refusal), "", code, &token)
        }
        Err(refusal) => compare(&service, from, code, Some(refusal), email, &token).await,
    }
}

fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Missing { .. } => StatusCode::NOT_FOUND,
        Refusal::WrongPassword => StatusCode::UNAUTHORIZED,
        Refusal::NotAllowed(_) => StatusCode::FORBIDDEN,
        Refusal::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Ours { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// The token this browser's forms carry.
fn cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == FORM_COOKIE)
        .map(|(_, value)| value.to_owned())
        .filter(|value| value.len() == 43 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn page(
    service: &Service,
    status: StatusCode,
    stage: Stage<'_>,
    fault: Option<&Refusal>,
    email: &str,
    typed_code: &str,
    token: &str,
) -> Response {
    if let Some(Refusal::Ours { doing, source }) = fault {
        tracing::error!(error = %crate::autoretouch::error::chain(source.as_ref()), "cannot {doing}");
    }
    let text = fault.map(|refusal| match refusal {
        Refusal::Missing { .. } => {
            "There is no open sign-in with this code. Compare it with your device; it may have expired."
                .to_owned()
        }
        other => sentence(&other.to_string()),
    });
    let html = Page { stage, fault: text, email, typed_code, form_token: token }.render();
    let html = match html {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "cannot write the activation page");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = (
        status,
        [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "no-referrer"),
        ],
        html,
    )
        .into_response();
    let secure = if service.settings().public_url.starts_with("https:") { "; Secure" } else { "" };
    let cookie = format!("{FORM_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=1800{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    if let Some(Refusal::TooManyTries { retry_after }) = fault {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from((retry_after.0.max(0) + 999) / 1000));
    }
    if let Some(refusal) = fault {
        response.extensions_mut().insert(Said { code: refusal.code(), message: refusal.to_string() });
    }
    response.extensions_mut().insert(Verbatim);
    response
}

/// An error text as people read one: a capital, and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

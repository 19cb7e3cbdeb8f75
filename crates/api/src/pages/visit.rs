//! One visit to a page: who comes, from where, with which cookies; what their forms must carry; how a page is answered.

use std::net::IpAddr;

use askama::Template;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderName, LOCATION, REFERRER_POLICY,
    RETRY_AFTER, SET_COOKIE, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::time::Timestamp;
use service::access::{Visitor, form_token};
use service::{Refusal, Service};

use crate::Front;
use crate::autoretouch::error::Verbatim;
use crate::body::read_all;
use crate::client::ClientAddress;
use crate::form::Pairs;
use crate::observe::Said;

const FORM_BYTES_MAX: usize = 16 * 1024;
const FORM_COOKIE: &str = "packshot_form";
const SESSION_COOKIE: &str = "packshot_session";
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// One visit to a page.
pub(super) struct Visit {
    pub(super) service: Service,
    pub(super) from: IpAddr,
    /// Who is signed in.
    pub(super) visitor: Option<Visitor>,
    /// What the browser's forms carry while nobody is signed in; as it came, or new.
    form_cookie: String,
    /// Whether the browser sent that.
    has_form_cookie: bool,
    /// Where the browser says that the request was made: `same-origin`, `cross-site`, ….
    site: Option<String>,
    set_cookies: Vec<String>,
}

/// What is wrong, and with which field of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The field's id; empty when it is no field's fault.
    pub(super) field: &'static str,
    /// What is wrong and the way out, as people read it.
    pub(super) text: String,
    status: StatusCode,
    code: &'static str,
    retry_after: Option<i64>,
}

impl Fault {
    /// Something a person typed.
    pub(super) fn of(field: &'static str, text: &str) -> Self {
        Self {
            field,
            text: sentence(text),
            status: StatusCode::BAD_REQUEST,
            code: "request_invalid",
            retry_after: None,
        }
    }

    /// The same, in other words.
    pub(super) fn saying(mut self, text: &str) -> Self {
        text.clone_into(&mut self.text);
        self
    }

    /// A refusal, blamed on a field.
    pub(super) fn at(field: &'static str, refusal: &Refusal) -> Self {
        Self { field, ..Self::from(refusal) }
    }
}

impl From<&Refusal> for Fault {
    fn from(refusal: &Refusal) -> Self {
        if let Refusal::Ours { doing, source } = refusal {
            tracing::error!(error = %crate::autoretouch::error::chain(source.as_ref()), "cannot {doing}");
        }
        let status = match refusal {
            Refusal::Missing { .. } => StatusCode::NOT_FOUND,
            Refusal::WrongPassword | Refusal::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Refusal::NotAllowed(_) => StatusCode::FORBIDDEN,
            Refusal::Conflict(_) | Refusal::LastAdmin => StatusCode::CONFLICT,
            Refusal::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Ours { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let retry_after = match refusal {
            Refusal::TooManyTries { retry_after } => Some((retry_after.0.max(0) + 999) / 1000),
            Refusal::Unavailable(_) => Some(2),
            _ => None,
        };
        Self { field: "", text: sentence(&refusal.to_string()), status, code: refusal.code(), retry_after }
    }
}

/// What every page begins and ends with.
pub(super) struct Frame {
    /// Sign-in name of who is signed in.
    pub(super) signed_in: Option<String>,
    /// What the page's forms carry.
    pub(super) form_token: String,
    /// What was wrong with the form that was sent.
    pub(super) faults: Vec<Fault>,
    /// What was done.
    pub(super) done: Option<&'static str>,
}

impl Frame {
    /// What is wrong with that field.
    pub(super) fn fault_of(&self, field: &str) -> Option<&str> {
        self.faults.iter().find(|fault| fault.field == field).map(|fault| fault.text.as_str())
    }

    /// The attributes of a field that is wrong.
    pub(super) fn marks(&self, field: &str) -> String {
        match self.fault_of(field) {
            Some(_) => format!(" aria-invalid=\"true\" aria-describedby=\"{field}-fault\""),
            None => String::new(),
        }
    }
}

impl FromRequestParts<Front> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Response> {
        let Ok(ClientAddress(from)) = ClientAddress::from_request_parts(parts, front).await;
        let headers = &parts.headers;
        let service = front.service.clone();
        let secure = is_secure(&service);
        let given = cookie(headers, &cookie_name(FORM_COOKIE, secure))
            .filter(|value| value.len() == 43 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let mut visit = Self {
            from,
            visitor: None,
            has_form_cookie: given.is_some(),
            form_cookie: given.unwrap_or_else(form_token),
            site: headers.get(SEC_FETCH_SITE).and_then(|site| site.to_str().ok()).map(str::to_owned),
            set_cookies: Vec::new(),
            service,
        };
        if let Some(secret) = cookie(headers, &cookie_name(SESSION_COOKIE, secure)) {
            match visit.service.visitor(&secret).await {
                Ok(visitor) => visit.visitor = visitor,
                Err(refusal) => return Err(visit.sorry(&refusal)),
            }
        }
        Ok(visit)
    }
}

impl Visit {
    /// Sends the browser to the sign-in page, and back to `next` after that.
    pub(super) fn to_login(&self, next: &str) -> Response {
        let next = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
        self.go(&format!("/login?next={next}"))
    }

    /// The form that was sent, if it came from one of our pages. A form that another site made has neither our cookie nor
    /// what goes with it, and modern browsers say where it comes from.
    pub(super) async fn form(&self, body: Body) -> Result<Pairs, Fault> {
        let bytes =
            read_all(body, FORM_BYTES_MAX).await.map_err(|fault| Fault::of("", &fault.to_string()))?;
        let form = Pairs::parse(&bytes);
        let wanted = match &self.visitor {
            Some(visitor) => Some(visitor.form_token()),
            None => self.has_form_cookie.then(|| self.form_cookie.clone()),
        };
        let same =
            wanted.is_some_and(|wanted| form.get("form_token").is_some_and(|got| is_same(got, &wanted)));
        if !same || matches!(self.site.as_deref(), Some("cross-site" | "same-site")) {
            let refusal = Refusal::NotAllowed(
                "this form did not come from this page, or cookies are off; allow them and try again"
                    .to_owned(),
            );
            return Err(Fault::from(&refusal));
        }
        Ok(form)
    }

    /// Signs the browser in from here on.
    pub(super) fn enter(&mut self, visitor: Visitor) {
        let seconds = self.service.settings().session_lifetime.0 / 1000;
        self.set_cookies.push(self.baked(SESSION_COOKIE, visitor.secret(), "Lax", seconds));
        self.visitor = Some(visitor);
    }

    /// Signs the browser out from here on.
    pub(super) fn leave(&mut self) {
        self.set_cookies.push(self.baked(SESSION_COOKIE, "", "Lax", 0));
        self.visitor = None;
    }

    fn baked(&self, name: &str, value: &str, same_site: &str, seconds: i64) -> String {
        let secure = is_secure(&self.service);
        let name = cookie_name(name, secure);
        let secure = if secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={seconds}{secure}")
    }

    /// What the page begins and ends with.
    pub(super) fn frame(&self, faults: Vec<Fault>, done: Option<&'static str>) -> Frame {
        Frame {
            signed_in: self.visitor.as_ref().map(|visitor| visitor.user.email.clone()),
            form_token: self.visitor.as_ref().map_or_else(|| self.form_cookie.clone(), Visitor::form_token),
            faults,
            done,
        }
    }

    /// Answers with a page; its status is that of the first fault.
    pub(super) fn page(&self, frame: &Frame, page: &impl Template) -> Response {
        let html = match page.render() {
            Ok(html) => html,
            Err(error) => {
                tracing::error!(%error, "cannot write a page");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        let fault = frame.faults.first();
        let mut response = (
            fault.map_or(StatusCode::OK, |fault| fault.status),
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
        if self.visitor.is_none() {
            let form_cookie = self.baked(FORM_COOKIE, &self.form_cookie, "Strict", 1800);
            append_cookie(&mut response, &form_cookie);
        }
        for cookie in &self.set_cookies {
            append_cookie(&mut response, cookie);
        }
        if let Some(fault) = fault {
            if let Some(seconds) = fault.retry_after {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            response.extensions_mut().insert(Said { code: fault.code, message: fault.text.clone() });
        }
        response.extensions_mut().insert(Verbatim);
        response
    }

    /// Answers with a page that only says why there is no other.
    pub(super) fn sorry(&self, refusal: &Refusal) -> Response {
        self.sorry_for(Fault::from(refusal))
    }

    /// The same, for a fault.
    pub(super) fn sorry_for(&self, fault: Fault) -> Response {
        let page = Sorry { frame: self.frame(vec![fault], None) };
        self.page(&page.frame, &page)
    }

    /// Sends the browser on to another page of ours.
    pub(super) fn go(&self, path: &str) -> Response {
        redirect(path, &self.set_cookies)
    }
}

#[derive(Template)]
#[template(path = "sorry.html")]
struct Sorry {
    frame: Frame,
}

fn redirect(path: &str, cookies: &[String]) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [(CACHE_CONTROL, "no-store")]).into_response();
    // Only paths of ours are given, and those are plain text.
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/account"));
    response.headers_mut().insert(LOCATION, location);
    for cookie in cookies {
        append_cookie(&mut response, cookie);
    }
    response
}

fn append_cookie(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

fn is_secure(service: &Service) -> bool {
    service.settings().public_url.starts_with("https:")
}

/// Over HTTPS a cookie is bound to this host alone, whatever other hosts of its domain set (RFC 6265bis, `__Host-`).
fn cookie_name(name: &str, secure: bool) -> String {
    if secure { format!("__Host-{name}") } else { name.to_owned() }
}

fn cookie(headers: &HeaderMap, wanted: &str) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value.to_owned())
}

/// Compares in a time that tells nothing but the length.
fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// A path that leads to a page of ours, and nowhere else: browsers take `//` and `/\` for the beginning of a host.
pub(super) fn own_path(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('/')?;
    let good = !rest.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    good.then_some(path)
}

/// A time as people read one: `2026-03-02 09:14 UTC`.
pub(super) fn when(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => text,
    }
}

/// An error text as people read one: a capital, and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.')).replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_paths_are_gone_to() {
        for good in ["/", "/account", "/activate?user_code=KDRT-PWMN", "/invitation/abc", "/a//b"] {
            assert_eq!(own_path(good), Some(good));
        }
        for bad in [
            "",
            "account",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nx: y",
            "/a b",
            "/ü",
        ] {
            assert_eq!(own_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn texts_are_compared_whole() {
        assert!(is_same("abc", "abc") && is_same("", ""));
        assert!(!is_same("abc", "abd") && !is_same("abc", "ab"));
    }

    #[test]
    fn times_and_texts_are_for_people() {
        assert_eq!(when(Timestamp(1_772_442_845_120)), "2026-03-02 09:14 UTC");
        assert_eq!(sentence("no `x` is there; try again"), "No x is there; try again.");
    }
}

//! The pages people use in a browser: signing in, letting devices in, their account, their organizations. Plain HTML, no
//! script, nothing from elsewhere. They alone know the session cookie; the interface for programs never looks at it.

mod account;
mod activate;
mod connections;
mod invitation;
mod login;
mod organization;
mod visit;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::{get, post};

use crate::Front;

const STYLE: &str = include_str!("../../assets/pages.css");

pub(crate) fn routes() -> Router<Front> {
    let style =
        || async { ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=300")], STYLE) };
    Router::new()
        .route("/pages.css", get(style))
        .route("/login", get(login::show).post(login::sign_in))
        .route("/logout", post(login::sign_out))
        .route("/activate", get(activate::show).post(activate::decide))
        .route("/account", get(account::show))
        .route("/account/profile", post(account::save_profile))
        .route("/account/password", post(account::change_password))
        .route("/account/sessions", post(account::sign_out_elsewhere))
        .route("/account/connections", get(connections::show).post(connections::begin))
        .route("/account/connections/tokens", post(connections::finish))
        .route("/account/connections/key", post(connections::make_key))
        .route("/account/connections/rename", post(connections::rename))
        .route("/account/connections/revoke", post(connections::revoke))
        .route("/account/organizations/{id}", get(organization::show).post(organization::change))
        .route("/invitation/{secret}", get(invitation::show).post(invitation::accept))
}

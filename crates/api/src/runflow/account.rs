//! Who asks, and what their organization can spend.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::access::{Caller, Org, Scopes};
use domain::filter::Value as FilterValue;
use domain::id::{self, UserId};
use domain::page::Window;
use domain::time::Timestamp;
use serde_json::{Value, json};
use service::Funds;
use service::access::KNOWN_SCOPES;
use uuid::Uuid;

use super::asker::Asker;
use super::form::Form;
use super::listing::{ListQuery, NEWEST, PageBody};
use super::model::{Price, slug};
use super::problem::Problem;
use super::view::{maybe_time, time};
use crate::Front;
use crate::listing::list_fields;

/// What a key that is not limited may do beside all that one can be limited to.
const UNLIMITED: &str = "credit_balance:edit";
/// Organizations of one user that are listed.
const ORGS_MAX: u32 = 1000;
/// Millionths in a whole.
const MILLION: i128 = 1_000_000;
/// The highest threshold, in millionths of a US dollar: a billion dollars.
const THRESHOLD_MAX: i128 = 1_000_000_000 * MILLION;

/// A user's id as this dialect has ids: a UUID, the same for the same user. Users' own ids need not be UUIDs; those that are
/// none give one of version 8.
pub(crate) fn user_id(user: &UserId) -> Uuid {
    Uuid::try_parse(&user.0).unwrap_or_else(|_| id::of_name(&[user.0.as_bytes()]))
}

/// `GET /v1/auth/me`. Is about the key alone: the header that names an organization is not looked at.
pub(crate) async fn me(
    State(front): State<Front>,
    headers: HeaderMap,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let caller = crate::bearer::caller(&headers, &front.service).await?;
    let shown = query.relations(&["memberships", "organizations", "pending_invitations"])?;
    let user = front.service.profile(&caller).await?;
    let mut value = json!({
        "id": user_id(&user.id),
        "email": user.email,
        "first_name": user.given_name,
        "last_name": user.family_name,
        "avatar_url": user.picture,
        "timezone": null,
        "locale_code": null,
        "email_verified_at": null,
        "memberships": null,
        "organizations": null,
        "pending_invitations": null,
    });
    let orgs = if shown.embeds("memberships") || shown.embeds("organizations") {
        front.service.orgs(&caller, Window { limit: ORGS_MAX, offset: 0 }).await?.entries
    } else {
        Vec::new()
    };
    if shown.embeds("memberships") {
        value["memberships"] = orgs.iter().map(|org| membership(&caller, org)).collect();
    }
    if shown.embeds("organizations") {
        value["organizations"] = orgs.iter().map(org_value).collect();
    }
    if shown.embeds("pending_invitations") {
        let invitations = front.service.invitations_to(&caller).await?;
        value["pending_invitations"] = invitations
            .iter()
            .map(|invitation| {
                json!({
                    "id": invitation.id,
                    "org_id": invitation.org,
                    "role_code": invitation.role.as_str(),
                    "email": invitation.email,
                    "created_at": time(invitation.created_at),
                    "expires_at": time(invitation.expires_at),
                })
            })
            .collect();
    }
    Ok(Json(value))
}

fn org_value(org: &Org) -> Value {
    json!({ "id": org.id, "name": org.name, "slug": slug(&org.name), "plan_code": null })
}

fn membership(caller: &Caller, org: &Org) -> Value {
    let scopes: Vec<&str> = match &caller.scopes {
        Scopes::All => KNOWN_SCOPES.into_iter().chain([UNLIMITED]).collect(),
        Scopes::Only(named) => named.iter().map(String::as_str).collect(),
    };
    json!({
        "org": org_value(org),
        "role_code": caller.role_in(org.id).map(|role| role.as_str()),
        "scopes": scopes,
    })
}

list_fields! {
    BalanceFields: BalanceField {
        "id" => BalanceField::Id, Id;
        "org_id" => BalanceField::Org, Id;
        "created_at" => BalanceField::CreatedAt, Time;
        "updated_at" => BalanceField::UpdatedAt, Time;
    }
}

/// What balances are asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BalanceField {
    Id,
    Org,
    CreatedAt,
    UpdatedAt,
}

const NAMES: &[&str] = &[
    "id",
    "org_id",
    "balance",
    "balance_usd",
    "low_balance_threshold",
    "low_balance_notified_at",
    "created_at",
    "updated_at",
];

/// A balance's id: an organization has one, made from its own.
fn balance_id(funds: &Funds) -> Uuid {
    id::derived(funds.org.0, 1)
}

impl Front {
    fn balance_value(&self, funds: &Funds) -> Value {
        let balance = self.money(u64::try_from(funds.balance).unwrap_or(0));
        let alert = funds.alert.as_ref();
        let threshold = alert.map(|alert| Price(self.dollars(alert.threshold)).to_string());
        json!({
            "id": balance_id(funds),
            "org_id": funds.org,
            "balance": balance,
            "balance_usd": balance,
            "low_balance_threshold": threshold,
            "low_balance_notified_at": maybe_time(alert.and_then(|alert| alert.notified_at)),
            "created_at": maybe_time(alert.map(|alert| alert.created_at)),
            "updated_at": maybe_time(alert.map(|alert| alert.updated_at)),
        })
    }

    /// Millionths of a credit in millionths of a US dollar, to the nearest.
    fn dollars(&self, millionths: i64) -> u64 {
        let worth = i128::from(millionths.max(0)) * i128::from(self.settings.credit_micros);
        u64::try_from((worth + MILLION / 2) / MILLION).unwrap_or(u64::MAX)
    }

    /// Millionths of a US dollar in millionths of a credit, to the nearest; none if there is no such number.
    fn millionths(&self, micros: i128) -> Option<i64> {
        let credit = i128::from(self.settings.credit_micros.max(1));
        i64::try_from((micros * MILLION + credit / 2) / credit).ok()
    }
}

/// `GET /v1/billing/balance`.
pub(crate) async fn balance(State(front): State<Front>, asker: Asker) -> Result<Json<Value>, Problem> {
    let funds = front.service.funds(&asker.caller, &asker.choice).await?;
    Ok(Json(front.balance_value(&funds)))
}

/// `GET /v1/credit-balances`: the same as a list of one.
pub(crate) async fn balances(
    State(front): State<Front>,
    asker: Asker,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&BalanceFields, NEWEST, NAMES, &[])?;
    let funds = front.service.funds(&asker.caller, &asker.choice).await?;
    let value = |funds: &Funds, field: &BalanceField| {
        let at = |at: Timestamp| FilterValue::Time(at);
        match field {
            BalanceField::Id => Some(FilterValue::Id(balance_id(funds))),
            BalanceField::Org => Some(FilterValue::Id(funds.org.0)),
            BalanceField::CreatedAt => funds.alert.as_ref().map(|alert| at(alert.created_at)),
            BalanceField::UpdatedAt => funds.alert.as_ref().map(|alert| at(alert.updated_at)),
        }
    };
    let leaf = asked.listing.of_all(vec![funds], balance_id, value);
    Ok(asked.page(&leaf, leaf.entries.iter().map(|funds| front.balance_value(funds))))
}

/// `PATCH /v1/billing/balance`: below what the organization is warned. With `updated_at`, only if nobody else changed that since.
pub(crate) async fn set_threshold(
    State(front): State<Front>,
    asker: Asker,
    mut form: Form,
) -> Result<Json<Value>, Problem> {
    const NAME: &str = "low_balance_threshold";
    let unless_changed_since = form.time("updated_at");
    let text = match form.get(NAME) {
        None => {
            form.wrong(NAME, "missing", "Field required");
            None
        }
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => {
            form.wrong(NAME, "decimal_type", "Decimal input should be an integer, float or string");
            None
        }
    };
    let micros = text.and_then(|text| {
        let micros = read_micros(&text).filter(|micros| (0..=THRESHOLD_MAX).contains(micros));
        if micros.is_none() {
            form.wrong(
                NAME,
                "decimal_parsing",
                "Input should be a decimal number of dollars from 0 to 1000000000",
            );
        }
        micros
    });
    let threshold = micros.and_then(|micros| {
        let millionths = front.millionths(micros);
        if millionths.is_none() {
            form.wrong(NAME, "less_than_equal", "Input should be less; so many credits cannot be counted");
        }
        millionths
    });
    form.check()?;
    let threshold = threshold.unwrap_or_default();
    let funds =
        front.service.set_credit_alert(&asker.caller, &asker.choice, threshold, unless_changed_since).await?;
    Ok(Json(front.balance_value(&funds)))
}

/// A decimal number in millionths; digits beyond those are cut. None for what is none, or has an exponent that is no use here.
fn read_micros(text: &str) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        None => (text, 0),
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok().filter(|it| it.abs() <= 30)?),
    };
    let (mantissa, is_negative) = match mantissa.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (mantissa.strip_prefix('+').unwrap_or(mantissa), false),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{part}");
    if digits.is_empty() || digits.len() > 40 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let places = i64::from(exponent) + 6 - i64::try_from(part.len()).ok()?;
    let mut value = digits.parse::<i128>().ok()?;
    for _ in 0..places.unsigned_abs() {
        value = if places > 0 { value.checked_mul(10)? } else { value / 10 };
    }
    Some(if is_negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_id_is_a_uuid_and_stays_the_same() {
        let known = "0195aaaa-0000-7000-8000-0000000000b0";
        assert_eq!(user_id(&UserId(known.to_owned())).to_string(), known);
        let user = UserId("auth0|5f7c8ec7c33c6c004bbafe82".to_owned());
        assert_eq!(user_id(&user), user_id(&user));
        assert_eq!(user_id(&user).get_version_num(), 8);
        assert_ne!(user_id(&user), user_id(&UserId("auth0|other".to_owned())));
    }

    #[test]
    fn thresholds_are_read_as_decimals() {
        for (text, micros) in [
            ("5", Some(5_000_000)),
            ("5.0", Some(5_000_000)),
            ("0.25", Some(250_000)),
            (".5", Some(500_000)),
            ("1e-3", Some(1000)),
            ("1.5E2", Some(150_000_000)),
            ("0.0000019", Some(1)),
            ("-1", Some(-1_000_000)),
            ("", None),
            (".", None),
            ("five", None),
            ("1e999", None),
            ("NaN", None),
            ("99999999999999999999999999999999999999999", None),
        ] {
            assert_eq!(read_micros(text), micros, "{text}");
        }
    }
}

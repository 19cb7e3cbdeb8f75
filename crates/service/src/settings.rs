//! Limits and names that the program's settings decide.

use std::time::Duration;

use domain::time::Millis;

/// Limits and names of a [`crate::Service`].
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// No run is started earlier than this after its creation, so that a client that looks at once sees it waiting.
    pub min_visible: Millis,
    /// Longest wait for a run's result.
    pub max_wait: Duration,
    /// Requests of one organization that may wait at once.
    pub waiting_max: usize,
    /// How often a waiting request looks again, whatever hints it got.
    pub look_again: Duration,
    /// Largest file taken in, in bytes.
    pub upload_bytes_max: u64,
    /// Longest time to fetch one picture from an address.
    pub fetch_time: Duration,
    /// Largest size of all pictures that one request fetches, in bytes.
    pub fetch_bytes_max: u64,
    /// Longest wait for a place to fetch a picture.
    pub fetch_patience: Duration,
    /// Whether nothing may be fetched.
    pub offline: bool,
    /// How long an access token is good for.
    pub access_token_lifetime: Millis,
    /// Where people reach this server: scheme, host and port, without a slash at the end.
    pub public_url: String,
    /// Who signs the tokens (`iss`). Tokens of another issuer are refused, so it should outlive a change of address.
    pub issuer: String,
    /// Whom the tokens are for (`aud`).
    pub audience: String,
    /// Prefix of the claims that no standard names; ends in a slash.
    pub claim_namespace: String,
    /// Clients that may sign in; `None` lets every client in.
    pub allowed_clients: Option<Vec<String>>,
    /// How long a device sign-in may take.
    pub device_code_lifetime: Millis,
    /// How long a device waits between two polls.
    pub device_poll_interval: Millis,
    /// How long the organizations a user belongs to are remembered between two looks into the store.
    pub membership_memory: Millis,
    /// Wrong user codes, links and passwords allowed from each address, before it has to wait.
    pub wrong_tries_max: u32,
    /// Wrong passwords allowed for each sign-in name from all addresses together. Far more than from one address: whoever
    /// could use them up would keep its owner out.
    pub wrong_tries_for_a_name_max: u32,
    /// Over which span wrong tries are counted.
    pub wrong_tries_window: Millis,
    /// Device sign-ins that one address may begin in a minute.
    pub device_codes_per_minute: u32,
    /// How long a browser stays signed in without being used.
    pub session_idle: Millis,
    /// How long a browser stays signed in at most.
    pub session_lifetime: Millis,
    /// How long an invitation is good for.
    pub invitation_lifetime: Millis,
    /// How long a link to an asset is good for.
    pub asset_link_lifetime: Millis,
    /// How long a link to a result is good for.
    pub result_link_lifetime: Millis,
    /// How long a link to upload to is good for.
    pub upload_link_lifetime: Millis,
    /// Largest file taken into the library, in bytes.
    pub asset_bytes_max: u64,
    /// Most runs in a batch that is asked for as a whole.
    pub batch_items_max: usize,
    /// Credits one evaluation costs.
    pub evaluation_price: u32,
    /// Whether pictures may be named by addresses without TLS.
    pub allow_plain_http: bool,
    /// How often a delivery is tried.
    pub delivery_attempts: u32,
    /// Calls of one organization that are answered in each window.
    pub rate_limit: u32,
    /// How long such a window is.
    pub rate_window: Millis,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            min_visible: Millis(500),
            max_wait: Duration::from_secs(15 * 60),
            waiting_max: 2_500,
            look_again: Duration::from_secs(1),
            upload_bytes_max: 100 * 1024 * 1024,
            fetch_time: Duration::from_secs(30),
            fetch_bytes_max: 1024 * 1024 * 1024,
            fetch_patience: Duration::from_secs(30),
            offline: false,
            access_token_lifetime: Millis::seconds(24 * 3600),
            public_url: "http://127.0.0.1:8787".to_owned(),
            issuer: "packshot".to_owned(),
            audience: "https://api.autoretouch.com".to_owned(),
            claim_namespace: "https://autoretouch.com/".to_owned(),
            allowed_clients: None,
            device_code_lifetime: Millis::seconds(900),
            device_poll_interval: Millis::seconds(5),
            membership_memory: Millis::seconds(3),
            wrong_tries_max: 5,
            wrong_tries_for_a_name_max: 100,
            wrong_tries_window: Millis::seconds(600),
            device_codes_per_minute: 30,
            session_idle: Millis::seconds(12 * 3600),
            session_lifetime: Millis::seconds(30 * 24 * 3600),
            invitation_lifetime: Millis::seconds(7 * 24 * 3600),
            asset_link_lifetime: Millis::seconds(7 * 24 * 3600),
            result_link_lifetime: Millis::seconds(3 * 24 * 3600),
            upload_link_lifetime: Millis::seconds(15 * 60),
            asset_bytes_max: 50 * 1024 * 1024,
            batch_items_max: 100,
            evaluation_price: 20,
            allow_plain_http: false,
            delivery_attempts: 6,
            rate_limit: 6_000,
            rate_window: Millis::seconds(60),
        }
    }
}

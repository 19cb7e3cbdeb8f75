//! A browser without a screen: keeps cookies, and fills in the token of the page it looks at.

use std::collections::BTreeMap;

use crate::house::House;
use crate::http::{Answer, send};

#[derive(Clone)]
pub struct Browser<'a> {
    house: &'a House,
    pub cookies: BTreeMap<String, String>,
    /// The token of the last page.
    pub token: String,
}

/// What stands between two texts, the first time.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

impl<'a> Browser<'a> {
    pub fn new(house: &'a House) -> Self {
        Self { house, cookies: BTreeMap::new(), token: String::new() }
    }

    fn cookie_header(&self) -> String {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn note(&mut self, answer: &Answer) {
        for (_, set) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let pair = set.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a name and a value");
            assert!(set.contains("HttpOnly") && set.contains("Path=/"), "{set}");
            if set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if let Some(token) = between(&answer.text(), "name=\"form_token\" value=\"", "\"") {
            token.clone_into(&mut self.token);
        }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let answer = send(self.house.at, "GET", path, &[("cookie", &self.cookie_header())], b"").await;
        self.note(&answer);
        answer
    }

    /// Sends a form with the token of the last page.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_from(path, fields, &[("sec-fetch-site", "same-origin")]).await
    }

    /// The same, with other headers.
    pub async fn post_from(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let token = self.token.clone();
        let pairs = [("form_token", token.as_str())].into_iter().chain(fields.iter().copied());
        let form: Vec<_> = pairs.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let cookies = self.cookie_header();
        let mut all =
            vec![("content-type", "application/x-www-form-urlencoded"), ("cookie", cookies.as_str())];
        all.extend_from_slice(headers);
        let answer = send(self.house.at, "POST", path, &all, form.join("&").as_bytes()).await;
        self.note(&answer);
        answer
    }

    /// Signs in.
    pub async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        self.get("/login").await;
        self.post("/login", &[("email", email), ("password", password)]).await
    }
}

/// Where an answer sends the browser.
pub fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").expect("a way to go")
}

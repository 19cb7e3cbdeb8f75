//! What a key can be limited to, and what a limited key may not do whatever it is limited to.

use domain::access::{Caller, Scopes};

use super::secret::KeyFormat;
use crate::{Refusal, Service};

/// Everything that a key can be limited to.
pub const KNOWN: [&str; 15] = [
    RUNS_CREATE,
    "runs:read",
    "runs:execute",
    "assets:create",
    "assets:read",
    "assets:edit",
    "assets:delete",
    "comfyui-workflows:read",
    "comfyui-workflows:create",
    "comfyui-workflows:edit",
    "comfyui-workflows:delete",
    "evaluations:create",
    "evaluations:read",
    "evaluations:edit",
    "credit_balance:read",
];
/// To start work.
const RUNS_CREATE: &str = "runs:create";
/// What a key that is not limited has beside every scope.
const EVERYTHING: &str = "everything";

/// A connection's scope for a key of that format that is limited to `scopes`; not limited where none are given. Refuses what
/// is unknown, and what such a key never may.
pub(super) fn scope_of(
    usual: &str,
    format: KeyFormat,
    scopes: Option<Vec<String>>,
) -> Result<String, Refusal> {
    let is_service = format == KeyFormat::Service;
    let scopes = match scopes {
        Some(scopes) if scopes.is_empty() => {
            return Err(Refusal::Invalid(
                "`scopes` is empty: such a key could do nothing; name some, or leave it out".to_owned(),
            ));
        }
        Some(scopes) => scopes,
        None if is_service => {
            KNOWN.into_iter().filter(|name| *name != RUNS_CREATE).map(str::to_owned).collect()
        }
        None => return Ok(usual.to_owned()),
    };
    for name in &scopes {
        if !KNOWN.contains(&name.as_str()) {
            let start: String = name.chars().take(100).collect();
            return Err(Refusal::Invalid(format!(
                "there is no scope `{start}`; there are {}",
                KNOWN.join(", ")
            )));
        }
        if is_service && name == RUNS_CREATE {
            return Err(Refusal::Invalid(
                "a service key starts no work; leave `runs:create` out, or make a live key".to_owned(),
            ));
        }
    }
    Ok(std::iter::once(usual.to_owned()).chain(scopes).collect::<Vec<_>>().join(" "))
}

/// What a connection's scope lets a key of that format do.
pub(super) fn scopes_of(format: KeyFormat, scope: &str) -> Scopes {
    match (format, Scopes::of(scope)) {
        // Whatever is kept of it.
        (KeyFormat::Service, Scopes::All) => {
            Scopes::Only(KNOWN.into_iter().filter(|name| *name != RUNS_CREATE).map(str::to_owned).collect())
        }
        (KeyFormat::Service, Scopes::Only(mut named)) => {
            named.remove(RUNS_CREATE);
            Scopes::Only(named)
        }
        (_, scopes) => scopes,
    }
}

impl Service {
    /// Refuses whoever's key is limited: for what no scope is for, such as people and settings.
    pub(crate) fn need_everything(&self, caller: &Caller) -> Result<(), Refusal> {
        match caller.scopes {
            Scopes::All => Ok(()),
            Scopes::Only(_) => Err(Refusal::ScopeMissing { scope: EVERYTHING }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_key_starts_no_work_whatever_is_kept_of_it() {
        let starts = |format, scope: &str| scopes_of(format, scope).allow(RUNS_CREATE);
        assert!(starts(KeyFormat::Live, "offline_access"));
        assert!(starts(KeyFormat::Live, "offline_access runs:create"));
        assert!(!starts(KeyFormat::Live, "offline_access runs:read"));
        assert!(!starts(KeyFormat::Service, "offline_access"));
        assert!(!starts(KeyFormat::Service, "offline_access runs:create runs:read"));
        assert!(scopes_of(KeyFormat::Service, "offline_access").allow("runs:read"));
    }

    #[test]
    fn scopes_are_known_ones_and_no_service_key_gets_to_start_work() {
        let scope = |format, scopes: &[&str]| {
            scope_of("usual", format, Some(scopes.iter().map(|name| (*name).to_owned()).collect()))
        };
        assert_eq!(scope_of("usual", KeyFormat::Live, None).expect("not limited"), "usual");
        assert_eq!(scope(KeyFormat::Live, &["runs:read"]).expect("limited"), "usual runs:read");
        let all_but_one = scope_of("usual", KeyFormat::Service, None).expect("limited");
        assert!(!all_but_one.contains(RUNS_CREATE) && all_but_one.contains("runs:read"));
        for (format, scopes) in [
            (KeyFormat::Live, [].as_slice()),
            (KeyFormat::Live, &["runs:all"]),
            (KeyFormat::Service, &["runs:create"]),
        ] {
            assert!(matches!(scope(format, scopes), Err(Refusal::Invalid(_))), "{scopes:?}");
        }
    }
}

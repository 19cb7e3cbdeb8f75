//! The signature that goes with everything that is sent: Standard Webhooks. Dialects have their own beside it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

fn hmac(secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// The value of `webhook-signature`: one signature for each secret, over `id.seconds.body`.
pub(crate) fn standard(secrets: &[&[u8]], id: &str, at: Timestamp, body: &[u8]) -> String {
    let head = format!("{id}.{}.", at.0.div_euclid(1000));
    let sign = |secret: &&[u8]| format!("v1,{}", STANDARD.encode(hmac(secret, &[head.as_bytes(), body])));
    secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_the_standard_says() {
        // The example of the Standard Webhooks libraries.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", Timestamp(1_614_265_330_999));
        let body = br#"{"test": 2432232314}"#;
        let signed = standard(&[&secret], id, at, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = standard(&[b"other", &secret], id, at, body);
        assert!(both.starts_with("v1,") && both.ends_with(&format!(" {signed}")), "{both}");
    }
}

//! Random secrets, and what is kept of them. All are made of letters and digits, so that a client that does not escape
//! its forms cannot damage one.

use domain::access::SecretHash;
use rand::Rng;
use sha2::{Digest, Sha256};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Consonants that are hard to confuse and spell no words (RFC 8628, section 6.1).
const USER_CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters and digits that are hard to confuse when copied by hand.
const READABLE: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// 43 of 62 characters: 256 bits.
const SECRET_LEN: usize = 43;
const CHECK_LEN: usize = 6;

/// How a key begins, which says what it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyFormat {
    /// `pk_`: everything its user may do, unless it is limited.
    #[default]
    Packshot,
    /// `rf_live_`: the same, for clients that know a key by this prefix.
    Live,
    /// `rf_svc_`: for services that look and tidy up. It starts no work, whatever else it may do.
    Service,
}

impl KeyFormat {
    const ALL: [Self; 3] = [Self::Packshot, Self::Live, Self::Service];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Packshot => "pk_",
            Self::Live => "rf_live_",
            Self::Service => "rf_svc_",
        }
    }

    /// The format of that name: `packshot`, `live` or `service`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "packshot" => Some(Self::Packshot),
            "live" => Some(Self::Live),
            "service" => Some(Self::Service),
            _ => None,
        }
    }

    /// The format that a token claims to have, if it claims to be a key.
    pub(crate) fn of(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| token.starts_with(format.prefix()))
    }
}

/// That many characters, each drawn evenly from the alphabet by the operating system's randomness.
fn draw(alphabet: &[u8], len: usize) -> String {
    let mut rng = rand::rng();
    // Bytes beyond the last whole multiple of the alphabet would favour its beginning.
    let fair = 256 - 256 % alphabet.len();
    let mut drawn = String::with_capacity(len);
    let mut bytes = [0u8; 64];
    while drawn.len() < len {
        rng.fill_bytes(&mut bytes);
        for byte in bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair) {
            if drawn.len() < len {
                drawn.push(char::from(alphabet[byte % alphabet.len()]));
            }
        }
    }
    drawn
}

/// Random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// A secret of 256 bits in 43 letters and digits.
pub(crate) fn fresh() -> String {
    draw(BASE62, SECRET_LEN)
}

/// A user code: four capitals, a hyphen, four capitals; 34.6 bits.
pub(crate) fn fresh_user_code() -> String {
    format!("{}-{}", draw(USER_CODE_LETTERS, 4), draw(USER_CODE_LETTERS, 4))
}

/// A password a person can copy from a screen: five groups of four; 100 bits.
pub(crate) fn fresh_password() -> String {
    let groups: Vec<_> = (0..5).map(|_| draw(READABLE, 4)).collect();
    groups.join("-")
}

/// A user code as people type it, in the form it was made in: any case, with or without the hyphen.
pub(crate) fn tidy_user_code(typed: &str) -> Option<String> {
    let letters: String =
        typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
    let good = letters.len() == 8 && letters.bytes().all(|letter| USER_CODE_LETTERS.contains(&letter));
    good.then(|| format!("{}-{}", &letters[..4], &letters[4..]))
}

/// What is kept of a secret.
pub(crate) fn hash(secret: &str) -> SecretHash {
    SecretHash(Sha256::digest(secret.as_bytes()).into())
}

/// An API key: its prefix, 256 bits, and a CRC-32 by which scanners know it for one.
pub(crate) fn fresh_api_key(format: KeyFormat) -> String {
    let body = fresh();
    format!("{}{body}{}", format.prefix(), check_of(&body))
}

/// What is kept of an API key, if it is whole: its check must fit, so that a mistyped one costs no look-up.
pub(crate) fn hash_api_key(key: &str) -> Option<SecretHash> {
    let rest = key.strip_prefix(KeyFormat::of(key)?.prefix())?;
    let (body, check) = rest.split_at_checked(SECRET_LEN)?;
    (check == check_of(body)).then(|| hash(key))
}

fn check_of(body: &str) -> String {
    let mut left = crc32(body.as_bytes());
    let mut digits = [b'0'; CHECK_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(left % 62) as usize];
        left /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// CRC-32 as in ISO 3309 (polynomial 0xEDB88320, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_is_the_standard_crc() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_mistyped_key_is_known_for_one() {
        for format in KeyFormat::ALL {
            let key = fresh_api_key(format);
            assert_eq!(KeyFormat::of(&key), Some(format));
            assert_eq!(hash_api_key(&key), Some(hash(&key)));
            assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{key}");
            for at in format.prefix().len()..key.len() {
                let mut typo = key.clone().into_bytes();
                typo[at] = if typo[at] == b'a' { b'b' } else { b'a' };
                let typo = String::from_utf8(typo).expect("ascii");
                assert_eq!(hash_api_key(&typo), None, "{typo}");
            }
            assert_eq!(hash_api_key(&key[..20]), None);
        }
        assert_eq!(hash_api_key("pk_é"), None);
    }

    #[test]
    fn secrets_need_no_escaping_and_differ() {
        let (one, other) = (fresh(), fresh());
        assert_ne!(one, other);
        assert_eq!(one.len(), 43);
        assert!(one.bytes().chain(other.bytes()).all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn a_user_code_is_read_as_people_type_it() {
        let code = fresh_user_code();
        assert_eq!(tidy_user_code(&code), Some(code.clone()));
        assert_eq!(tidy_user_code(&format!(" {} ", code.to_lowercase().replace('-', " "))), Some(code));
        assert_eq!(tidy_user_code("AAAA-AAAA"), None);
        assert_eq!(tidy_user_code("ÄÄÄÄ"), None);
        assert_eq!(tidy_user_code(""), None);
    }
}

//! The server's own key: closes secrets that are remembered, and signs links. It lies in a file of its own, so that a copy of
//! the database alone opens nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};
use service::LinkKey;

/// Bytes of the key.
const KEY_LEN: usize = 32;
/// The environment variable that holds the key in 64 hexadecimal digits, where it lies in no file.
const VARIABLE: &str = "PACKSHOT_SECRET_KEY";
/// The form of what is closed: this byte, the nonce, then what is encrypted with its tag.
const FORM: u8 = 1;

/// The server's key. Every use has a key of its own that is derived from it (HKDF-SHA-256, RFC 5869).
pub struct ServerKey(Prk);

struct Length;

impl ring::hkdf::KeyType for Length {
    fn len(&self) -> usize {
        KEY_LEN
    }
}

impl ServerKey {
    /// The key of that environment variable; else of the file, which is made with a fresh key if it is not there.
    pub fn open(file: &Path) -> anyhow::Result<Self> {
        let given = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
        let key = match given {
            Some(text) => digits(text.trim()).with_context(|| {
                format!("{VARIABLE} holds no key; give {} hexadecimal digits", 2 * KEY_LEN)
            })?,
            None => from_file(file)?,
        };
        Ok(Self::of(&key))
    }

    fn of(key: &[u8; KEY_LEN]) -> Self {
        Self(Salt::new(HKDF_SHA256, b"packshot").extract(key))
    }

    fn derived(&self, label: &[u8]) -> [u8; KEY_LEN] {
        let mut key = [0; KEY_LEN];
        let labels = [label];
        let okm = self.0.expand(&labels, Length).expect("the length is allowed");
        okm.fill(&mut key).expect("the length is that which was asked for");
        key
    }

    /// What signs links.
    pub fn link_key(&self) -> LinkKey {
        LinkKey(self.derived(b"links"))
    }

    /// What closes secrets.
    pub fn seal(&self) -> Seal {
        let key = self.derived(b"secrets at rest");
        Seal(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).expect("the key has its length")))
    }
}

fn digits(text: &str) -> Option<[u8; KEY_LEN]> {
    let mut key = [0; KEY_LEN];
    (text.len() == 2 * KEY_LEN && text.is_ascii()).then_some(())?;
    for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(key)
}

fn from_file(file: &Path) -> anyhow::Result<[u8; KEY_LEN]> {
    let shown = file.display();
    match std::fs::read(file) {
        Ok(bytes) => <[u8; KEY_LEN]>::try_from(bytes.as_slice()).map_err(|_| {
            anyhow::anyhow!(
                "`{shown}` has {} bytes where a key has {KEY_LEN}; bring back the file it was before",
                bytes.len()
            )
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = [0; KEY_LEN];
            SystemRandom::new()
                .fill(&mut key)
                .map_err(|_| anyhow::anyhow!("there is no randomness to be had"))?;
            match write_new(file, &key) {
                Ok(()) => Ok(key),
                // Another process made it in this moment.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => from_file(file),
                Err(error) => Err(error).with_context(|| format!("cannot write the key file `{shown}`")),
            }
        }
        Err(error) => Err(error).with_context(|| format!("cannot read the key file `{shown}`")),
    }
}

/// Writes the key whole or not at all: what it closes must open after a power cut, too.
fn write_new(file: &Path, key: &[u8]) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = folder.join(format!(".secret.key.{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut writing = options.open(&temporary)?;
    let written = writing.write_all(key).and_then(|()| writing.sync_all());
    // A link fails if the file is there: a key is never written over.
    let linked = written.and_then(|()| std::fs::hard_link(&temporary, file));
    std::fs::remove_file(&temporary)?;
    linked?;
    File::open(folder)?.sync_all()
}

/// Closes secrets with ChaCha20-Poly1305 (RFC 8439), each with a random nonce.
pub struct Seal(LessSafeKey);

impl domain::seal::Seal for Seal {
    fn close(&self, secret: &[u8], context: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).expect("the operating system has randomness");
        let mut closed = secret.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut closed)
            .expect("a secret is short enough");
        [&[FORM], nonce.as_slice(), &closed].concat()
    }

    fn open(&self, closed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let (nonce, closed) = closed.strip_prefix(&[FORM])?.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut opened = closed.to_vec();
        let length = self.0.open_in_place(nonce, Aad::from(context), &mut opened).ok()?.len();
        opened.truncate(length);
        Some(opened)
    }
}

#[cfg(test)]
mod tests {
    use domain::seal::Seal as _;

    use super::*;

    #[test]
    fn a_secret_opens_where_it_belongs_and_nowhere_else() {
        let seal = ServerKey::of(&[7; KEY_LEN]).seal();
        let closed = seal.close(b"whsec_secret", b"here");
        assert_eq!(seal.open(&closed, b"here").as_deref(), Some(b"whsec_secret".as_slice()));
        assert_eq!(seal.open(&closed, b"there"), None);
        assert_eq!(ServerKey::of(&[8; KEY_LEN]).seal().open(&closed, b"here"), None);
        for at in 0..closed.len() {
            let mut damaged = closed.clone();
            damaged[at] ^= 1;
            assert_eq!(seal.open(&damaged, b"here"), None, "byte {at}");
        }
        for length in 0..closed.len() {
            assert_eq!(seal.open(&closed[..length], b"here"), None, "{length} bytes");
        }
        assert_ne!(seal.close(b"whsec_secret", b"here"), closed, "every nonce is another");
        assert!(!closed.windows(6).any(|part| part == b"secret"));
    }

    #[test]
    fn a_key_is_made_once_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret.key");
        let first = from_file(&file).expect("made");
        assert_eq!(from_file(&file).expect("read"), first);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(
            write_new(&file, &[0; KEY_LEN]).map_err(|error| error.kind()),
            Err(io::ErrorKind::AlreadyExists)
        );
        assert_eq!(from_file(&file).expect("read"), first, "a key is never written over");
        std::fs::write(&file, b"short").expect("writable");
        let error = from_file(&file).expect_err("no key").to_string();
        assert!(error.contains("5 bytes where a key has 32"), "{error}");
    }

    #[test]
    fn links_and_secrets_have_different_keys() {
        let key = ServerKey::of(&[7; KEY_LEN]);
        assert_ne!(key.derived(b"links"), key.derived(b"secrets at rest"));
        assert_eq!(key.link_key().0, ServerKey::of(&[7; KEY_LEN]).link_key().0);
    }

    #[test]
    fn a_key_in_digits_is_read_whole() {
        assert_eq!(digits(&"0a".repeat(KEY_LEN)), Some([10; KEY_LEN]));
        assert_eq!(digits("0a"), None);
        assert_eq!(digits(&"0g".repeat(KEY_LEN)), None);
        assert_eq!(digits(&"+a".repeat(KEY_LEN)), None);
    }
}

//! `packshot certificate`: what it takes to answer by the names that clients have built in.

use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use time::{Duration, OffsetDateTime};

use crate::{End, Usage};

/// How long it is good for: clients refuse certificates of servers that are good for longer than 398 days.
const GOOD_FOR: Duration = Duration::days(397);
/// Clocks of clients may be behind by so much.
const CLOCKS_APART: Duration = Duration::hours(1);

/// Make a certificate authority and a certificate signed by it. The authority's own key is thrown away, so that nobody
/// can sign anything else with what clients are told to trust.
#[derive(clap::Args)]
pub struct Options {
    /// A name or an IP address that clients reach the server by; give one for each
    #[arg(long = "host", value_name = "NAME", required = true)]
    hosts: Vec<String>,
    /// Folder for `ca.pem`, `cert.pem` and `key.pem`; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(options: &Options) -> anyhow::Result<End> {
    for host in &options.hosts {
        let parts = host.strip_prefix("*.").unwrap_or(host).split('.');
        let named = parts.clone().all(|part| {
            !part.is_empty()
                && part.len() <= 63
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        });
        if host.parse::<IpAddr>().is_err() && !named {
            return Err(Usage(format!(
                "`{host}` is no name and no address; give one like `api.example.com` or `192.0.2.7`, without a port"
            ))
            .into());
        }
    }
    let [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| options.out.join(name));
    if !options.force
        && let Some(there) = [&ca, &cert, &key].into_iter().find(|file| file.exists())
    {
        return Err(Usage(format!(
            "`{}` is there already; name another folder, or replace it with --force",
            there.display()
        ))
        .into());
    }
    let made = make(&options.hosts, OffsetDateTime::now_utc()).context("cannot make a certificate")?;
    fs::create_dir_all(&options.out)
        .with_context(|| format!("cannot create the folder `{}`", options.out.display()))?;
    write(&key, &made.key, 0o600)?;
    write(&cert, &made.chain, 0o644)?;
    write(&ca, &made.authority, 0o644)?;
    let out = fs::canonicalize(&options.out)?;
    let names: Vec<_> =
        options.hosts.iter().map(String::as_str).filter(|host| host.parse::<IpAddr>().is_err()).collect();
    println!("in the clients' hosts file   127.0.0.1 {}", names.join(" "));
    println!("for Python clients           export REQUESTS_CA_BUNDLE={}", out.join("ca.pem").display());
    println!(
        "to serve                     packshot serve --listen 0.0.0.0:443 --tls-cert {} --tls-key {}",
        out.join("cert.pem").display(),
        out.join("key.pem").display()
    );
    eprintln!(
        "the address is the server's as its clients reach it; the certificate is good for {} days",
        GOOD_FOR.whole_days()
    );
    Ok(End::Done)
}

/// Texts in PEM.
struct Made {
    authority: String,
    chain: String,
    key: String,
}

fn make(hosts: &[String], now: OffsetDateTime) -> Result<Made, rcgen::Error> {
    let begins = now - CLOCKS_APART;
    let ends = begins + GOOD_FOR;
    let named = |name: &str| {
        let mut names = DistinguishedName::new();
        names.push(DnType::CommonName, name);
        names
    };

    let mut authority = CertificateParams::default();
    authority.distinguished_name = named("Packshot, for clients that trust this file");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (authority.not_before, authority.not_after) = (begins, ends);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)?;

    let mut server = CertificateParams::new(hosts)?;
    server.distinguished_name = named("Packshot");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    (server.not_before, server.not_after) = (begins, ends);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let server = server.signed_by(&key, &authority)?;
    Ok(Made {
        chain: format!("{}{}", server.pem(), authority.pem()),
        authority: authority.pem(),
        key: key.serialize_pem(),
    })
}

/// Writes a file whole or not at all; nobody but its owner ever has more of it than `mode` says.
fn write(file: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let new = file.with_extension("pem.new");
    let written = || -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        if new.exists() {
            fs::remove_file(&new)?;
        }
        let mut open = options.open(&new)?;
        open.write_all(text.as_bytes())?;
        open.sync_all()?;
        fs::rename(&new, file)
    };
    written().with_context(|| format!("cannot write `{}`", file.display()))
}

//! Clients with built-in names: a certificate made by the binary, and requests by those names through real TLS.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::python_client::{python, small_photos};
use crate::support::{PATIENCE, Server, credentials, finish, packshot, root};

const API: &str = "api.autoretouch.com";
const AUTH: &str = "auth.autoretouch.com";

/// Makes a certificate for both names into `folder`.
fn certificate(folder: &Path, more: &[&str]) -> std::process::Output {
    let mut words = vec!["certificate", "--host", API, "--host", AUTH, "--host", "127.0.0.1", "--out"];
    words.push(folder.to_str().expect("a path"));
    words.extend_from_slice(more);
    finish(packshot(&words))
}

/// A server with the certificate of that folder, answering by both names.
fn serve(data: &Path, folder: &Path) -> Server {
    let file = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
    Server::start(
        data,
        &[
            ("PACKSHOT_TLS__CERT", &file("cert.pem")),
            ("PACKSHOT_TLS__KEY", &file("key.pem")),
            ("PACKSHOT_HOSTS__API", &format!("[\"{API}\"]")),
            ("PACKSHOT_HOSTS__AUTH", &format!("[\"{AUTH}\"]")),
        ],
    )
}

/// Where a server listens: `127.0.0.1:1234`.
fn address(server: &Server) -> String {
    server.base.rsplit('/').next().expect("an address").to_owned()
}

/// Asks by a name, trusting that authority alone; answers the status and the body.
fn ask(server: &Server, authority: &Path, name: &str, request: &str) -> std::io::Result<(u16, String)> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).expect("a certificate")).expect("it is one");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let to = ServerName::try_from(name.to_owned()).expect("a name");
    let tls = ClientConnection::new(Arc::new(config), to).map_err(std::io::Error::other)?;
    let socket = TcpStream::connect(address(server))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(tls, socket);
    let (line, rest) = request.split_once("\r\n").unwrap_or((request, ""));
    write!(stream, "{line} HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n{rest}\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").expect("a head").1.to_owned();
    Ok((status, body))
}

#[test]
fn a_name_that_clients_have_built_in_is_answered_through_tls() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("certificate");
    let made = certificate(&folder, &[]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    assert_eq!(said.lines().count(), 3, "{said}");
    assert!(said.contains(&format!("127.0.0.1 {API} {AUTH}\n")), "{said}");
    assert!(said.contains("REQUESTS_CA_BUNDLE=/") && said.contains("--tls-cert /"), "{said}");
    let mode = fs::metadata(folder.join("key.pem")).expect("a key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let server = serve(&dir.path().join("data"), &folder);
    assert!(server.base.starts_with("https://127.0.0.1:"), "{}", server.base);
    let authority = folder.join("ca.pem");
    let status = |name: &str, path: &str| {
        ask(&server, &authority, name, &format!("GET {path}\r\n")).expect("an answer").0
    };
    // Each name answers for its own.
    for name in [API, AUTH, "127.0.0.1"] {
        assert_eq!(status(name, "/v1/health"), 200, "{name}");
    }
    assert_eq!((status(API, "/v1/organization"), status(AUTH, "/v1/organization")), (401, 404));
    assert_eq!((status(AUTH, "/.well-known/jwks.json"), status(API, "/.well-known/jwks.json")), (200, 404));
    assert_eq!((status(AUTH, "/activate"), status(API, "/activate")), (200, 404));
    assert_eq!((status("127.0.0.1", "/activate"), status("127.0.0.1", "/organization")), (200, 401));

    // Links lead back to the name the client knows.
    let begin = |name: &str| {
        let form = "client_id=V8EkfbxtBi93cAySTVWAecEum4d6pt4J&scope=offline_access";
        let head = "POST /oauth/device/code\r\ncontent-type: application/x-www-form-urlencoded";
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{form}", form.len());
        ask(&server, &authority, name, &request).expect("an answer")
    };
    let (status, body) = begin(AUTH);
    assert_eq!(status, 200, "{body}");
    let codes: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(codes["verification_uri"], format!("https://{AUTH}/activate"));
    let (_, body) = begin("127.0.0.1");
    let codes: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(codes["verification_uri"], format!("{}/activate", server.base));

    // A name the certificate does not have is not believed by the client.
    assert!(ask(&server, &authority, "else.example", "GET /health\r\n").is_err());

    // Plain HTTP to this port is told so.
    let mut plain = TcpStream::connect(address(&server)).expect("it listens");
    plain.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").expect("written");
    let mut answer = String::new();
    plain.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("this port speaks TLS"), "{answer}");

    // Another certificate is used from the next connection on, and one that cannot be used is not.
    assert_eq!(certificate(&folder, &[]).status.code(), Some(2), "files that are there stay");
    let old = dir.path().join("old.pem");
    fs::copy(&authority, &old).expect("copied");
    assert!(certificate(&folder, &["--force"]).status.success());
    assert!(ask(&server, &authority, API, "GET /health\r\n").is_err(), "it was read before anybody said so");
    hang_up(&server);
    until(|| ask(&server, &authority, API, "GET /health\r\n").is_ok());
    assert!(ask(&server, &old, API, "GET /health\r\n").is_err());
    fs::write(folder.join("cert.pem"), "nonsense").expect("written");
    hang_up(&server);
    until(|| server.log().contains("the certificate stays as it was"));
    assert!(ask(&server, &authority, API, "GET /health\r\n").is_ok());

    // A handshake that never comes holds nobody up.
    let _silent = TcpStream::connect(address(&server)).expect("it listens");
    let (took, ended) = server.terminate();
    assert!(ended.success() && took < Duration::from_secs(5), "{took:?}");
}

fn hang_up(server: &Server) {
    let sent = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

fn until(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "it did not come to that");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    assert!(certificate(&one, &[]).status.success() && certificate(&other, &[]).status.success());
    let refused = |cert: &Path, key: &Path| {
        let words = ["serve", "--listen", "127.0.0.1:0", "--tls-cert"];
        let mut command = packshot(&words);
        command.arg(cert).arg("--tls-key").arg(key).arg("--data").arg(dir.path().join("data"));
        let output = finish(command);
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = refused(&one.join("cert.pem"), &other.join("key.pem"));
    assert!(said.contains("other/key.pem") && said.contains("cannot be used together"), "{said}");
    let said = refused(&one.join("cert.pem"), &one.join("cert.pem"));
    assert!(said.contains("no private key"), "{said}");
    let said = refused(&one.join("none.pem"), &one.join("key.pem"));
    assert!(said.contains("none.pem") && said.contains("tls.cert"), "{said}");
    let mut alone = packshot(&["serve", "--data", "x"]);
    alone.env("PACKSHOT_TLS__KEY", one.join("key.pem"));
    let output = finish(alone);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("`tls.key` is given and `tls.cert` is not"), "{said}");
    assert_eq!(
        finish(packshot(&["certificate", "--host", "https://a", "--out", "x"])).status.code(),
        Some(2)
    );
}

/// Runs Python with what a hosts file does, and a port that needs no administrator: the names that the published client
/// has built in lead to this server, and its authority is trusted. Nothing of the client is changed.
fn python_by_name(home: &Path, server: &Server, certificate: &Path) -> Command {
    fs::create_dir_all(home.join(".config")).expect("a folder");
    fs::write(
        home.join("sitecustomize.py"),
        "import os, socket\n\
         real = socket.getaddrinfo\n\
         def ours(host, port, *rest, **named):\n\
         \x20   if host in ('api.autoretouch.com', 'auth.autoretouch.com') and port == 443:\n\
         \x20       host, port = '127.0.0.1', int(os.environ['PACKSHOT_PORT'])\n\
         \x20   return real(host, port, *rest, **named)\n\
         socket.getaddrinfo = ours\n",
    )
    .expect("written");
    let mut command = Command::new(python());
    command
        .env("PYTHONPATH", home)
        .env("PACKSHOT_PORT", address(server).rsplit(':').next().expect("a port"))
        .env("REQUESTS_CA_BUNDLE", certificate.join("ca.pem"))
        .env("HOME", home)
        .env_remove("HTTPS_PROXY")
        .env_remove("https_proxy");
    command
}

#[test]
fn the_published_python_client_works_by_its_built_in_names() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("certificate");
    assert!(certificate(&folder, &[]).status.success());
    let server = serve(&dir.path().join("data"), &folder);
    let credentials = credentials(server.data());
    let output = python_by_name(dir.path(), &server, &folder)
        .arg(root().join("crates/app/tests/e2e/python_hosts.py"))
        .arg(credentials["refresh_token"].as_str().expect("a token"))
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(seen["organization"], credentials["organization_id"]);
    assert_eq!(seen["verification"], format!("https://{AUTH}/activate"));
}

/// Its command line knows no other addresses than those it has built in, and is not told any here.
#[test]
fn the_published_command_line_works_unmodified() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("certificate");
    assert!(certificate(&folder, &[]).status.success());
    let server = serve(&dir.path().join("data"), &folder);
    let credentials = credentials(server.data());
    let text = |name: &str| credentials[name].as_str().expect("text").to_owned();
    let run = |words: &[&str]| {
        python_by_name(dir.path(), &server, &folder)
            // What its installed script does; the script itself names the folder it was installed in.
            .args(["-c", "from autoretouch.cli.commands import autoretouch_cli; autoretouch_cli(prog_name='autoretouch')"])
            .args(words)
            .env("AUTORETOUCH_REFRESH_TOKEN", text("refresh_token"))
            .output()
            .expect("python runs")
    };
    let said = |words: &[&str]| {
        let output = run(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let org = text("organization_id");
    assert_eq!(said(&["organizations"]), format!("My studio: {org}\n"));
    let listed: Value = serde_json::from_str(&said(&["organizations", "--format", "json"])).expect("JSON");
    assert_eq!(listed[0]["id"], org);
    said(&["config", "set", "--organization-id", &org]);
    let workflows: Value = serde_json::from_str(&said(&["workflows", "--format", "json"])).expect("JSON");
    let workflow = workflows[0]["id"].as_str().expect("an id").to_owned();
    assert!(said(&["workflows"]).starts_with(&format!("Export only: {workflow}\n")));
    said(&["config", "set", "--organization-id", &org, "--workflow-id", &workflow]);
    let shown = said(&["config", "get"]);
    assert!(shown.contains(&org) && shown.contains(&workflow), "{shown}");
    assert_eq!(said(&["organization"]), format!("My studio: {org}\n"));
    let before: i64 = said(&["balance"]).trim().parse().expect("a number");

    let photos = dir.path().join("photos");
    let results = dir.path().join("results");
    fs::create_dir_all(&results).expect("a folder");
    small_photos(&photos, 20);
    let mut names: Vec<_> =
        fs::read_dir(&photos).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    names.sort();
    let paths: Vec<&str> = names[..2].iter().map(|path| path.to_str().expect("text")).collect();
    let uploaded = said(&["upload", paths[0], paths[1]]);
    for (line, path) in uploaded.lines().zip(&paths) {
        let hash = line.strip_prefix(&format!("{path} is uploaded as ")).expect("it says so");
        let bytes = fs::read(path).expect("readable");
        let expected: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, expected);
    }
    assert_eq!(uploaded.lines().count(), 2);
    let out = results.to_str().expect("text");
    said(&["process", paths[0], out]);
    said(&["process", photos.to_str().expect("text"), out, "--workflow-id", &workflow, "--yes"]);
    let made: Vec<_> =
        fs::read_dir(&results).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    assert_eq!(made.len(), 20);
    for path in made {
        assert!(fs::read(&path).expect("readable").starts_with(b"\x89PNG"), "{}", path.display());
    }
    let after: i64 = said(&["balance"]).trim().parse().expect("a number");
    assert_eq!(after, before - 21 * 10);

    said(&["logout"]);
    assert!(!run(&["balance"]).status.success(), "its token was revoked");
}

//! Encrypted connections.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use active_status_fleet::LocalServer;

/// Creates a certificate for `localhost` in a folder, and an authority that has signed it.
fn certify(folder: &Path) {
    fs::write(folder.join("name"), "subjectAltName=DNS:localhost").expect("a file");
    for arguments in [
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 1 -subj /CN=authority",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out request -subj /CN=localhost",
        "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 1 \
         -extfile name",
    ] {
        let mut command = Command::new("openssl");
        command.args(arguments.split_whitespace()).current_dir(folder).stderr(Stdio::null());
        assert!(command.status().expect("openssl is installed").success(), "{arguments}");
    }
}

#[test]
fn tls_connections_check_the_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    certify(folder.path());
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("an address").port().to_string();
    drop(free);
    let file = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (cert, key, authority) = (file("cert.pem"), file("key.pem"), file("ca.pem"));
    let files =
        ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &authority];
    let options = [&["--tls-port", &port, "--tls-auth-clients", "no"], &files[..]].concat();
    let _server = LocalServer::start(false, &options).expect("redis-server has TLS");

    let feed = |authority: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
        command.args(["feed", folder.path().to_str().expect("UTF-8")]);
        command.env("FLEET_REDIS", format!("rediss://localhost:{port}"));
        command.env("SSL_CERT_FILE", authority).stderr(Stdio::piped());
        command.spawn().expect("a process")
    };
    let fed = feed(&authority).wait_with_output().expect("a process");
    let said = String::from_utf8_lossy(&fed.stderr);
    assert!(fed.status.success() && said.contains("0 were known"), "{said}");

    // The key is that of the server, but no authority has signed the certificate.
    let mut refused = feed("/dev/null");
    let mut said = String::new();
    let errors = refused.stderr.take().expect("a pipe");
    BufReader::new(errors).read_line(&mut said).expect("a line");
    refused.kill().expect("a process");
    refused.wait().expect("a process");
    assert!(said.contains(&format!("rediss://localhost:{port}")), "{said}");
    assert!(said.contains("ertificate") && !said.contains("queued"), "{said}");
}

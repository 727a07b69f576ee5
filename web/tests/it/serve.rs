//! The server, without a browser.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use active_status::board;
use active_status_web::{Page, PageOptions, Token};
use smol::Timer;

use crate::kit::Site;

#[test]
fn other_machines_need_a_token() {
    let (_board, events) = board();
    let (page, _feed) = Page::new(events, Timer::after);
    let every = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let refused = page.serve(every).expect_err("no token");
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);

    let (_board, events) = board();
    let options = PageOptions::new().token(Token::new("0123456789abcdef").expect("a token"));
    let (page, _feed) = options.build(events, Timer::after);
    let every = TcpListener::bind("0.0.0.0:0").expect("a free port");
    assert!(page.serve(every).is_ok());
}

#[test]
fn the_server_answers_http_1_and_streams_events_until_the_end() {
    let site = Site::new();
    site.board.println("hello");
    let mut stream = TcpStream::connect(site.address).expect("a connection");
    write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", site.address).expect("a request");
    site.board.close();
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("the response ends");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.contains(r#"{"kind":"line","at":"#), "{response}");
    assert!(response.contains(r#""closed":true"#), "{response}");
}

#[test]
fn a_viewer_that_hangs_up_makes_room_for_another() {
    let site = Site::new();
    let connect = || {
        let mut stream = TcpStream::connect(site.address).expect("a connection");
        write!(stream, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
        let mut status = [0; 12];
        stream.read_exact(&mut status).expect("a status");
        (stream, status.ends_with(b" 200"))
    };
    let viewers: Vec<_> = (0..64).map(|_| connect()).collect();
    assert!(viewers.iter().all(|(_, served)| *served));
    assert!(!connect().1);
    drop(viewers);
    // The server notices the end of the connections one after another.
    assert!((0..10_000).any(|_| connect().1));
}

//! The answers of a page, without a server.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use active_status::testing::VirtualClock;
use active_status::{Job, JobOptions, Outcome, board};
use active_status_web::{Page, PageOptions, Token};
use futures_lite::future::{block_on, poll_once};
use http::{Request, StatusCode};
use serde_json::Value;

use crate::kit::{Rounds, get, next, poll};

fn data(message: &str) -> Value {
    let data = message.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    serde_json::from_str(data).expect("JSON")
}

fn id(message: &str) -> &str {
    message.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id")
}

fn texts(message: &Value) -> Vec<&str> {
    let items = message["items"].as_array().expect("items");
    items.iter().map(|item| item["text"].as_str().expect("a text")).collect()
}

#[test]
fn a_viewer_is_sent_what_is_newer_than_what_it_has_seen() {
    let mut site = Rounds::new(PageOptions::new().title("copies"));
    let job = site.board.add_job("copy: ");
    job.set_text("a");
    site.round();
    let mut viewer = get(&site.page, "/events", &[]);
    let first = data(&next(&mut viewer).expect("the first message"));
    assert_eq!((&first["reset"], &first["title"]), (&true.into(), &"copies".into()));
    assert_eq!(texts(&first), ["a"]);
    assert_eq!(next(&mut viewer), None);

    job.set_text("b");
    job.set_text("c");
    assert_eq!(next(&mut viewer), None, "nothing is shown before the round ends");
    site.round();
    let second = data(&next(&mut viewer).expect("the change"));
    assert_eq!((texts(&second), &second["reset"]), (vec!["c"], &Value::Null));
    assert_eq!(next(&mut viewer), None);
}

#[test]
fn a_viewer_goes_on_where_its_connection_was_cut() {
    let mut site = Rounds::new(PageOptions::new());
    let (one, two) = (site.board.add_job("one"), site.board.add_job("two"));
    one.set_text("1");
    two.set_text("2");
    site.round();
    let before = next(&mut get(&site.page, "/events", &[])).expect("a message");
    two.set_text("3");
    site.board.println("a line");
    site.round();

    let mut again = get(&site.page, "/events", &[("last-event-id", id(&before))]);
    let after = data(&next(&mut again).expect("a message"));
    assert_eq!((texts(&after), &after["reset"]), (vec!["3", "a line"], &Value::Null));

    let mut site = Rounds::new(PageOptions::new());
    site.round();
    let mut other = get(&site.page, "/events", &[("last-event-id", id(&before))]);
    assert_eq!(data(&next(&mut other).expect("a message"))["reset"], true, "another run");
}

#[test]
fn a_viewer_that_fell_behind_learns_which_rows_are_left() {
    let mut site = Rounds::new(PageOptions::new());
    let jobs: Vec<_> = (0..5).map(|_| site.board.add_job("row")).collect();
    site.round();
    let mut viewer = get(&site.page, "/events", &[]);
    assert!(next(&mut viewer).is_some());

    jobs[1].finish();
    for number in 0..1_000 {
        site.board.println(number.to_string());
    }
    jobs[0].set_text("new");
    site.round();
    let message = data(&next(&mut viewer).expect("a message"));
    assert_eq!(message["keep"], serde_json::json!([[1, 1], [3, 5]]));
    assert_eq!((&message["gap"], &message["reset"]), (&true.into(), &Value::Null));
    let mut all = texts(&message).len();
    while let Some(message) = next(&mut viewer) {
        let message = data(&message);
        assert_eq!(message["gap"], Value::Null, "the gap is reported once");
        all += texts(&message).len();
    }
    assert_eq!(all, 1_001, "a thousand lines and a row");
}

#[test]
fn a_transient_row_vanishes_when_its_job_finishes() {
    let mut site = Rounds::new(PageOptions::new());
    let add = || site.board.add_job(JobOptions::new().transient(true));
    let jobs: Vec<_> = (0..1_003).map(|_| add()).collect();
    site.board.println("a line");
    site.round();
    let mut viewer = get(&site.page, "/events", &[]);
    while next(&mut viewer).is_some() {}
    jobs[0].finish();
    site.round();
    let message = data(&next(&mut viewer).expect("a message"));
    assert_eq!(message["items"], serde_json::json!([{ "kind": "vanished", "id": 1 }]));

    jobs[1..1_002].iter().for_each(Job::finish);
    site.round();
    let message = data(&next(&mut viewer).expect("a message"));
    assert_eq!(message["keep"], serde_json::json!([[1_003, 1_003]]));
    assert_eq!(message["gap"], Value::Null, "no row and no line is missing");
    let mut fresh = get(&site.page, "/events", &[]);
    assert_eq!(data(&next(&mut fresh).expect("a message"))["items"][1]["text"], "a line");
}

#[test]
fn ended_rows_and_lines_are_sent_again_after_a_reload() {
    let mut site = Rounds::new(PageOptions::new());
    let job = site.board.add_job("copy: ");
    job.set_text("a.txt");
    job.end(Outcome::Failed("no\nspace".into()));
    site.board.println("\u{1b}[31mred\u{1b}[0m <b>");
    site.board.close();
    site.round();
    for _ in 0..2 {
        let mut viewer = get(&site.page, "/events", &[]);
        let message = data(&next(&mut viewer).expect("a message"));
        assert_eq!(texts(&message), ["a.txt", "red <b>"]);
        assert_eq!(message["items"][0]["message"], "no\nspace");
        assert_eq!(message["counts"]["failed"], 1);
        assert_eq!(message["closed"], true);
        assert_eq!(poll(&mut viewer), Poll::Ready(None), "the run has ended");
    }
}

#[test]
fn a_page_whose_feed_is_dropped_has_ended() {
    let mut site = Rounds::new(PageOptions::new());
    site.board.add_job("copy: ").detach();
    site.round();
    let page = site.page.clone();
    drop(site);
    let mut viewer = get(&page, "/events", &[]);
    assert_eq!(data(&next(&mut viewer).expect("a message"))["closed"], true);
    assert_eq!(poll(&mut viewer), Poll::Ready(None));
}

#[test]
fn viewers_hear_of_changes_four_times_per_second_and_else_every_5_s() {
    let clock = VirtualClock::new();
    let sleeps = clock.clone();
    let (board, events) = board();
    let (page, feed) = Page::new(events, move |time| sleeps.sleep(time));
    let mut feed = pin!(feed);
    let mut round = || assert!(block_on(poll_once(feed.as_mut())).is_none());
    let job = board.add_job("copy: ");
    round();
    let mut viewer = get(&page, "/events", &[]);
    assert!(next(&mut viewer).is_some());

    job.set_text("new");
    round();
    clock.advance(Duration::from_millis(249));
    round();
    assert_eq!(next(&mut viewer), None);
    clock.advance(Duration::from_millis(1));
    round();
    assert!(next(&mut viewer).is_some_and(|message| message.contains("new")));

    clock.advance(Duration::from_millis(4_750));
    assert_eq!(next(&mut viewer), None);
    round();
    assert_eq!(next(&mut viewer).as_deref(), Some(":\n\n"));
    assert_eq!(next(&mut viewer), None);
}

#[test]
fn a_message_has_at_most_256_items() {
    let mut site = Rounds::new(PageOptions::new());
    let jobs: Vec<_> = (0..600).map(|number| site.board.add_job(format!("{number}: "))).collect();
    site.round();
    let mut viewer = get(&site.page, "/events", &[]);
    let mut sizes = Vec::new();
    while let Some(message) = next(&mut viewer) {
        sizes.push(texts(&data(&message)).len());
    }
    assert_eq!(sizes, [256, 256, 88]);
    drop(jobs);
}

#[test]
fn the_65th_viewer_is_refused_until_another_leaves() {
    let site = Rounds::new(PageOptions::new());
    let mut viewers: Vec<_> = (0..64).map(|_| get(&site.page, "/events", &[])).collect();
    assert!(viewers.iter().all(|viewer| viewer.status() == StatusCode::OK));
    let refused = get(&site.page, "/events", &[]);
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "5");
    assert_eq!(get(&site.page, "/", &[]).status(), StatusCode::OK);
    viewers.pop();
    assert_eq!(get(&site.page, "/events", &[]).status(), StatusCode::OK);
}

#[test]
fn every_answer_has_the_headers_of_a_closed_page() {
    let site = Rounds::new(PageOptions::new());
    for (path, status, content_type) in [
        ("/", 200, "text/html; charset=utf-8"),
        ("/page.js", 200, "text/javascript; charset=utf-8"),
        ("/page.css", 200, "text/css; charset=utf-8"),
        ("/icon.svg", 200, "image/svg+xml"),
        ("/events", 200, "text/event-stream"),
        ("/../Cargo.toml", 404, "text/plain; charset=utf-8"),
    ] {
        let response = get(&site.page, path, &[]);
        let headers = response.headers();
        assert_eq!(
            (response.status().as_u16(), &headers["content-type"]),
            (status, &content_type.parse().unwrap()),
            "{path}"
        );
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
    }
}

#[test]
fn only_get_is_answered() {
    let site = Rounds::new(PageOptions::new());
    for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"] {
        let request = Request::builder().method(method).uri("/").header("host", "localhost");
        let response = site.page.respond(&request.body(()).unwrap());
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(response.headers()["allow"], "GET");
    }
}

#[test]
fn a_host_that_another_site_could_name_is_refused() {
    let site = Rounds::new(PageOptions::new().host("Board.example.com"));
    for (host, status) in [
        ("localhost:8080", 200),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("192.168.1.7:80", 200),
        ("board.example.com", 200),
        ("attacker.example", 421),
        ("localhost.attacker.example:8080", 421),
        ("127.0.0.1.attacker.example", 421),
        ("[attacker]", 421),
        ("", 421),
    ] {
        assert_eq!(get(&site.page, "/", &[("host", host)]).status().as_u16(), status, "{host}");
    }
    let request = Request::get("/").body(()).unwrap();
    assert_eq!(site.page.respond(&request).status(), StatusCode::MISDIRECTED_REQUEST);
}

#[test]
fn another_site_may_link_to_the_page_but_not_read_it() {
    let site = Rounds::new(PageOptions::new());
    for (path, from, mode, status) in [
        ("/", "cross-site", "navigate", 200),
        ("/", "none", "navigate", 200),
        ("/events", "same-origin", "cors", 200),
        ("/events", "cross-site", "cors", 403),
        ("/page.js", "same-site", "no-cors", 403),
    ] {
        let headers = [("sec-fetch-site", from), ("sec-fetch-mode", mode)];
        let response = get(&site.page, path, &headers);
        assert_eq!(response.status().as_u16(), status, "{path} {from} {mode}");
    }
}

#[test]
fn a_token_opens_the_page_as_a_cookie_or_a_header() {
    const TOKEN: &str = "0123456789abcdef";
    let options = PageOptions::new().token(Token::new(TOKEN).unwrap());
    let site = Rounds::new(options);
    let cookie = format!("a=b; active-status-token={TOKEN}");
    let bearer = format!("Bearer {TOKEN}");
    for (headers, status) in [
        (vec![], 401),
        (vec![("cookie", "active-status-token=0123456789abcdeF")], 401),
        (vec![("authorization", "Bearer 0123456789abcde")], 401),
        (vec![("authorization", TOKEN)], 401),
        (vec![("cookie", &*cookie)], 200),
        (vec![("authorization", &*bearer)], 200),
    ] {
        for path in ["/", "/events", "/page.js"] {
            let response = get(&site.page, path, &headers);
            assert_eq!(response.status().as_u16(), status, "{path} {headers:?}");
        }
    }

    let response = get(&site.page, &format!("/?token={TOKEN}"), &[]);
    assert_eq!(
        (response.status().as_u16(), &response.headers()["location"]),
        (303, &"./".parse().unwrap())
    );
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert_eq!(cookie, "active-status-token=0123456789abcdef; HttpOnly; SameSite=Strict");
    assert_eq!(get(&site.page, "/?token=0123456789abcdeX", &[]).status().as_u16(), 401);
    assert_eq!(get(&site.page, &format!("/events?token={TOKEN}"), &[]).status().as_u16(), 401);
    assert!(!format!("{:?}", Token::new(TOKEN)).contains(TOKEN));
}

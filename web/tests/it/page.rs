//! The page in headless Chromium.

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use active_status::event::{Place, Row};
use active_status::{Event, Job, JobId, JobOptions, Outcome, ProgressStyle, Status};
use active_status_web::{Page, PageOptions, Token};
use serde_json::{Value, json};
use smol::Timer;

use crate::browser::Browser;
use crate::kit::Site;

/// The rows that run, without their prefixes.
const RUNNING: &str =
    "[...document.querySelectorAll('#running .text')].map((one) => one.textContent)";
const CONNECTION: &str = "document.querySelector('#connection').textContent";

fn no_problems(browser: &Browser) {
    assert!(browser.problems.is_empty(), "{:#?}", browser.problems);
}

#[test]
fn rows_stand_in_order_with_marks_and_numbers() {
    let site = Site::new();
    let all = site.board.add_job(JobOptions::new().prefix("all: ").pinned(true).total(4));
    all.tick_by(2);
    let copy = site.board.add_job("copy: ");
    copy.set_text("a.txt");
    copy.start_progress(3_000);
    copy.tick_by(1_500);
    let scan = site.board.add_job("scan: ");
    scan.start_progress(None);
    scan.tick_by(7);
    let mut browser = Browser::open(&site.url());
    browser.wait_for(CONNECTION, "live");
    browser.wait_for("document.querySelectorAll('.row').length", 3);
    assert_eq!(browser.texts("#title"), ["test"]);
    assert_eq!(browser.texts("#running .row"), ["● copy a.txt 50% 1,500/3,000", "● scan 7"]);
    assert_eq!(browser.texts("#pinned .row"), ["all 50% 2/4"]);
    assert_eq!(browser.evaluate("document.querySelector('#running progress').value"), 0.5);

    let mut question = site.board.writer();
    write!(question, "Continue?").expect("a board");
    browser.wait_for("document.querySelector('#partial').textContent", "Continue?");
    drop(question);
    scan.set_status(Status::Warning);
    copy.end(Outcome::Failed("no space".into()));
    drop(site.board.add_job("gone: "));
    browser.wait_for("document.querySelectorAll('#past li').length", 3);
    let past = browser.texts("#past li");
    assert_eq!(past[0], "Continue?");
    assert_eq!(browser.texts("#partial:not([hidden])"), [""; 0]);
    assert!(past[1].starts_with("✗ copy a.txt 1,500/3,000 after "), "{past:?}");
    assert!(past[1].ends_with("s no space"), "{past:?}");
    assert!(past[2].starts_with("⊘ gone cancelled after "), "{past:?}");
    assert_eq!(browser.texts("#running .mark"), ["!"]);
    assert_eq!(browser.texts("#failed"), ["1 failed"]);

    drop(scan);
    all.finish();
    site.board.close();
    browser.wait_for("document.querySelector('#counts').textContent", "1 done · 2 cancelled");
    assert_eq!(browser.texts("#connection"), ["ended"]);
    no_problems(&browser);
}

#[test]
fn subtasks_and_inserted_rows_stand_where_they_do_on_a_terminal() {
    let (page, feed) = {
        let row = |prefix: &str| Row::new(prefix);
        let rows = [
            (1, row("one")),
            (2, row("two")),
            (3, row("sub").with_parent(job(1)).with_output(["a <b>", "b"])),
            (4, row("above two").with_place(Place::Above(job(2)))),
            (5, row("below one").with_place(Place::Below(job(1)))),
            (6, row("nearer").with_place(Place::Below(job(1)))),
            (7, row("last")),
        ];
        let added = rows.map(|(id, row)| Event::Added { at: Duration::ZERO, job: job(id), row });
        let events = futures_lite::stream::iter(added);
        Page::new(
            futures_lite::StreamExt::chain(events, futures_lite::stream::pending()),
            Timer::after,
        )
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let _tasks = (smol::spawn(feed), smol::spawn(page.serve(listener).expect("loopback")));
    let mut browser = Browser::open(&url);
    browser.wait_for("document.querySelectorAll('#running .row').length", 7);
    let expected = ["one", "sub", "nearer", "below one", "above two", "two", "last"];
    assert_eq!(browser.texts("#running .prefix"), expected);
    assert_eq!(browser.texts("#running .subtask .prefix"), ["sub"]);
    assert_eq!(browser.texts("#running .subtask .output"), ["a <b> b"]);
    no_problems(&browser);
}

fn job(id: u64) -> JobId {
    JobId::new(id).expect("ids count from 1")
}

#[test]
fn numbers_are_written_as_on_a_terminal() {
    let site = Site::new();
    let add = |style: ProgressStyle, position, total: u64| {
        let job = site.board.add_job(JobOptions::new().total(total).style(style));
        job.tick_by(position);
        job
    };
    let _jobs = [
        add(ProgressStyle::bar(), 9, 1_200),
        add(ProgressStyle::bar(), 230_000_000, 1_000_000_000),
        add(ProgressStyle::bytes(), 3_250_586, 51_812_239),
        add(ProgressStyle::bytes(), 700, 900),
        add(ProgressStyle::custom(|progress| format!("page {}", progress.position)), 3, 4),
    ];
    let mut browser = Browser::open(&site.url());
    browser.wait_for("document.querySelectorAll('#running .row').length", 5);
    let counts = browser.texts("#running .count");
    assert_eq!(counts, ["9/1,200", "0.23/1.00G", "3.1/49.4 MiB", "700/900 B", "page 3"]);
    no_problems(&browser);
}

#[test]
fn a_row_without_updates_turns_quiet_and_then_stuck() {
    // The page learns the time from the given clock: the job was added long before.
    let now = Duration::from_secs(60 * 3_600 + 1_800);
    let site = Site::with_options(PageOptions::new().clock(move || now));
    let job = site.board.add_job("old: ");
    job.set_text("waiting");
    let mut browser = Browser::open(&site.url());
    browser.wait_for("document.querySelector('#running .tail').textContent", "quiet 2d 12h");
    assert_eq!(browser.texts("#running .stuck .mark"), ["○"]);
    no_problems(&browser);
}

#[test]
fn a_reload_shows_the_same_again() {
    let site = Site::new();
    let jobs: Vec<Job> =
        (1..=3).map(|number| site.board.add_job(format!("job {number}: "))).collect();
    for (job, text) in jobs.iter().zip(["one", "two", "three"]) {
        job.set_text(text);
    }
    site.board.println("a line");
    jobs[1].finish();
    let mut browser = Browser::open(&site.url());
    for _ in 0..2 {
        browser.wait_for(RUNNING, json!(["one", "three"]));
        browser.wait_for("document.querySelectorAll('#past li').length", 2);
        browser.evaluate("window.before = true");
        browser.call("Page.reload", json!({}));
        browser.wait_for("typeof window.before", "undefined");
    }
    no_problems(&browser);
}

#[test]
fn after_a_cut_the_page_goes_on_without_repeating() {
    let mut site = Site::new();
    let job = site.board.add_job("copy: ");
    job.set_text("one");
    site.board.println("before");
    let mut browser = Browser::open(&site.url());
    browser.wait_for(RUNNING, json!(["one"]));
    browser.evaluate("window.same = true");

    site.stop();
    browser.wait_for(CONNECTION, "reconnecting…");
    job.set_text("two");
    site.board.println("during");
    site.start();
    browser.wait_for(CONNECTION, "live");
    browser.wait_for(RUNNING, json!(["two"]));
    browser.wait_for("document.querySelectorAll('#past li').length", 2);
    assert_eq!(browser.texts("#past li"), ["before", "during"]);
    assert_eq!(browser.evaluate("window.same"), true, "the page was not loaded again");
}

#[test]
fn another_run_at_the_same_address_replaces_the_first() {
    let mut site = Site::new();
    site.board.println("the first run");
    let job = site.board.add_job("first: ");
    let mut browser = Browser::open(&site.url());
    browser.wait_for("document.querySelectorAll('#past li').length", 1);
    site.stop();
    let mut other = Site::with_options(PageOptions::new().title("the second"));
    other.stop();
    other.address = site.address;
    other.start();
    browser.wait_for("document.title", "the second");
    browser.wait_for("document.querySelectorAll('#past li').length", 0);
    drop(job);
}

#[test]
fn the_log_follows_its_end() {
    let site = Site::new();
    let mut browser = Browser::open(&site.url());
    for round in 1..=4 {
        for number in 0..100 {
            site.board
                .add_job("a: ")
                .end(Outcome::Failed(format!("{number}\n").repeat(number % 3)));
            site.board.println("a line");
        }
        browser.wait_for("document.querySelectorAll('#past li').length", round * 200);
        browser.wait_for("(() => { const log = $('past-part'); return log.scrollTop + log.clientHeight >= log.scrollHeight - 8 })()", true);
    }
    no_problems(&browser);
}

#[test]
fn hostile_text_is_shown_as_text() {
    let site = Site::with_options(PageOptions::new().title("<script>hacked = 1</script>"));
    let hostile = "<img src=x onerror='hacked = 1'>\u{202e}\u{1b}[31m</li>";
    let job = site.board.add_job(JobOptions::new().prefix(hostile).pinned(true));
    job.set_text(hostile);
    let failed = site.board.add_job(hostile);
    failed.end(Outcome::Failed(hostile.into()));
    site.board.println(hostile);
    let running = site.board.add_job("__proto__ ");
    running.set_text("constructor");
    let mut browser = Browser::open(&site.url());
    browser.wait_for("document.querySelectorAll('#past li').length", 2);
    let shown = "<img src=x onerror='hacked = 1'> </li>";
    assert_eq!(browser.texts("#past .line"), [shown]);
    assert_eq!(browser.texts("#past .message"), [shown]);
    assert_eq!(browser.texts("#pinned .text"), [shown]);
    assert_eq!(browser.texts("#title"), ["<script>hacked = 1</script>"]);
    assert_eq!(browser.evaluate("typeof hacked"), "undefined");
    assert_eq!(browser.evaluate("document.querySelectorAll('img, main script').length"), 0);
    no_problems(&browser);
}

#[test]
fn of_10_000_rows_the_important_ones_are_shown() {
    let site = Site::new();
    let add = |number: usize| site.board.add_job(format!("n{:02} job {number}: ", number % 20));
    let jobs: Vec<Job> = (0..10_000).map(add).collect();
    let mut browser = Browser::open(&site.url());
    browser.wait_for("document.querySelector('#more').textContent", "… +9,800 more");
    assert_eq!(browser.evaluate("document.querySelectorAll('#running .row').length"), 200);

    jobs[7_777].set_text("trouble");
    jobs[7_777].set_status(Status::Error);
    browser.wait_for(&format!("{RUNNING}.filter((text) => text === 'trouble').length"), 1);

    let groups = "[...document.querySelectorAll('#groups li')].map((one) => one.textContent)";
    browser.wait_for(&format!("{groups}[7]"), "n07 · 500 running");
    browser.wait_for(&format!("{groups}.length"), 20);
    browser.evaluate("document.querySelectorAll('#groups button')[7].click()");
    browser.wait_for("document.querySelector('#more').textContent", "… +300 more");
    browser.evaluate("document.querySelectorAll('#groups button')[7].click()");

    browser.evaluate("$('find').value = 'JOB 1234'; $('find').oninput()");
    browser.wait_for("document.querySelectorAll('#running .prefix').length", 1);
    assert_eq!(browser.texts("#running .prefix"), ["n14 job 1234"]);
    no_problems(&browser);
}

#[test]
fn every_text_has_contrast_in_both_color_schemes() {
    let site = Site::new();
    let _rows = one_of_each(&site);
    let mut browser = Browser::open(&site.url());
    browser.wait_for("document.querySelectorAll('.row').length", 12);
    let mut pages = Vec::new();
    for scheme in ["light", "dark"] {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        browser.call("Emulation.setEmulatedMedia", json!({ "features": features }));
        let found = browser.evaluate(CONTRASTS);
        let texts = found["texts"].as_array().expect("texts");
        assert!(texts.len() > 30, "{texts:?}");
        for text in texts {
            assert!(text["contrast"].as_f64() >= Some(4.5), "{scheme}: {text}");
        }
        pages.push(found["page"].clone());
    }
    assert_eq!(pages, ["rgb(255, 255, 255)", "rgb(13, 17, 23)"]);
}

/// The contrast of each element with text to the background that it stands on.
const CONTRASTS: &str = "(() => {
    const parts = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => {
        const [r, g, b] = parts(color).map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        const color = getComputedStyle(element).backgroundColor;
        const clear = parts(color)[3] === 0;
        return clear && element.parentElement ? behind(element.parentElement) : color;
    };
    const texts = [];
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!own || !element.checkVisibility()) continue;
        const [a, b] = [getComputedStyle(element).color, behind(element)].map(light);
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        texts.push({ text: element.textContent, contrast });
    }
    return { texts, page: getComputedStyle(document.body).backgroundColor };
})()";

/// Adds a row of each status and outcome, and a line.
fn one_of_each(site: &Site) -> Vec<Job> {
    site.board.println("a line");
    for outcome in [
        Outcome::Finished,
        Outcome::Failed("why".into()),
        Outcome::Cancelled,
        Outcome::Panicked,
        Outcome::Abandoned,
        Outcome::Lost,
    ] {
        site.board.add_job("ended: ").end(outcome);
    }
    let statuses = [Status::Normal, Status::Success, Status::Warning, Status::Error];
    let mut rows: Vec<Job> = statuses
        .map(|status| {
            let job = site.board.add_job(format!("{status:?}: "));
            job.set_status(status);
            job.set_text("text");
            job.start_progress(10);
            job.tick_by(3);
            job
        })
        .into();
    rows.push(site.board.add_job(JobOptions::new().prefix("count: ").text("text")));
    rows.push(site.board.add_job(JobOptions::new().prefix("all: ").pinned(true).total(9)));
    rows
}

#[test]
fn the_accessibility_tree_names_rows_and_bars() {
    let site = Site::new();
    let _rows = one_of_each(&site);
    let mut browser = Browser::open(&site.url());
    browser.wait_for("document.querySelectorAll('.row').length", 12);
    let tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let nodes = tree["nodes"].as_array().expect("nodes");
    let names = |role: &str| -> Vec<&str> {
        let of_role = nodes.iter().filter(|node| node["role"]["value"] == role);
        of_role.filter_map(|node| node["name"]["value"].as_str()).collect()
    };
    assert_eq!(names("heading"), ["test"]);
    assert_eq!(names("searchbox"), ["Find in all rows and lines"]);
    assert_eq!(names("status").len(), 1);
    assert_eq!(names("list").len(), 3);
    assert_eq!(names("progressbar"), ["Normal", "Success", "Warning", "Error", "all"]);
    assert_eq!(
        names("image").into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>(),
        [
            "finished",
            "failed",
            "cancelled",
            "panicked",
            "abandoned",
            "lost",
            "running",
            "success",
            "warning",
            "error",
            "running",
            "running",
        ]
    );
    let regions = names("region");
    assert_eq!(regions, ["Ended rows and printed lines", "Running rows", "Pinned rows"]);
}

#[test]
fn nothing_moves_if_the_user_prefers_that() {
    let site = Site::new();
    let _rows = one_of_each(&site);
    let mut browser = Browser::open(&site.url());
    browser.wait_for("document.querySelectorAll('.row').length", 12);
    let features = json!([{ "name": "prefers-reduced-motion", "value": "reduce" }]);
    browser.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    let moving = browser.evaluate(
        "[...document.querySelectorAll('*')].flatMap((one) => ['', '::-webkit-progress-value']
            .map((part) => getComputedStyle(one, part)))
            .filter((style) => style.transitionDuration !== '0s' || style.animationName !== 'none').length",
    );
    assert_eq!(moving, 0);
}

#[test]
fn a_row_on_a_narrow_screen_fits() {
    let site = Site::new();
    let job =
        site.board.add_job(JobOptions::new().prefix("a rather long prefix 17: ").total(1_000_000));
    job.set_text("a/long/path/".repeat(20));
    job.tick_by(999_999);
    let mut browser = Browser::open(&site.url());
    let metrics = json!({ "width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true });
    browser.call("Emulation.setDeviceMetricsOverride", metrics);
    browser.wait_for("document.querySelectorAll('.row').length", 1);
    browser.wait_for("document.documentElement.scrollWidth", 390);
    let cut = "[...document.querySelectorAll('.count, .percent')]
        .filter((one) => one.scrollWidth > one.clientWidth).length";
    assert_eq!(browser.evaluate(cut), 0, "numbers are whole");
}

#[test]
fn a_token_is_asked_for_once() {
    let token = Token::new("0123456789abcdef").expect("a token");
    let site = Site::with_options(PageOptions::new().title("secret").token(token));
    site.board.println("a line");
    let mut browser = Browser::open(&site.url());
    browser.wait_for("document.querySelector('label').textContent", "Token of this status board");
    browser.evaluate("document.querySelector('#token').value = '0123456789abcdef'");
    browser.evaluate("document.querySelector('form').submit()");
    browser.wait_for("document.title", "secret");
    browser.wait_for("document.querySelectorAll('#past li').length", 1);
    assert_eq!(browser.evaluate("location.href"), Value::from(site.url()));
    assert_eq!(browser.evaluate("document.cookie"), "", "scripts do not see the token");
}

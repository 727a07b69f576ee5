//! Headless Chromium, controlled by its own protocol over two pipes. It ends with the
//! test process, because its pipes are closed then.

use std::fmt::Debug;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use std::{env, fs, process, thread};

use serde_json::{Value, json};

/// The time after which a test gives up. Nothing waits for it unless a test fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    folder: PathBuf,
    /// The number of the last command.
    last: u64,
    session: Option<String>,
    /// The exceptions and the errors that the page has logged.
    pub(crate) problems: Vec<Value>,
}

impl Browser {
    /// Starts a browser and opens an address.
    pub(crate) fn open(address: &str) -> Self {
        let folder = env::temp_dir().join(format!(
            "active-status-web-{}-{:?}",
            process::id(),
            thread::current().id()
        ));
        // The protocol uses the descriptors 3 and 4.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 2>/dev/null", "chromium"])
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", folder.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let input = process.stdin.take().expect("a pipe");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("a message in JSON");
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let problems = Vec::new();
        let mut browser =
            Self { process, input, messages, folder, last: 0, session: None, problems };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", target);
        browser.session = Some(session["sessionId"].as_str().expect("a session").to_owned());
        for domain in ["Page", "Runtime", "Log", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.call("Page.navigate", json!({ "url": address }));
        browser
    }

    /// Calls a method of the protocol, which must succeed.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        let result = self.try_call(method, parameters);
        result.unwrap_or_else(|error| panic!("{method} failed: {error}"))
    }

    fn try_call(&mut self, method: &str, parameters: Value) -> Result<Value, Value> {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let sent = self.input.write_all(format!("{command}\0").as_bytes());
        let absent = "chromium does not run; install it with `bash .ci/services`";
        sent.unwrap_or_else(|error| panic!("{absent} ({error})"));
        loop {
            let message = self.messages.recv_timeout(DEADLINE);
            let message = message.unwrap_or_else(|error| match error {
                mpsc::RecvTimeoutError::Disconnected => panic!("{absent}"),
                mpsc::RecvTimeoutError::Timeout => panic!("no answer to {command}"),
            });
            let event = message["method"].as_str().unwrap_or_default();
            if ["Runtime.exceptionThrown", "Log.entryAdded"].contains(&event) {
                self.problems.push(message["params"].clone());
            } else if message["id"] == self.last {
                let error = &message["error"];
                return if error.is_null() {
                    Ok(message["result"].clone())
                } else {
                    Err(error.clone())
                };
            }
        }
    }

    /// Evaluates an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut result = self.try_call("Runtime.evaluate", parameters.clone());
        for _ in 0..5 {
            if result.is_ok() {
                break;
            }
            // Another page was opened meanwhile.
            result = self.try_call("Runtime.evaluate", parameters.clone());
        }
        let result = result.unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression in the page has a value.
    pub(crate) fn wait_for<V: Into<Value> + Debug>(&mut self, expression: &str, expected: V) {
        let expected = expected.into();
        let millis = DEADLINE.as_millis() / 2;
        let found = self.evaluate(&format!(
            "new Promise((resolve) => {{
                const expected = JSON.stringify({expected});
                const end = performance.now() + {millis};
                const look = () => {{
                    let found;
                    try {{ found = {expression}; }} catch (error) {{ found = String(error); }}
                    if (JSON.stringify(found) === expected || performance.now() > end) resolve(found);
                    else setTimeout(look, 10);
                }};
                look();
            }})"
        ));
        if found != expected {
            let text = self.evaluate("document.body.innerText");
            panic!("{expression} is {found}, not {expected}; the page:\n{text}");
        }
    }

    /// Returns the texts of the elements that match a selector.
    pub(crate) fn texts(&mut self, selector: &str) -> Vec<String> {
        let texts = self.evaluate(&format!(
            "[...document.querySelectorAll({})].map((one) => one.innerText.replace(/\\s+/g, ' ').trim())",
            json!(selector)
        ));
        serde_json::from_value(texts).expect("texts")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser starts other processes, which end when it closes by itself.
        self.last += 1;
        let close = json!({ "id": self.last, "method": "Browser.close" });
        let _sent = self.input.write_all(format!("{close}\0").as_bytes());
        while self.messages.recv_timeout(DEADLINE).is_ok() {}
        let _ended = self.process.kill();
        let _ended = self.process.wait();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

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

/// The time after which a command is given up, as that of a page that was left meanwhile.
const DEADLINE: Duration = Duration::from_secs(20);

/// The pause between two looks at the page, and the number of looks before a test fails.
const PAUSE: Duration = Duration::from_millis(20);
const LOOKS: usize = 3_000;

/// The number of times that the browser is started, because it may crash as it starts.
const STARTS: usize = 3;

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
        let opened = (0..STARTS).map(|_| Self::try_open(address)).find_map(Result::ok);
        opened.expect("chromium runs; `bash .ci/services` installs it")
    }

    fn try_open(address: &str) -> Result<Self, Value> {
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
        let target = browser.try_call("Target.createTarget", json!({ "url": "about:blank" }))?;
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.try_call("Target.attachToTarget", target)?;
        browser.session = Some(session["sessionId"].as_str().expect("a session").to_owned());
        for domain in ["Page", "Runtime", "Log", "Accessibility"] {
            browser.try_call(&format!("{domain}.enable"), json!({}))?;
        }
        browser.try_call("Page.navigate", json!({ "url": address }))?;
        browser.try_evaluate("document.readyState")?;
        Ok(browser)
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
        sent.map_err(|error| json!(format!("chromium has ended: {error}")))?;
        loop {
            let message = self.messages.recv_timeout(DEADLINE);
            let message = message.map_err(|error| json!(format!("no answer: {error}")))?;
            if message["id"] == self.last {
                let error = &message["error"];
                return if error.is_null() {
                    Ok(message["result"].clone())
                } else {
                    Err(error.clone())
                };
            }
            self.note(&message);
        }
    }

    /// Keeps the exceptions and errors of the page.
    fn note(&mut self, message: &Value) {
        let event = message["method"].as_str().unwrap_or_default();
        if ["Runtime.exceptionThrown", "Log.entryAdded"].contains(&event) {
            self.problems.push(message["params"].clone());
        }
    }

    /// Evaluates an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let result = self.try_evaluate(expression);
        let result = result.unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    fn try_evaluate(&mut self, expression: &str) -> Result<Value, Value> {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        // Another page may be opened meanwhile.
        let mut result = self.try_call("Runtime.evaluate", parameters.clone());
        for _ in 0..5 {
            if result.is_ok() {
                break;
            }
            result = self.try_call("Runtime.evaluate", parameters.clone());
        }
        result
    }

    /// Waits until an expression in the page has a value.
    pub(crate) fn wait_for<V: Into<Value> + Debug>(&mut self, expression: &str, expected: V) {
        let expected = expected.into();
        let look = format!(
            "(() => {{ try {{ return {expression}; }} catch (error) {{ return String(error); }} }})()"
        );
        let mut found = self.evaluate(&look);
        for _ in 0..LOOKS {
            if found == expected {
                return;
            }
            if let Ok(message) = self.messages.recv_timeout(PAUSE) {
                self.note(&message);
            }
            found = self.evaluate(&look);
        }
        let text = self.evaluate("document.body.innerText");
        panic!("{expression} is {found}, not {expected}; the page:\n{text}");
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

//! A headless Chromium of the test's own, driven by the DevTools protocol.
//!
//! The protocol is spoken over pipes (`--remote-debugging-pipe`): Chromium reads commands from descriptor 3 and writes
//! answers and events to 4, as JSON that ends with a NUL. So no port is open and no WebSocket is needed, and Chromium
//! ends when the pipe does, even if the test is killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// What it is called, in the order of trial.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// How long Chromium may take to start, to answer, or to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(5);

/// The window's width and height in pixels.
pub(crate) const WINDOW: (u32, u32) = (1280, 720);

/// `$CHROME`, or the first on the path.
pub(crate) fn find() -> Result<PathBuf, String> {
    if cfg!(not(unix)) {
        return Err("Chromium's pipes are had on Unix only".into());
    }
    if let Some(given) = std::env::var_os("CHROME") {
        let given = PathBuf::from(given);
        return match given.is_file() {
            true => Ok(given),
            false => Err(format!("$CHROME is no file: {}", given.display())),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
        .ok_or_else(|| format!("none of {} is on the path", NAMES.join(", ")))
}

/// A browser with one page.
pub(crate) struct Chromium {
    child: Child,
    /// Taken at the end.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// The page's, once it is there.
    session: Option<String>,
    last: u64,
    /// Uncaught exceptions, dialogs, and errors in the console, such as breaches of the page's policy.
    pub(crate) complaints: Vec<Value>,
    /// Last, so that it is removed when Chromium has ended.
    _profile: TempDir,
}

impl Chromium {
    /// Starts it with `url` open.
    pub(crate) async fn open(program: &Path, url: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            // A shell can move descriptors without unsafe code. What Chromium says besides is of no use.
            .args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null"#, "sh"])
            .arg(program)
            .args(["--headless", "--remote-debugging-pipe", "--no-first-run"])
            // It refuses to run as root otherwise, and sees nothing but the emulator.
            .arg("--no-sandbox")
            // Containers have little shared memory.
            .arg("--disable-dev-shm-usage")
            .args(["--no-proxy-server", "--force-device-scale-factor=1"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut chromium = Self {
            commands: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
            session: None,
            last: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        let blank = json!({"url": "about:blank"});
        let page = chromium.call("Target.createTarget", blank).await;
        let page = json!({"targetId": page["targetId"], "flatten": true});
        let attached = chromium.call("Target.attachToTarget", page).await;
        chromium.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            chromium.call(domain, json!({})).await;
        }
        let (width, height) = WINDOW;
        let window =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        chromium
            .call("Emulation.setDeviceMetricsOverride", window)
            .await;
        chromium.navigate(url).await;
        chromium
    }

    /// Opens another page, or the same again, in place of this.
    pub(crate) async fn navigate(&mut self, url: &str) {
        let navigated = self.call("Page.navigate", json!({"url": url})).await;
        assert_eq!(navigated.get("errorText"), None, "{url}");
    }

    /// What an expression gives, as JSON.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> Value {
        let given = json!({"expression": expression, "returnByValue": true});
        let mut answer = self.call("Runtime.evaluate", given).await;
        assert_eq!(answer.get("exceptionDetails"), None, "{expression}");
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&mut self, expression: &str) {
        let start = Instant::now();
        while self.evaluate(expression).await != json!(true) {
            assert!(start.elapsed() < PATIENCE, "not in time: {expression}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The window's content, as a PNG.
    pub(crate) async fn screenshot(&mut self) -> Vec<u8> {
        let picture = self.call("Page.captureScreenshot", json!({})).await;
        STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        let talk = self.exchange(method, params);
        let answer = tokio::time::timeout(PATIENCE, talk).await;
        answer.unwrap_or_else(|_| panic!("no answer to {method}"))
    }

    async fn exchange(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut command = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&command).unwrap();
        bytes.push(0);
        let commands = self.commands.as_mut().unwrap();
        commands.write_all(&bytes).await.unwrap();
        loop {
            let mut bytes = Vec::new();
            self.answers.read_until(0, &mut bytes).await.unwrap();
            assert_eq!(bytes.pop(), Some(0), "Chromium ended before {method}");
            let mut message: Value = serde_json::from_slice(&bytes).unwrap();
            if message["id"] == self.last {
                assert_eq!(message.get("error"), None, "{method}");
                return message["result"].take();
            }
            self.hear(message);
        }
    }

    /// Keeps an event if it tells of something wrong.
    fn hear(&mut self, event: Value) {
        let wrong = match event["method"].as_str() {
            Some("Runtime.exceptionThrown" | "Page.javascriptDialogOpening") => true,
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            _ => false,
        };
        if wrong {
            self.complaints.push(event);
        }
    }
}

/// Lets Chromium end, with all its processes, before its profile is removed.
impl Drop for Chromium {
    fn drop(&mut self) {
        drop(self.commands.take());
        let start = Instant::now();
        while let Ok(None) = self.child.try_wait() {
            if start.elapsed() > FAREWELL {
                drop(self.child.start_kill());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

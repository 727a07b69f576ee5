//! The arguments of the commands.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::up::Up;
use active_status_fleet::NodeOptions;
use active_status_fleet::engine::QueueOptions;
use lexopt::{Arg, Parser, ValueExt};

pub(crate) const USAGE: &str = "\
usage: fleet up PATH [--nodes N] [--workers N] [--sync]
       fleet feed PATH [--queue NAME]
       fleet work --root PATH [--queue NAME] [--name NAME] [--workers N]
                  [--prefetch N] [--lease TIME] [--grace TIME] [--quiet]
       fleet board [--queue NAME]
       fleet results [--queue NAME]
       fleet drop NAME [--keep TIME]

up       runs a fleet on this machine: a server, nodes, a board and the results
feed     queues the files below PATH
work     computes their SHA-256 sums, until it is stopped
board    shows all nodes
results  prints the sums like sha256sum
drop     deletes a queue, at once or after TIME

TIME is a number with ms, s, m, h or d. A queue is named `files` by default. All commands
but `up` use the server of FLEET_REDIS, such as redis://user@host, rediss://user@host (TLS)
or unix:///path, with the password in the file of FLEET_PASSWORD_FILE.
";

const QUEUE: &str = "files";

#[derive(Debug)]
pub(crate) enum Command {
    Up { path: PathBuf, up: Up },
    Feed { path: PathBuf, queue: String },
    Work { root: PathBuf, queue: QueueOptions, node: Box<NodeOptions>, name: String, quiet: bool },
    Board { queue: String },
    Results { queue: String },
    Drop { queue: String, keep: Option<Duration> },
    Help,
}

impl Command {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Problem> {
        let mut parser = Parser::from_args(arguments);
        let command = match parser.next()? {
            Some(Arg::Value(command)) => command.string()?,
            Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Self::Help),
            Some(other) => return Err(other.unexpected().into()),
            None => return Err(Problem("no command is given".to_owned())),
        };
        let allowed: &[&str] = match command.as_str() {
            "up" => &["nodes", "workers", "sync"],
            "feed" | "board" | "results" => &["queue"],
            "work" => &["root", "queue", "name", "workers", "prefetch", "lease", "grace", "quiet"],
            "drop" => &["keep"],
            _ => return Err(Problem(format!("there is no command {command}"))),
        };
        let options = Options::parse(&mut parser, allowed)?;
        let Options { mut values, .. } = options;
        let queue = options.queue.unwrap_or_else(|| QUEUE.to_owned());
        let takes_value = ["up", "feed", "drop"].contains(&command.as_str());
        let value = values.pop();
        if !values.is_empty() || value.is_some() && !takes_value {
            return Err(Problem(format!("{command} takes {} argument", u8::from(takes_value))));
        }
        let value = match value {
            None if takes_value => {
                let what = if command == "drop" { "NAME" } else { "PATH" };
                return Err(Problem(format!("{command} needs a {what}")));
            }
            value => value.unwrap_or_default(),
        };
        let workers = options.workers.unwrap_or_else(processors);
        Ok(match command.as_str() {
            "up" => {
                let (nodes, workers) = (options.nodes.unwrap_or(3), options.workers.unwrap_or(2));
                Self::Up { path: value.into(), up: Up { nodes, workers, sync: options.sync } }
            }
            "feed" => Self::Feed { path: value.into(), queue },
            "board" => Self::Board { queue },
            "results" => Self::Results { queue },
            "drop" => Self::Drop { queue: value.string()?, keep: options.keep },
            _ => {
                let name = options.name.unwrap_or_else(host);
                let node = NodeOptions::new(&name).workers(workers);
                let node = node.prefetch(options.prefetch.unwrap_or(0));
                let default = QueueOptions::new(queue);
                let queue = match options.lease {
                    Some(lease) => default.lease(lease),
                    None => default,
                };
                Self::Work {
                    root: options
                        .root
                        .ok_or_else(|| Problem("work needs --root PATH".to_owned()))?,
                    queue,
                    node: Box::new(options.grace.into_iter().fold(node, NodeOptions::grace)),
                    name,
                    quiet: options.quiet,
                }
            }
        })
    }
}

/// The options of all commands.
#[derive(Debug, Default)]
struct Options {
    values: Vec<OsString>,
    nodes: Option<usize>,
    workers: Option<usize>,
    prefetch: Option<usize>,
    queue: Option<String>,
    name: Option<String>,
    root: Option<PathBuf>,
    lease: Option<Duration>,
    grace: Option<Duration>,
    keep: Option<Duration>,
    sync: bool,
    quiet: bool,
}

impl Options {
    fn parse(parser: &mut Parser, allowed: &[&str]) -> Result<Self, Problem> {
        let mut options = Self::default();
        while let Some(argument) = parser.next()? {
            let option = match argument {
                Arg::Long(option) if allowed.contains(&option) => option.to_owned(),
                Arg::Value(value) => {
                    options.values.push(value);
                    continue;
                }
                other => return Err(other.unexpected().into()),
            };
            match option.as_str() {
                "nodes" => options.nodes = Some(count(parser, &option, 1)?),
                "workers" => options.workers = Some(count(parser, &option, 1)?),
                "prefetch" => options.prefetch = Some(count(parser, &option, 0)?),
                "queue" => options.queue = Some(parser.value()?.string()?),
                "name" => options.name = Some(name(parser)?),
                "root" => options.root = Some(parser.value()?.into()),
                "lease" => {
                    let lease = time(parser, &option)?;
                    if lease < Duration::from_millis(100) {
                        return Err(Problem("--lease takes at least 100ms".to_owned()));
                    }
                    options.lease = Some(lease);
                }
                "grace" => options.grace = Some(time(parser, &option)?),
                "keep" => options.keep = Some(time(parser, &option)?),
                "sync" => options.sync = true,
                _ => options.quiet = true,
            }
        }
        Ok(options)
    }
}

fn count(parser: &mut Parser, option: &str, least: usize) -> Result<usize, Problem> {
    let value = parser.value()?;
    let count = value.to_str().and_then(|value| value.parse().ok());
    count.filter(|&count| (least..=10_000).contains(&count)).ok_or_else(|| {
        let value = value.display();
        Problem(format!("--{option} takes a number from {least} to 10000, not {value}"))
    })
}

fn name(parser: &mut Parser) -> Result<String, Problem> {
    let name = parser.value()?.string()?;
    if (1..=64).contains(&name.len()) && !name.contains(|char: char| char.is_control()) {
        return Ok(name);
    }
    Err(Problem("--name takes 1 to 64 bytes without controls".to_owned()))
}

fn time(parser: &mut Parser, option: &str) -> Result<Duration, Problem> {
    let value = parser.value()?;
    let time = value.to_str().and_then(|value| {
        let digits = value.find(|char: char| !char.is_ascii_digit())?;
        let number: u32 = value[..digits].parse().ok()?;
        let unit = match &value[digits..] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3_600),
            "d" => Duration::from_secs(86_400),
            _ => return None,
        };
        unit.checked_mul(number)
    });
    time.ok_or_else(|| {
        let value = value.display();
        Problem(format!("--{option} takes a time such as 500ms, 10s, 5m, 2h or 7d, not {value}"))
    })
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn host() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let name: String = name.chars().filter(|char| !char.is_control()).take(16).collect();
    if name.is_empty() { "node".to_owned() } else { name }
}

/// What is wrong with the arguments.
#[derive(Debug)]
pub(crate) struct Problem(String);

impl From<lexopt::Error> for Problem {
    fn from(error: lexopt::Error) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(arguments: &str) -> String {
        let arguments = arguments.split_whitespace().map(OsString::from);
        Command::parse(arguments).expect_err("a problem").to_string()
    }

    #[test]
    fn bad_arguments_are_explained() {
        for (arguments, expected) in [
            ("", "no command is given"),
            ("fly", "there is no command fly"),
            ("--up", "invalid option '--up'"),
            ("up", "up needs a PATH"),
            ("feed a b", "feed takes 1 argument"),
            ("board a", "board takes 0 argument"),
            ("drop", "drop needs a NAME"),
            ("work", "work needs --root PATH"),
            ("work --root", "missing argument for option '--root'"),
            ("up a --queue b", "invalid option '--queue'"),
            ("up a --nodes 0", "--nodes takes a number from 1 to 10000, not 0"),
            ("work --root a --workers x", "--workers takes a number from 1 to 10000, not x"),
            ("work --root a --prefetch -1", "--prefetch takes a number from 0 to 10000, not -1"),
            ("work --root a --lease 10ms", "--lease takes at least 100ms"),
            ("work --root a --name=", "--name takes 1 to 64 bytes without controls"),
            ("drop a --keep 7w", "--keep takes a time such as 500ms, 10s, 5m, 2h or 7d, not 7w"),
            (
                "work --root a --grace 9999999999d",
                "--grace takes a time such as 500ms, 10s, 5m, 2h or 7d, not 9999999999d",
            ),
        ] {
            assert_eq!(problem(arguments), expected, "{arguments}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, seconds) in
            [("500ms", 0.5), ("10s", 10.0), ("5m", 300.0), ("2h", 7_200.0), ("7d", 604_800.0)]
        {
            let arguments = ["drop", "a", "--keep", text].map(OsString::from);
            let Ok(Command::Drop { keep: Some(keep), .. }) = Command::parse(arguments) else {
                panic!("{text} is a time");
            };
            assert_eq!(keep.as_secs_f64(), seconds);
        }
    }
}

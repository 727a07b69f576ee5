//! A fleet on this machine, for one run.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use active_status::Console;
use active_status::console::Clock;
use active_status_fleet::engine::{Engine, QueueOptions};
use active_status_fleet::{Address, LocalServer, run_board, since_1970};
use rustix::process::{Pid, Signal, kill_process};
use smol::future::FutureExt;

use crate::{Failure, feed, print_results, stop_signal};

#[derive(Debug)]
pub(crate) struct Up {
    pub(crate) nodes: usize,
    pub(crate) workers: usize,
    /// Whether the server writes to the disk before each reply.
    pub(crate) sync: bool,
}

impl Up {
    /// Runs a fleet for the files below a folder, shows its board, and prints the results.
    ///
    /// When this returns or unwinds, all its processes have ended, and the folder of the
    /// server is removed.
    pub(crate) async fn run(&self, root: &Path) -> Result<ExitCode, Failure> {
        // Before anything is started, so that no signal ends this process at once.
        let stop = stop_signal()?;
        let server = LocalServer::start(self.sync, &[])?;
        let stopped = async {
            stop.await;
            // That of a program that Ctrl-C has ended.
            Ok(ExitCode::from(130))
        };
        self.run_with(&server, root).or(stopped).await
    }

    async fn run_with(&self, server: &LocalServer, root: &Path) -> Result<ExitCode, Failure> {
        let console = Console::auto().clock(Clock::new(since_1970())).open();
        let board = console.board().clone();
        let engine = Engine::new(server.address(), QueueOptions::new("files"), "up")?;
        let engine = engine.with_report(move |message| board.println(message));
        let mut nodes = Nodes::default();
        for number in 1..=self.nodes {
            nodes.start(&server.address(), &format!("node{number}"), root, self.workers)?;
        }
        let fed = feed(&engine, root, |line| console.println(line)).await?;
        let mut is_done = false;
        run_board(&engine, console.board(), |counts| {
            if counts.are_settled() && !is_done {
                is_done = true;
                nodes.stop();
            }
            nodes.have_ended()
        })
        .await?;
        if !is_done {
            return Err("all nodes have ended before the work was done".into());
        }
        console.shutdown();
        let results = print_results(&engine).await?;
        Ok(if fed == ExitCode::SUCCESS { results } else { fed })
    }
}

/// The processes of the nodes, which are killed when this is dropped.
#[derive(Debug, Default)]
struct Nodes(Vec<Child>);

impl Nodes {
    fn start(
        &mut self,
        server: &Address,
        name: &str,
        root: &Path,
        workers: usize,
    ) -> io::Result<()> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["work", "--quiet", "--name", name, "--workers", &workers.to_string()]);
        // A node that is killed here delays nothing that takes longer than this.
        command.args(["--lease", "5s", "--root"]).arg(root);
        command.env("FLEET_REDIS", server.to_string()).env_remove("FLEET_PASSWORD_FILE");
        // Ctrl-C in a terminal is for this process alone, which then ends the nodes.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.0.push(command.spawn()?);
        Ok(())
    }

    fn have_ended(&mut self) -> bool {
        self.0.iter_mut().all(|node| matches!(node.try_wait(), Ok(Some(_))))
    }

    /// Asks the nodes to end.
    fn stop(&self) {
        for node in &self.0 {
            // It may have ended.
            let _sent = kill_process(Pid::from_child(node), Signal::TERM);
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for node in &mut self.0 {
            let _ended = node.kill();
            let _ended = node.wait();
        }
    }
}

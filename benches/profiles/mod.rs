//! The profiles that a bench compares: the default one of programs, and that of `cargo bench`.

use std::env;
use std::process::Command;

/// The names of the profiles, and how the tables call them.
const PROFILES: [(&str, &str); 2] = [
    ("release", "default release profile"),
    ("bench", "fat link-time optimization, one codegen unit"),
];

/// The argument before the name of the profile that the bench is built with.
const PROFILE: &str = "--in-profile";

/// Builds and runs this bench in each profile. Returns `false` if it is one of these runs, after
/// printing its profile, or a test run, which takes the profile that it is built with.
#[expect(clippy::print_stdout, reason = "it prints the name of the profile")]
pub(crate) fn run_in_each(bench: &str) -> bool {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == PROFILE) {
        let known =
            PROFILES.into_iter().find(|(name, _)| arguments.get(at + 1).is_some_and(|n| n == name));
        println!("# {}\n", known.expect("a profile").1);
        return false;
    }
    if arguments.iter().any(|argument| argument == "--test") {
        return false;
    }
    // `cargo` sets it for the benches that it runs.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    for (profile, _) in PROFILES {
        let mut run = Command::new(&cargo);
        run.args(["bench", "--quiet", "--manifest-path", root, "--profile", profile]);
        let status = run.args(["--bench", bench, "--", PROFILE, profile]).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the bench fails in profile {profile}"
        );
    }
    true
}

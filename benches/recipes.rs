//! The lines of each recipe of the guide, beside those of the same program on tokio alone,
//! which this runs.
//!
//! Lines of code count, without imports, assertions, and the functions and types that both
//! programs share.
#![expect(clippy::print_stdout, reason = "it prints a table")]

mod alone;

use std::pin::Pin;

use tokio::runtime::Builder;

const GUIDE: &str = include_str!("../src/guide/recipes.md");
const ALONE: &str = include_str!("alone/mod.rs");

type Program = fn() -> Pin<Box<dyn Future<Output = ()>>>;

/// The titles of the recipes, with the programs that do the same.
const RECIPES: [(&str, &str, Program); 14] = [
    ("Call a function for each input", "map", || Box::pin(alone::map())),
    ("A million inputs", "million", || Box::pin(alone::million())),
    ("A crawler", "crawler", || Box::pin(alone::crawler())),
    ("Poison items", "poison", || Box::pin(alone::poison())),
    ("One connection per worker, with reconnects", "connection", || Box::pin(alone::connection())),
    ("Services that run for ever", "services", || Box::pin(alone::services())),
    ("Resize by load", "resize", || Box::pin(alone::resize())),
    ("Results in the order of the inputs", "ordered", || Box::pin(alone::ordered())),
    ("Stop on the first error", "first_error", || Box::pin(alone::first_error())),
    ("The first success wins", "first_success", || Box::pin(alone::first_success())),
    ("Ctrl-C with a deadline", "ctrl_c", || Box::pin(alone::ctrl_c())),
    ("A rate limit", "rate_limit", || Box::pin(alone::rate_limit())),
    ("Priorities", "priorities", || Box::pin(alone::priorities())),
    ("Several cores", "cores", || Box::pin(alone::cores())),
];

fn main() {
    // The poison item panics three times.
    std::panic::set_hook(Box::new(|panic| {
        let panic = panic.to_string();
        if !panic.contains("divide by zero") {
            println!("{panic}");
        }
    }));
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime");
    println!("| lines of the recipe | here | tokio alone |\n|---|---|---|");
    for (title, name, program) in RECIPES {
        runtime.block_on(program());
        println!("| {title} | {} | {} |", recipe(title), function(name));
    }
}

/// Returns the lines of a recipe's first block of code.
fn recipe(title: &str) -> usize {
    let (_, section) = GUIDE.split_once(&format!("# {title}\n")).expect("a recipe");
    let block = section.split("```\n").nth(1).expect("a block of code");
    lines(block.lines().filter(|line| !line.starts_with('#')))
}

/// Returns the lines of a function's body.
fn function(name: &str) -> usize {
    let (_, rest) = ALONE.split_once(&format!("async fn {name}() {{\n")).expect("a function");
    let (body, _) = rest.split_once("\n}\n").expect("its end");
    lines(body.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)))
}

/// Counts lines of code.
fn lines<'a>(lines: impl Iterator<Item = &'a str>) -> usize {
    // Whether the line belongs to a function, a type or an assertion.
    let mut skips = false;
    let is_skipped = |line: &str| {
        ["async fn", "fn", "struct", "impl", "use", "assert"].iter().any(|&start| {
            line.strip_prefix(start).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
                || start == "assert" && line.starts_with(start)
        })
    };
    lines
        .filter(|line| {
            let starts = is_skipped(line);
            let counts = !starts && !skips;
            if starts {
                skips = !line.ends_with([';', '}']);
            } else if *line == "}" || *line == ");" {
                skips = false;
            }
            counts && !line.trim().is_empty() && !line.trim_start().starts_with("//")
        })
        .count()
}

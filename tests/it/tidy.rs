//! The rules of the repository that neither the compiler nor a lint enforces.

use crate::repository::{read, root};

#[test]
fn every_dependency_has_a_row_in_the_readme() {
    let (manifest, readme) = (read(&root().join("Cargo.toml")), read(&root().join("README.md")));
    let sections = manifest.split("\n[").filter_map(|section| section.split_once("]\n"));
    let normal = sections
        .filter(|(title, _)| ["dependencies", "target.'cfg(unix)'.dependencies"].contains(title));
    for line in normal.flat_map(|(_, section)| section.lines()) {
        let Some((name, _)) = line.split_once(" = ") else { continue };
        assert!(readme.contains(&format!("\n| {name}")), "say in README.md why {name} is needed");
    }
}

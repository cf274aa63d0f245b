//! What the documentation shows is what the repository has.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

#[test]
fn the_guide_shows_the_example_as_it_is() {
    let example = read("apps/examples/reflect.rs");
    let (_, program) = example.split_once("\n\n").expect("a head comment, then the program");
    assert!(read("docs/guide/first-program.md").contains(program.trim_end()));
}

#[test]
fn every_path_that_the_documents_link_to_exists() {
    for (page, folder) in [
        ("README.md", ""),
        ("CONTRIBUTING.md", ""),
        ("CHANGELOG.md", ""),
        ("docs/architecture.md", "docs/"),
        ("docs/memory.md", "docs/"),
        ("docs/performance.md", "docs/"),
        ("docs/unsafe.md", "docs/"),
        ("docs/lab.md", "docs/"),
        ("docs/hardware.md", "docs/"),
        ("docs/guide/nicctl.md", "docs/guide/"),
        ("docs/guide/l2fwd.md", "docs/guide/"),
        ("docs/guide/first-program.md", "docs/guide/"),
        ("docs/guide/examples.md", "docs/guide/"),
    ] {
        let text = read(page);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        // Of a link into a page, the page.
        let files = links.filter_map(|link| link.split('#').next()).filter(|link| !link.is_empty());
        for link in files.filter(|link| !link.starts_with("http")) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join(link);
            assert!(path.exists(), "{page} links to {link}");
        }
    }
}

//! What the documentation shows is what the repository has.

use std::fs;
use std::path::{Path, PathBuf};

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
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let pages: Vec<_> = ["", "docs", "docs/guide"].iter().flat_map(|folder| pages(&root.join(folder))).collect();
    assert!(pages.len() > 10, "{pages:?}");
    for page in pages {
        let text = fs::read_to_string(&page).expect("a page");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        // Of a link into a page, the page.
        let files = links.filter_map(|link| link.split('#').next()).filter(|link| !link.is_empty());
        for link in files.filter(|link| !link.starts_with("http")) {
            let path = page.with_file_name(link);
            assert!(path.exists(), "{} links to {link}", page.display());
        }
    }
}

/// The pages in a folder.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

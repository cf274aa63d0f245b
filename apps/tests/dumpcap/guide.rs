//! What docs/guide/dumpcap.md shows is what the programs print, but for numbers.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::{Place, Running, l2fwd, lacks};

/// The commands of the guide, and what it shows after each.
fn transcripts() -> Vec<(String, String)> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/dumpcap.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    let blocks = guide.split("```\n$ ").skip(1);
    let transcript = |block: &str| {
        let (command, rest) = block.split_once('\n').expect("a command");
        (command.to_owned(), rest.split("```").next().unwrap_or_default().to_owned())
    };
    blocks.map(transcript).collect()
}

/// A text with its numbers replaced, and spaces, which depend on their lengths.
fn shape(text: &str) -> Vec<String> {
    // Progress is shown each second, and rewritten on a terminal.
    let lines = text.lines().filter(|line| !line.contains(" packets   "));
    let word = |word: &str| {
        let mut shape = String::new();
        for c in word.chars() {
            let c = if c.is_ascii_digit() || c == '.' { '0' } else { c };
            if c != '0' || !shape.ends_with('0') {
                shape.push(c);
            }
        }
        shape
    };
    lines.map(|line| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_guides_commands_print_what_it_shows() {
    let place = Place::new();
    let _l2fwd = l2fwd::start(&place, ["sim:ixgbe,peer=gen,rate=1000", "sim:ixgbe,peer=sink"]);
    let transcripts = transcripts();
    assert!(transcripts.len() >= 7, "{transcripts:?}");
    let folder = Path::new(env!("CARGO_BIN_EXE_dumpcap")).parent().expect("the programs' folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    for (command, shown) in transcripts {
        if command.contains("tshark") && lacks("tshark") {
            continue;
        }
        let mut shell = place.command("sh");
        // As on a terminal: both outputs in one.
        shell.args(["-c", &format!("{{ {command}; }} 2>&1")]).current_dir(place.file("")).env("PATH", &path);
        let outcome = Running::start(shell.stdin(Stdio::null())).end();
        assert_eq!(shape(&outcome.stdout), shape(&shown), "{command}");
    }
}

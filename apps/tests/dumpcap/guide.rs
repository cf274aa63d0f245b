//! What docs/guide/dumpcap.md shows is what the programs print, but for numbers.

use std::path::Path;

use gannet_harness::{Outcome, guide, lacks_for_part};

use super::{Place, l2fwd};

/// The shapes of lines, but of those of progress: they come each second, and are rewritten on a terminal.
fn shapes(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.contains(" packets   ")).map(guide::shape).collect()
}

#[test]
fn the_guides_commands_print_what_it_shows() {
    let place = Place::new();
    let _l2fwd = l2fwd::start(&place, ["sim:ixgbe,peer=gen,rate=1000", "sim:ixgbe,peer=sink"]);
    let transcripts = guide::transcripts("dumpcap");
    assert!(transcripts.len() >= 7, "{transcripts:?}");
    let folder = Path::new(env!("CARGO_BIN_EXE_dumpcap")).parent().expect("the programs' folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    for shown in transcripts {
        if shown.command.contains("tshark") && lacks_for_part("tshark") {
            continue;
        }
        let mut shell = place.command("sh");
        // As on a terminal: both outputs in one.
        shell.args(["-c", &format!("{{ {}; }} 2>&1", shown.command)]).current_dir(place.file("")).env("PATH", &path);
        let outcome = Outcome::of(&mut shell);
        assert_eq!(shapes(&outcome.stdout), shapes(&shown.output), "{}", shown.command);
    }
}

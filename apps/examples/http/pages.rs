//! The server's pages.

use std::fmt::Write;

use gannet::Pool;
use gannet_apps::running::Running;

/// Length of the large page: a thousand lines of a hundred bytes.
const LARGE: usize = 100_000;

/// The page at `path`, if there is one.
pub(crate) fn page(path: &str, port: &mut Running, pool: &Pool) -> Option<String> {
    match path {
        "/" => Some(statistics(port, pool)),
        "/large" => Some(large()),
        _ => None,
    }
}

/// The port's statistics.
fn statistics(port: &mut Running, pool: &Pool) -> String {
    let counters = port.counters();
    let (card, census) = (counters.card, pool.census());
    let mut page = format!("port      {}\n", port.name);
    let _ = writeln!(page, "received  {} frames, {} bytes", card.rx_packets, card.rx_bytes);
    let _ = writeln!(page, "missed    {} frames", card.rx_missed + card.rx_no_descriptor);
    let _ = writeln!(page, "sent      {} frames, {} bytes", card.tx_packets, card.tx_bytes);
    let _ = writeln!(page, "pool      {} of {} buffers in use", census.out, census.total);
    page
}

/// Numbered lines, so that a part that is missing or in the wrong place is seen.
pub(crate) fn large() -> String {
    const LINE: usize = 100;
    (0..LARGE / LINE).map(|number| format!("{number:0width$}\n", width = LINE - 1)).collect()
}

//! Trials of a driver on two ports that a cable joins: `card-trials PORT PORT [FILTER] [OPTION...]`.
//!
//! The ports are named as in every program of Gannet. Real traffic, real waiting: for cards in a virtual machine
//! (`tools/lab test`), for real ones with a cable between them, and for software cards
//! (`card-trials sim:ixgbe,peer=link:x sim:ixgbe,peer=link:x`).

#![forbid(unsafe_code)]

mod bench;
mod frames;
mod hostile;
mod interrupts;
mod lifecycle;
mod memory;
mod rss;
mod traffic;

use std::process::ExitCode;

use gannet_apps::port_name::{PortKind, PortName};
use libtest_mimic::{Arguments, Trial};

/// A trial of two ports.
type Run = fn(&[PortName; 2]) -> anyhow::Result<()>;

const TRIALS: &[(&str, Run)] = &[
    ("frames_arrive_whole", traffic::frames_arrive_whole),
    ("jumbo_frames_arrive_where_the_mtu_allows", traffic::jumbo_frames_arrive_where_the_mtu_allows),
    ("rings_wrap_and_counters_are_exact", traffic::rings_wrap_and_counters_are_exact),
    ("filters_let_pass_what_they_name", traffic::filters_let_pass_what_they_name),
    ("vlan_tags_are_stripped_or_kept", traffic::vlan_tags_are_stripped_or_kept),
    ("checksums_and_types_are_told", traffic::checksums_and_types_are_told),
    ("flows_are_spread_and_keep_their_order", rss::flows_are_spread_and_keep_their_order),
    ("ports_start_and_stop_20_times", lifecycle::ports_start_and_stop_20_times),
    ("ports_open_and_close_20_times", lifecycle::ports_open_and_close_20_times),
    ("a_port_is_reset_during_traffic", lifecycle::a_port_is_reset_during_traffic),
    ("a_scattered_frame_is_sent_without_a_copy", memory::a_scattered_frame_is_sent_without_a_copy),
    ("a_shared_packet_is_sent_twice", memory::a_shared_packet_is_sent_twice),
    ("a_hoarding_program_keeps_the_port_receiving", memory::a_hoarding_program_keeps_the_port_receiving),
    ("a_sleeping_core_is_woken", interrupts::a_sleeping_core_is_woken),
    ("adaptive_idling_loses_nothing", interrupts::adaptive_idling_loses_nothing),
];

/// Those that only a card behind an IOMMU can stand.
const CARD_TRIALS: &[(&str, Run)] = &[
    ("a_stray_receive_descriptor_harms_no_memory", hostile::a_stray_receive_descriptor_harms_no_memory),
    ("a_stray_transmit_descriptor_reads_no_memory", hostile::a_stray_transmit_descriptor_reads_no_memory),
];

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).with_writer(std::io::stderr).init();
    let mut words = std::env::args();
    let program = words.next().unwrap_or_default();
    let ports = [words.next(), words.next()].map(|word| word.unwrap_or_default().parse::<PortName>());
    let ports = match ports {
        [Ok(a), Ok(b)] => [a, b],
        [Err(why), _] | [_, Err(why)] => {
            eprintln!("{program} PORT PORT [FILTER] [OPTION...]: {why}");
            return ExitCode::from(2);
        }
    };
    let mut arguments = Arguments::from_iter(std::iter::once(program).chain(words));
    // The ports are there once.
    arguments.test_threads = Some(1);
    let cards = ports.iter().all(|port| matches!(port.kind, PortKind::Pci(_)));
    let trials = TRIALS.iter().chain(CARD_TRIALS.iter().filter(|_| cards)).map(|&(name, run)| {
        let ports = ports.clone();
        Trial::test(name, move || run(&ports).map_err(|why| format!("{why:#}").into()))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

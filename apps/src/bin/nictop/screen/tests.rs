use gannet_apps::monitor::state::{
    CardCounts, CoreState, DropState, PoolState, PortState, RxQueueState, State, TxQueueState,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;

/// A program so many seconds after its start, whose two ports receive and send a million frames of 60 bytes a second.
fn state(seconds: u64) -> State {
    let (packets, bytes) = (seconds * 1_000_000, seconds * 60_000_000);
    let port = |number: usize| PortState {
        number,
        name: format!("sim:ixgbe#{number}"),
        present: true,
        link_mbps: (number == 0).then_some(10_000),
        counted_by_card: CardCounts { rx_missed: seconds * 7 * number as u64, ..CardCounts::default() },
        rx_queues: vec![RxQueueState { packets, bytes, ..RxQueueState::default() }],
        tx_queues: vec![TxQueueState { packets, bytes, ..TxQueueState::default() }; 2],
        ..PortState::default()
    };
    let core = CoreState {
        core: 1,
        busy_ns: seconds * 250_000_000,
        idle_ns: seconds * 750_000_000,
        packets: seconds * 6_000_000,
        ..CoreState::default()
    };
    let pool =
        PoolState { name: "packets".into(), buffers: 100, out: 95, level: Level::Pressure, ..PoolState::default() };
    let drop =
        |why: &str, packets| DropState { place: "l2fwd".into(), why: why.into(), packets, ..DropState::default() };
    State {
        program: "l2fwd".into(),
        version: "0.1.0".into(),
        pid: 4711,
        uptime_seconds: seconds as f64,
        ports: vec![port(0), port(1)],
        cores: vec![core],
        pools: vec![pool],
        drops: vec![drop("late", 5), drop("no_copy", 0)],
        ..State::default()
    }
}

/// What is on a screen of this size.
fn drawn(width: u16, height: u16, rates: Option<&Rates>, selected: usize) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test's terminal");
    terminal.draw(|frame| draw(frame, rates, None, selected)).expect("drawing");
    terminal.backend().to_string()
}

fn line<'a>(screen: &'a str, part: &str) -> &'a str {
    screen.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part:?} in\n{screen}"))
}

#[test]
fn why_rates_are_old_is_shown() {
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a test's terminal");
    let rates = Rates::between(&state(10), &state(12));
    terminal.draw(|frame| draw(frame, Some(&rates), Some("no answer"), 0)).expect("drawing");
    let screen = terminal.backend().to_string();
    line(&screen, "no answer");
    line(&screen, "packets  ");
}

#[test]
fn ports_cores_pools_and_drops_are_drawn_with_their_rates() {
    let screen = drawn(80, 24, Some(&Rates::between(&state(10), &state(12))), 0);
    line(&screen, "l2fwd 0.1.0, process 4711, up 12 s");
    // 64 bytes with FCS; two queues send.
    assert!(
        line(&screen, "sim:ixgbe#0").contains("10G       1.000     0.512     2.000     1.024          0"),
        "{screen}"
    );
    assert!(
        line(&screen, "sim:ixgbe#1").contains("down      1.000     0.512     2.000     1.024          7"),
        "{screen}"
    );
    assert!(line(&screen, "█░").contains("25 %"), "{screen}");
    assert!(line(&screen, "packets  ").contains("95 %  pressure"), "{screen}");
    assert!(line(&screen, "port 1").contains("missed"), "{screen}");
    assert!(line(&screen, "late").contains("5         0"), "{screen}");
    assert!(!screen.contains("no copy"), "what was never dropped is not shown: {screen}");
}

#[test]
fn the_guide_shows_this_screen() {
    let guide = include_str!("../../../../../docs/guide/telemetry.md");
    let shown = guide.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the screen");
    let screen = drawn(80, 20, Some(&Rates::between(&state(10), &state(12))), 0);
    let screen: String = screen.lines().map(|line| format!("{}\n", line.trim_matches('"').trim_end())).collect();
    assert_eq!(screen, shown, "{screen}");
}

#[test]
fn the_chosen_port_has_its_queues_shown() {
    let rates = Rates::between(&state(10), &state(11));
    for port in 0..2 {
        line(&drawn(80, 24, Some(&rates), port), &format!("queues of port {port}"));
    }
}

#[test]
fn a_terminal_that_is_too_small_is_told_what_it_lacks() {
    let rates = Rates::between(&state(1), &state(2));
    for (width, height) in [(79, 24), (80, 19), (20, 5), (1, 1)] {
        let screen = drawn(width, height, Some(&rates), 0);
        assert!(!screen.contains("ports"), "{screen}");
        if width > 70 {
            line(&screen, "80 columns and 20 lines");
        }
    }
    line(&drawn(80, 20, Some(&rates), 0), "queues of port 0");
}

#[test]
fn many_ports_are_scrolled_to_the_chosen_one() {
    let many = |seconds| {
        let mut state = state(seconds);
        state.ports = (0..40)
            .map(|number| PortState { number, name: format!("port-{number}"), ..state.ports[0].clone() })
            .collect();
        state
    };
    let rates = Rates::between(&many(1), &many(2));
    for selected in [0, 20, 39] {
        line(&drawn(80, 24, Some(&rates), selected), &format!("port-{selected} "));
    }
}

#[test]
fn before_the_first_rates_and_without_time_between_nothing_is_divided_by_nothing() {
    line(&drawn(80, 24, None, 0), "looking");
    let none = drawn(80, 24, Some(&Rates::between(&state(10), &state(10))), 0);
    assert!(line(&none, "sim:ixgbe#0").contains("0.000"), "{none}");
    let empty = drawn(80, 24, Some(&Rates::between(&State::default(), &State::default())), 9);
    line(&empty, "ports");
}

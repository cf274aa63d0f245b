//! Tunables, counters and drop reasons, and how they are shown.

use std::sync::Barrier;
use std::thread;

use gannet_mempool::registry::{self, Column, Counter, CounterRow, DropRow, Reason, Row, Table, TunableRow};
use gannet_mempool::{Error, MAX_THREADS, Result};

/// Times that a thread counts.
const TIMES: u64 = if cfg!(miri) { 5 } else { 100_000 };

fn refusal(answer: Result<()>) -> String {
    match answer.unwrap_err() {
        Error::Invalid(text) => text,
        other => panic!("{other:?}"),
    }
}

fn counter_row(name: &str) -> Option<CounterRow> {
    registry::counters().into_iter().find(|row| row.name == name)
}

fn drop_row(place: &str, why: &str) -> Option<DropRow> {
    registry::drops().into_iter().find(|row| (row.place, row.why) == (place, why))
}

fn tunable_row(name: &str) -> TunableRow {
    registry::tunables().into_iter().find(|row| row.name == name).unwrap()
}

/// `count` is called by `threads` threads that live at the same time, [`TIMES`] times each.
fn count_in_threads(threads: usize, count: impl Fn() + Sync) {
    let all_live = Barrier::new(threads);
    in_threads(threads, |_| {
        count();
        all_live.wait();
        (1..TIMES).for_each(|_| count());
        all_live.wait();
    });
}

fn in_threads(threads: usize, work: impl Fn(usize) + Sync) {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        // By hand: the scope itself does not wait until their numbers are back.
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_tunable_is_set_and_reset() {
    let tunable = registry::find("pool.destroy_warn_ms").unwrap();
    assert_eq!(tunable.value(), 1000);
    for value in [10, 3_600_000, 128] {
        tunable.set(value).unwrap();
        assert_eq!((tunable.value(), tunable_row("pool.destroy_warn_ms").value), (value, value));
    }
    registry::set("pool.destroy_warn_ms", "32").unwrap();
    assert_eq!(tunable.value(), 32);
    registry::assign(" pool.destroy_warn_ms = 16 ").unwrap();
    assert_eq!(tunable.value(), 16);
    tunable.reset();
    assert_eq!(tunable.value(), 1000);
}

#[test]
fn what_is_out_of_range_is_refused_with_the_range_and_changes_nothing() {
    let tunable = registry::find("fragment.block_kib").unwrap();
    tunable.set(16).unwrap();
    for value in [0, 3, 33, u64::MAX] {
        let expected = format!("fragment.block_kib={value}: a whole number from 4 to 32 is expected (KiB)");
        assert_eq!(refusal(tunable.set(value)), expected);
        assert_eq!(refusal(registry::set("fragment.block_kib", &value.to_string())), expected);
        assert_eq!(refusal(registry::assign(&format!("fragment.block_kib={value}"))), expected);
        assert_eq!(tunable.value(), 16);
    }
}

#[test]
fn what_is_no_number_is_refused_with_what_is_expected() {
    for value in ["", "much", "-1", "1.5", "0x10", "4 KiB", "99999999999999999999999"] {
        let expected = format!("pool.cache_flush_percent={value}: a whole number from 1 to 100 is expected (percent)");
        assert_eq!(refusal(registry::set("pool.cache_flush_percent", value)), expected);
        assert_eq!(tunable_row("pool.cache_flush_percent").value, 50);
    }
    let expected = "dma.debug=on: a whole number from 0 to 1 is expected (0 off, 1 on)";
    assert_eq!(refusal(registry::assign("dma.debug=on")), expected);
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let nearest = [
        ("pool.cash", "pool.cache"),
        ("pool_cache", "pool.cache"),
        ("cache", "pool.cache"),
        ("pool.cache_flush", "pool.cache_flush_percent"),
        ("destroy_warn_ms", "pool.destroy_warn_ms"),
        ("dma.debugging", "dma.debug"),
        ("Pool.Tracking", "pool.tracking"),
    ];
    for (wrong, right) in nearest {
        let expected = format!("{wrong}: no tunable has this name, the nearest is {right}");
        assert_eq!(refusal(registry::set(wrong, "1")), expected);
        assert_eq!(refusal(registry::assign(&format!("{wrong}=1"))), expected);
    }
    let expected = "pool.cache: NAME=VALUE is expected, such as pool.cache=512";
    assert_eq!(refusal(registry::assign("pool.cache")), expected);
}

#[test]
fn tunables_have_names_of_their_own_and_are_all_documented() {
    let rows = registry::tunables();
    for row in &rows {
        assert!((row.low..=row.high).contains(&row.default), "{}", row.name);
        assert!(!row.unit.is_empty() && !row.description.is_empty(), "{}", row.name);
        assert_eq!(rows.iter().filter(|other| other.name == row.name).count(), 1, "{}", row.name);
    }
}

#[test]
fn four_threads_count_exactly() {
    static COUNTER: Counter = Counter::new("test.four", "times", "");
    static REASON: Reason = Reason::new("test", "four", "");
    count_in_threads(4, || {
        COUNTER.add(3);
        REASON.count(5);
    });
    assert_eq!((COUNTER.value(), REASON.value()), (4 * TIMES * 3, 4 * TIMES * 5));
    assert_eq!(counter_row("test.four").unwrap().value, 4 * TIMES * 3);
    assert_eq!(drop_row("test", "four").unwrap().packets, 4 * TIMES * 5);
}

#[test]
fn more_threads_than_have_a_number_count_exactly() {
    static COUNTER: Counter = Counter::new("test.many_threads", "times", "");
    const THREADS: usize = MAX_THREADS + 8;
    count_in_threads(THREADS, || COUNTER.add(1));
    assert_eq!(COUNTER.value(), THREADS as u64 * TIMES);
    // The numbers go to other threads, which go on where the others were.
    count_in_threads(4, || COUNTER.add(1));
    assert_eq!(COUNTER.value(), (THREADS as u64 + 4) * TIMES);
}

#[test]
fn a_counter_is_listed_once_it_has_counted_or_is_registered() {
    static COUNTED: Counter = Counter::new("test.counted", "bytes", "the first");
    static REGISTERED: Counter = Counter::new("test.registered", "times", "");
    assert_eq!((counter_row("test.counted"), counter_row("test.registered")), (None, None));
    COUNTED.add(7);
    REGISTERED.register();
    REGISTERED.register();
    let row = counter_row("test.counted").unwrap();
    assert_eq!((row.value, row.unit, row.description), (7, "bytes", "the first"));
    assert_eq!(counter_row("test.registered").unwrap().value, 0);
    REGISTERED.add(u64::MAX);
    assert_eq!(counter_row("test.registered").unwrap().value, u64::MAX);
    assert_eq!(registry::counters().iter().filter(|row| row.name == "test.registered").count(), 1);
}

#[test]
fn a_reason_is_listed_once_it_has_packets_or_is_registered() {
    static DROPPED: Reason = Reason::new("test", "too_old", "older than a second");
    static REGISTERED: Reason = Reason::new("test", "never", "");
    assert_eq!((drop_row("test", "too_old"), drop_row("test", "never")), (None, None));
    DROPPED.count(32);
    REGISTERED.register();
    let row = drop_row("test", "too_old").unwrap();
    assert_eq!((row.packets, row.description), (32, "older than a second"));
    assert_eq!(drop_row("test", "never").unwrap().packets, 0);
}

#[test]
fn threads_that_count_first_at_the_same_time_share_one_place() {
    static COUNTERS: [Counter; 4] = [const { Counter::new("test.race", "times", "") }; 4];
    let start = Barrier::new(4);
    in_threads(4, |thread| {
        start.wait();
        (0..4).for_each(|at| COUNTERS[(at + thread) % 4].add(1));
    });
    let rows: Vec<CounterRow> = registry::counters().into_iter().filter(|row| row.name == "test.race").collect();
    assert_eq!(rows.iter().map(|row| row.value).collect::<Vec<_>>(), [4; 4]);
}

struct Planet(&'static str, u32, &'static str);

impl Row<3> for Planet {
    const COLUMNS: [Column; 3] = [Column::Left("PLANET"), Column::Right("MOONS"), Column::Left("NOTE")];

    fn cells(&self) -> [String; 3] {
        [self.0.into(), self.1.to_string(), self.2.into()]
    }
}

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    let table = Table::of(&[Planet("Erde", 1, "blau"), Planet("Größter: Jupiter", 123_456, ""), Planet("", 0, "?")]);
    let expected = "\
PLANET             MOONS  NOTE
Erde                   1  blau
Größter: Jupiter  123456
                       0  ?
";
    assert_eq!(table.to_string(), expected);
    assert_eq!(Table::of::<Planet>(&[]).to_string(), "PLANET  MOONS  NOTE\n");
}

#[test]
fn rows_are_shown_with_their_units() {
    static COUNTER: Counter = Counter::new("test.shown", "bytes", "some bytes");
    static REASON: Reason = Reason::new("test", "shown", "of no use");
    COUNTER.add(1234);
    REASON.count(9);
    // None that another test sets.
    let tunables = ["pool.cache", "pool.cache_refill_percent", "pool.tracking"].map(tunable_row);
    let expected = "\
TUNABLE                    VALUE  DEFAULT       RANGE  UNIT         DESCRIPTION
pool.cache                   512      512  0 to 65536  buffers      free buffers that a core keeps for itself
pool.cache_refill_percent     50       50    1 to 100  percent      \
part of a core's cache that is filled from the pool's ring at a time
pool.tracking                  0        0      0 to 1  0 off, 1 on  remember who holds each buffer
";
    assert_eq!(Table::of(&tunables).to_string(), expected);
    let expected = "\
COUNTER     VALUE  UNIT   DESCRIPTION
test.shown   1234  bytes  some bytes
";
    assert_eq!(Table::of(&[counter_row("test.shown").unwrap()]).to_string(), expected);
    let expected = "\
DROPPED     PACKETS  DESCRIPTION
test.shown        9  of no use
";
    assert_eq!(Table::of(&[drop_row("test", "shown").unwrap()]).to_string(), expected);

    let text = registry::snapshot().to_string();
    let titles: Vec<&str> = text.split("\n\n").map(|table| table.split_once(' ').unwrap().0).collect();
    assert_eq!(titles, ["TUNABLE", "COUNTER", "DROPPED"]);
}

#[test]
fn a_snapshot_goes_through_json() {
    static COUNTER: Counter = Counter::new("test.json", "bytes", "\"quoted\"");
    static REASON: Reason = Reason::new("test", "json", "");
    COUNTER.add(u64::MAX);
    REASON.count(3);
    let text = serde_json::to_string(&registry::snapshot()).unwrap();
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    let row = |list: &str, key: &str, value: &str| {
        let rows = read[list].as_array().unwrap();
        rows.iter().find(|row| row[key] == value).unwrap().clone()
    };
    let expected = serde_json::json!({
        "name": "pool.watermark_low_percent", "value": 75, "default": 75, "low": 1, "high": 100, "unit": "percent",
        "description": "part of a pool that is in use below which pressure ends",
    });
    assert_eq!(row("tunables", "name", "pool.watermark_low_percent"), expected);
    let expected =
        serde_json::json!({ "name": "test.json", "value": u64::MAX, "unit": "bytes", "description": "\"quoted\"" });
    assert_eq!(row("counters", "name", "test.json"), expected);
    let expected = serde_json::json!({ "place": "test", "why": "json", "packets": 3, "description": "" });
    assert_eq!(row("drops", "why", "json"), expected);
}

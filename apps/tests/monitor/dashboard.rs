//! docs/grafana.json asks for metrics that there are.

use std::collections::BTreeSet;
use std::fs;

use gannet_harness::workspace;
use serde_json::Value;

use super::exposition::Exposition;
use super::{Program, http, runtime};

/// The metrics that a query names.
fn metrics(query: &str) -> impl Iterator<Item = &str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    query.split(move |letter| !is_part(letter)).filter(|word| word.starts_with("gannet_"))
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let text = fs::read_to_string(workspace().join("docs/grafana.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let runtime = runtime();
    let program = Program::start(runtime.path(), &["--metrics", "127.0.0.1:0"]);
    let there = Exposition::parse(&http(program.metrics(), "GET /metrics").body).expect("valid metrics").names();
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut asked = BTreeSet::new();
    for panel in panels {
        // Whoever imports it chooses where the metrics come from.
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        for target in panel["targets"].as_array().expect("targets") {
            let query = target["expr"].as_str().expect("a query");
            assert!(metrics(query).next().is_some(), "{query}");
            asked.extend(metrics(query).map(str::to_owned));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().expect("variables") {
        asked.extend(variable["definition"].as_str().into_iter().flat_map(metrics).map(str::to_owned));
    }
    let missing: Vec<_> = asked.difference(&there).collect();
    assert!(missing.is_empty(), "{missing:?} are asked for; there are {there:?}");
    for part in ["packets_total", "dropped", "pool", "core_busy"] {
        assert!(asked.iter().any(|metric| metric.contains(part)), "nothing of {part} is shown: {asked:?}");
    }
    let numbers: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("a number")).collect();
    assert_eq!(numbers.len(), panels.len());
}

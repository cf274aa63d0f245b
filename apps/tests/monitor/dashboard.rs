//! docs/grafana.json.

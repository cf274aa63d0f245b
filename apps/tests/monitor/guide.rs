//! docs/guide/telemetry.md.

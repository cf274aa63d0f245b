//! The report of a run, and what must be true of every one.

use serde_json::Value;

/// The JSON object that `--json` prints.
pub(crate) struct Report(Value);

impl Report {
    /// Reads it, and checks what holds of every run: no buffer is lost or counted twice, and the sums are right.
    pub(crate) fn parse(text: &str) -> Report {
        let report = Report(serde_json::from_str(text).unwrap_or_else(|why| panic!("no JSON ({why}): {text}")));
        for moment in ["buffers", "buffers_while_running"] {
            assert!(report.count(&format!("/{moment}/total")) > 0, "{report:?}");
        }
        let places = ["pool", "caches", "rx_rings", "tx_rings", "application"];
        let buffers: u64 = places.iter().map(|place| report.count(&format!("/buffers/{place}"))).sum();
        assert_eq!(buffers, report.count("/buffers/total"), "{report:?}");
        assert_eq!(report.buffers_astray(), 0, "{report:?}");
        for (sum, what) in [("/lost", "lost"), ("/forwarded", "forwarded"), ("/corrupted", "corrupted")] {
            let by_way: u64 = (0..report.ways()).map(|way| report.way(way, what)).sum();
            assert_eq!(report.count(sum), by_way, "{report:?}");
        }
        report
    }

    /// A number, by JSON pointer.
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        self.0.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no count at {pointer}: {self:?}"))
    }

    /// A measured value, if something was measured.
    pub(crate) fn measured(&self, pointer: &str) -> Option<f64> {
        self.0.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}: {self:?}")).as_f64()
    }

    pub(crate) fn ways(&self) -> usize {
        self.0["ways"].as_array().map_or(0, Vec::len)
    }

    /// A number of the way from port `from`.
    pub(crate) fn way(&self, from: usize, what: &str) -> u64 {
        self.count(&format!("/ways/{from}/{what}"))
    }

    /// Frames dropped on the way for this reason.
    pub(crate) fn dropped(&self, reason: &str) -> u64 {
        self.count(&format!("/drops/{reason}"))
    }

    fn software_drops(&self) -> &[Value] {
        self.0["memory"]["drops"].as_array().expect("a list")
    }

    /// Frames that did not come as far as a transmit ring, whoever dropped them and why.
    pub(crate) fn dropped_before_sending(&self) -> u64 {
        let later = ["unsent", "by_the_peer"];
        let by_others = self.0["drops"].as_object().expect("an object").iter();
        let by_others = by_others.filter(|(reason, _)| !later.contains(&reason.as_str())).map(|(_, count)| count);
        let own = self.software_drops().iter().filter(|drop| drop["place"] == "l2fwd").map(|drop| &drop["packets"]);
        by_others.chain(own).map(|count| count.as_u64().expect("a number")).sum()
    }

    /// A number of the packet pool, by JSON pointer.
    pub(crate) fn pool(&self, what: &str) -> u64 {
        self.count(&format!("/memory/pools/0/{what}"))
    }

    /// The value of a tunable.
    pub(crate) fn tunable(&self, name: &str) -> u64 {
        let tunables = self.0["memory"]["tunables"].as_array().expect("a list");
        let tunable = tunables.iter().find(|tunable| tunable["name"] == name);
        tunable.and_then(|tunable| tunable["value"].as_u64()).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    pub(crate) fn problems(&self) -> Vec<&str> {
        self.0["problems"].as_array().expect("a list").iter().filter_map(Value::as_str).collect()
    }

    /// Buffers that are not where they belong when all has been stopped.
    fn buffers_astray(&self) -> u64 {
        ["rx_rings", "tx_rings", "application"].iter().map(|place| self.count(&format!("/buffers/{place}"))).sum()
    }

    /// Checks that not one frame was lost, damaged or out of order.
    pub(crate) fn assert_clean(&self) {
        for what in ["lost", "reordered", "corrupted"] {
            assert_eq!(self.count(&format!("/{what}")), 0, "{self:?}");
        }
        let drops = self.0["drops"].as_object().expect("an object");
        assert!(drops.values().all(|count| count == 0), "{self:?}");
        assert!(self.software_drops().iter().all(|drop| drop["packets"] == 0), "{self:?}");
        assert_eq!(self.problems(), [""; 0], "{self:?}");
    }
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

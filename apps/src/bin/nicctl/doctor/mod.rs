//! `doctor`: all that a run on a real card needs, each with a verdict, and what mends it.
//!
//! One cause makes one complaint: what cannot be judged because of it is not checked, and says so. [`machine`] has the checks of the
//! machine, [`card`] those of a card.

mod card;
mod machine;

use std::fmt;

use gannet_bus::sysfs::{PciAddress, PciDevice};
use gannet_bus::vfio::Users;
use serde::Serialize;

use crate::answer::{Answer, Status};
use crate::cards;
use crate::driver_switch::VFIO_PCI;
use crate::host::Host;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// As it should be.
    Ok,
    /// A run is possible, but slower or less safe than it could be.
    Warning,
    /// No run is possible.
    Missing,
    /// Something else is missing first.
    NotChecked,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Missing => "missing",
            Verdict::NotChecked => "-",
        })
    }
}

/// The result of a check.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    says: String,
    /// What mends it: a command, where one does.
    remedy: Option<String>,
    /// The check whose complaint has to be mended before this one can be made.
    needs: Option<&'static str>,
}

impl Finding {
    fn ok(check: &'static str, says: impl Into<String>) -> Finding {
        Finding { check, verdict: Verdict::Ok, says: says.into(), remedy: None, needs: None }
    }

    fn warning(check: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Warning, remedy: Some(remedy.into()), ..Finding::ok(check, says) }
    }

    fn missing(check: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Missing, remedy: Some(remedy.into()), ..Finding::ok(check, says) }
    }

    fn not_checked(check: &'static str, cause: &'static str) -> Finding {
        let says = format!("not checked: needs {cause}");
        Finding { verdict: Verdict::NotChecked, needs: Some(cause), ..Finding::ok(check, says) }
    }

    fn is_ok(&self) -> bool {
        self.verdict == Verdict::Ok
    }

    /// The check that keeps others from being made: this one, or the one that this one waits for.
    fn blocks(&self) -> Option<&'static str> {
        match self.verdict {
            Verdict::Missing => Some(self.check),
            _ => self.needs,
        }
    }
}

/// The finding of `examine`, if all that it needs is there.
fn after(
    needs: &[&Finding],
    check: &'static str,
    examine: impl FnOnce() -> anyhow::Result<Finding>,
) -> anyhow::Result<Finding> {
    match needs.iter().find_map(|finding| finding.blocks()) {
        Some(cause) => Ok(Finding::not_checked(check, cause)),
        None => examine(),
    }
}

/// The findings of the machine, or of a card.
#[derive(Debug, Serialize)]
struct Section {
    subject: String,
    findings: Vec<Finding>,
}

/// Checks the machine and the cards.
///
/// # Errors
/// The kernel's files cannot be read.
pub(crate) fn run(host: &Host, addresses: &[PciAddress]) -> anyhow::Result<Answer> {
    let users = Users::find(&host.sysfs);
    let addresses = if addresses.is_empty() { candidates(host)? } else { addresses.to_vec() };
    let devices: Vec<PciDevice> = addresses.iter().filter_map(|&address| host.sysfs.device(address).ok()).collect();
    let machine = machine::Findings::of(host, &devices)?;
    let cards: Vec<Section> = addresses
        .iter()
        .map(|&address| {
            Ok(Section { subject: address.to_string(), findings: card::findings(host, &machine, &users, address)? })
        })
        .collect::<anyhow::Result<_>>()?;
    let mut findings = machine.into_list();
    if addresses.is_empty() {
        let remedy =
            "docs/hardware.md lists the cards; without one, programs run on software cards (l2fwd without --port)";
        findings.push(Finding::missing("card", "no card on PCI that Gannet has a driver for", remedy));
    }
    let mut sections = vec![Section { subject: "machine".into(), findings }];
    sections.extend(cards);
    Ok(answer(&sections))
}

/// The cards to check when none are named.
fn candidates(host: &Host) -> anyhow::Result<Vec<PciAddress>> {
    let mut known = host.network_cards()?;
    known.retain(|device| cards::known(device).is_some());
    let mut bound = Vec::new();
    for device in &known {
        if device.driver()?.as_deref() == Some(VFIO_PCI) {
            bound.push(device.address());
        }
    }
    Ok(if bound.is_empty() { known.iter().map(PciDevice::address).collect() } else { bound })
}

fn answer(sections: &[Section]) -> Answer {
    let count = |verdict| {
        sections.iter().flat_map(|section| &section.findings).filter(|finding| finding.verdict == verdict).count()
    };
    let (missing, warnings) = (count(Verdict::Missing), count(Verdict::Warning));
    let mut table = String::new();
    for Section { subject, findings } in sections {
        table += &format!("{subject}\n");
        for Finding { check, verdict, says, remedy, .. } in findings {
            table += &format!("  {verdict:7}  {check:19}  {says}\n");
            table.extend(remedy.iter().map(|remedy| format!("  {:7}  {:19}  -> {remedy}\n", "", "")));
        }
    }
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    table += &match (missing, warnings) {
        (0, 0) => "ready\n".into(),
        (0, _) => format!("ready, with {warnings} warning{}\n", plural(warnings)),
        _ => format!("not ready: {missing} missing, {warnings} warning{}\n", plural(warnings)),
    };
    let json = serde_json::json!({ "ready": missing == 0, "sections": sections });
    let status = if missing == 0 { Status::Fine } else { Status::NotReady };
    Answer { table, json, errors: Vec::new(), status }
}

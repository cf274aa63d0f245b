//! `list`: the network cards of the machine.

use gannet_bus::sysfs::PciDevice;
use gannet_bus::vfio::Users;
use serde::Serialize;

use crate::answer::Answer;
use crate::cards;
use crate::host::Host;
use crate::process::Process;
use crate::routes;
use crate::table;

/// A card, as the list shows it.
#[derive(Debug, Serialize)]
struct Card {
    address: String,
    /// Vendor and device.
    id: String,
    name: Option<&'static str>,
    gannet_driver: Option<&'static str>,
    kernel_driver: Option<String>,
    iommu_group: Option<u32>,
    numa_node: Option<u32>,
    interfaces: Vec<Interface>,
    /// What of the machine's network needs it.
    needed_for: Option<String>,
    /// Programs that have it through VFIO.
    processes: Vec<Process>,
}

/// A network interface of the kernel.
#[derive(Debug, Serialize)]
struct Interface {
    name: String,
    /// Whether it has a link; unknown while it is down.
    carrier: Option<bool>,
    /// Speed of the link, Mb/s.
    speed_mbps: Option<u32>,
}

/// Lists the cards.
///
/// # Errors
/// The kernel's files cannot be read.
pub(crate) fn run(host: &Host) -> anyhow::Result<Answer> {
    let users = Users::find(&host.sysfs);
    let cards = host.network_cards()?;
    let cards = cards.iter().map(|device| look(host, &users, device)).collect::<anyhow::Result<Vec<Card>>>()?;
    let table = if cards.is_empty() {
        "no network card on PCI; programs run on software cards too, as l2fwd does without --port\n".into()
    } else {
        let header = ["ADDRESS", "ID", "CARD", "GANNET", "KERNEL", "GROUP", "NODE", "INTERFACE", "LINK", "USED BY"];
        table::columns(header, &cards.iter().map(Card::row).collect::<Vec<_>>())
    };
    Ok(Answer::fine(table, serde_json::json!({ "cards": cards })))
}

fn look(host: &Host, users: &Users, device: &PciDevice) -> anyhow::Result<Card> {
    let known = cards::known(device);
    Ok(Card {
        address: device.address().to_string(),
        id: cards::id(device),
        name: known.map(|known| known.name),
        gannet_driver: known.map(|known| known.driver.name()),
        kernel_driver: device.driver()?,
        iommu_group: device.iommu_group()?,
        numa_node: device.numa_node()?,
        interfaces: device.interfaces()?.into_iter().map(|name| interface(host, name)).collect(),
        needed_for: routes::need(host, device)?.map(|need| need.to_string()),
        processes: Process::all_of(users, device)?,
    })
}

fn interface(host: &Host, name: String) -> Interface {
    let file = |file: &str| host.text(format!("/sys/class/net/{name}/{file}"));
    // Both fail to read while the interface is down; the speed is -1 or 2^32 - 1 while it is unknown.
    let carrier = file("carrier").map(|carrier| carrier == "1");
    let speed_mbps =
        file("speed").and_then(|speed| speed.parse().ok()).filter(|&speed: &u32| speed != u32::MAX && speed > 0);
    Interface { name, carrier, speed_mbps }
}

impl Interface {
    fn link(&self) -> String {
        match (self.carrier, self.speed_mbps) {
            (Some(true), Some(speed)) => format!("{speed} Mb/s"),
            (Some(true), None) => "up".into(),
            (Some(false), _) => "down".into(),
            (None, _) => "off".into(),
        }
    }
}

impl Card {
    fn row(&self) -> [String; 10] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let list = |items: Vec<String>| or_dash(Some(items.join(", ")).filter(|text| !text.is_empty()));
        let mut used_by: Vec<String> = self.processes.iter().map(Process::to_string).collect();
        used_by.extend(self.needed_for.clone());
        // Without an interface nobody tells whether there is a link.
        let links: Vec<String> = self.interfaces.iter().map(Interface::link).collect();
        let link = if links.is_empty() { "?".into() } else { links.join(", ") };
        [
            self.address.clone(),
            self.id.clone(),
            or_dash(self.name.map(str::to_owned)),
            or_dash(self.gannet_driver.map(str::to_owned)),
            or_dash(self.kernel_driver.clone()),
            or_dash(self.iommu_group.map(|group| group.to_string())),
            or_dash(self.numa_node.map(|node| node.to_string())),
            list(self.interfaces.iter().map(|interface| interface.name.clone()).collect()),
            link,
            list(used_by),
        ]
    }
}

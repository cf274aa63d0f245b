//! Draws rates. A pure function of them, so that it is tested without a terminal.

use gannet_apps::monitor::state::Level;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table, TableState, Wrap};

use crate::lines::{flow, level, link, title};
use crate::rates::{CoreRates, DropRate, Flow, PoolFill, PortRates, Rates};

/// The least that everything can be read in.
const WIDTH: u16 = 80;
const HEIGHT: u16 = 20;

/// Characters of a bar.
const BAR: usize = 10;

const TITLES: Style = Style::new().add_modifier(Modifier::DIM);

/// Draws what is known, with a note on why it is old, if it is; the port at the place `selected` with its queues.
pub(crate) fn draw(frame: &mut Frame<'_>, rates: Option<&Rates>, note: Option<&str>, selected: usize) {
    let area = frame.area();
    if area.width < WIDTH || area.height < HEIGHT {
        let text = format!(
            "nictop needs {WIDTH} columns and {HEIGHT} lines: this terminal has {} and {}",
            area.width, area.height
        );
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let Some(rates) = rates else {
        frame.render_widget(Paragraph::new(note.unwrap_or("looking ...")), area);
        return;
    };
    // All ports if there is room, and a third of the screen for each of the other two rows at least.
    let ports = (rates.ports.len() as u16 + 3).min(area.height / 3 + 1);
    let [top, ports, middle, bottom, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(ports),
        Constraint::Fill(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let [cores, pools] = Layout::horizontal([Constraint::Length(34), Constraint::Fill(1)]).areas(middle);
    let [queues, drops] = Layout::horizontal([Constraint::Length(34), Constraint::Fill(1)]).areas(bottom);
    frame.render_widget(Line::styled(title(rates), Modifier::BOLD), top);
    draw_ports(frame, ports, &rates.ports, selected);
    draw_cores(frame, cores, &rates.cores);
    draw_pools(frame, pools, &rates.pools);
    if let Some(port) = rates.ports.get(selected) {
        draw_queues(frame, queues, port);
    }
    draw_drops(frame, drops, &rates.drops);
    let interval = Line::raw(format!("over {:.1} s", rates.seconds)).alignment(Alignment::Right);
    let left =
        note.map_or(Line::styled("q ends   arrows choose a port", TITLES), |note| Line::styled(note, alarm(true)));
    frame.render_widget(left, keys);
    frame.render_widget(interval.style(TITLES), keys);
}

fn right(text: impl Into<String>) -> Cell<'static> {
    Cell::new(Line::raw(text.into()).alignment(Alignment::Right))
}

/// A table in a frame, under titles of which those that begin with a space stand at the right.
fn table<const N: usize>(
    name: String,
    titles: [&'static str; N],
    widths: [Constraint; N],
    rows: impl IntoIterator<Item = Row<'static>>,
) -> Table<'static> {
    let titles = titles.map(|title| match title.strip_prefix(' ') {
        Some(title) => right(title),
        None => Cell::new(title),
    });
    Table::new(rows, widths)
        .header(Row::new(titles).style(TITLES))
        .column_spacing(2)
        .block(Block::bordered().title(name))
}

fn draw_ports(frame: &mut Frame<'_>, area: Rect, ports: &[PortRates], selected: usize) {
    let row = |port: &PortRates| {
        let ([rx_pps, rx_bps], [tx_pps, tx_bps]) = (flow(&port.rx), flow(&port.tx));
        let dropped = Cell::new(
            Line::styled(format!("{:.0}", port.dropped_pps), alarm(port.dropped_pps > 0.0)).alignment(Alignment::Right),
        );
        let link = Cell::new(Span::styled(link(port), alarm(port.link_mbps.is_none())));
        let (number, name) = (Cell::new(port.number.to_string()), Cell::new(port.name.clone()));
        Row::new([number, name, link, right(rx_pps), right(rx_bps), right(tx_pps), right(tx_bps), dropped])
    };
    let titles = ["#", "name", "link", " rx Mpps", " Gbit/s", " tx Mpps", " Gbit/s", " dropped/s"];
    let widths = [
        Constraint::Length(2),
        Constraint::Fill(1),
        Constraint::Length(5),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(9),
    ];
    let table = table("ports".into(), titles, widths, ports.iter().map(row))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(selected));
}

fn draw_cores(frame: &mut Frame<'_>, area: Rect, cores: &[CoreRates]) {
    let row = |core: &CoreRates| {
        let bar = Cell::new(bar(core.busy, Color::Green));
        Row::new([Cell::new(core.core.to_string()), bar, right(format!("{:.3}", core.pps / 1e6))])
    };
    let widths = [Constraint::Length(4), Constraint::Length(BAR as u16 + 6), Constraint::Fill(1)];
    frame.render_widget(table("cores".into(), ["core", "busy", " Mpps"], widths, cores.iter().map(row)), area);
}

fn draw_pools(frame: &mut Frame<'_>, area: Rect, pools: &[PoolFill]) {
    let row = |pool: &PoolFill| {
        let color = match pool.level {
            Level::Calm => Color::Green,
            Level::Pressure => Color::Yellow,
            Level::Critical => Color::Red,
        };
        let level = Span::styled(level(pool.level), color);
        Row::new([Cell::new(pool.name.clone()), Cell::new(bar(pool.in_use(), color)), Cell::new(level)])
    };
    let widths = [Constraint::Fill(1), Constraint::Length(BAR as u16 + 6), Constraint::Length(8)];
    frame.render_widget(table("pools".into(), ["pool", "in use", "level"], widths, pools.iter().map(row)), area);
}

fn draw_queues(frame: &mut Frame<'_>, area: Rect, port: &PortRates) {
    let mpps = |queues: &[Flow], at: usize| queues.get(at).map(|queue| flow(queue)[0].clone()).unwrap_or_default();
    let row = |at: usize| {
        Row::new([Cell::new(at.to_string()), right(mpps(&port.rx_queues, at)), right(mpps(&port.tx_queues, at))])
    };
    let rows = (0..port.rx_queues.len().max(port.tx_queues.len())).map(row);
    let widths = [Constraint::Length(5), Constraint::Fill(1), Constraint::Fill(1)];
    let name = format!("queues of port {}", port.number);
    frame.render_widget(table(name, ["queue", " rx Mpps", " tx Mpps"], widths, rows), area);
}

fn draw_drops(frame: &mut Frame<'_>, area: Rect, drops: &[DropRate]) {
    let row = |drop: &DropRate| {
        let rate = Line::styled(format!("{:.0}", drop.pps), alarm(drop.pps > 0.0)).alignment(Alignment::Right);
        let (place, why) = (Cell::new(drop.place.clone()), Cell::new(drop.why.replace('_', " ")));
        Row::new([place, why, right(drop.packets.to_string()), Cell::new(rate)])
    };
    let widths = [Constraint::Length(8), Constraint::Fill(1), Constraint::Length(11), Constraint::Length(8)];
    frame.render_widget(
        table("drops".into(), ["by", "why", " packets", " a second"], widths, drops.iter().map(row)),
        area,
    );
}

fn alarm(is_on: bool) -> Style {
    if is_on { Style::new().fg(Color::Red) } else { Style::new() }
}

/// A bar with its percentage.
fn bar(part: f64, color: Color) -> Line<'static> {
    let part = part.clamp(0.0, 1.0);
    let full = (part * BAR as f64).round() as usize;
    Line::from(vec![
        Span::styled("█".repeat(full), color),
        Span::styled("░".repeat(BAR - full), TITLES),
        Span::raw(format!(" {:>3.0} %", part * 100.0)),
    ])
}

#[cfg(test)]
mod tests;

//! Plots of what was measured, as SVG. The same figures give the same text.

use std::ops::Range;

use anyhow::anyhow;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;

use super::measured::{Latency, Measured, SizeMeasured};

const PIXELS: (u32, u32) = (820, 460);
const FONT: &str = "sans-serif";

/// How much wider the plot is than its lines: their names are to the right of them.
const ROOM_FOR_NAMES: f64 = 1.35;

/// A line of a plot.
struct Line {
    name: &'static str,
    color: RGBColor,
    /// Size of frames in bytes, value.
    points: Vec<(f64, f64)>,
}

/// Frames a second over their size: what the link carries, and what was measured (RFC 2544, section 26.1).
pub(super) fn throughput(measured: &Measured) -> anyhow::Result<String> {
    let points = |value: fn(&SizeMeasured) -> f64| {
        measured.sizes.iter().map(|size| (f64::from(size.size), value(size))).collect()
    };
    let lines = [
        Line { name: "what the link carries", color: RGBColor(150, 150, 150), points: points(|size| size.line_pps) },
        Line { name: "throughput", color: RGBColor(0, 90, 160), points: points(|size| size.throughput.pps) },
    ];
    draw("Throughput over frame size", "frames a second", &lines)
}

/// Percentiles of the latency over the size of frames (RFC 2544, section 26.2).
pub(super) fn latency(measured: &Measured) -> anyhow::Result<String> {
    let points = |value: fn(&Latency) -> u64| {
        let latencies = measured.sizes.iter().filter_map(|size| size.latency.map(|latency| (size.size, latency)));
        latencies.map(|(size, latency)| (f64::from(size), value(&latency) as f64 / 1e3)).collect()
    };
    let lines = [
        Line { name: "maximum", color: RGBColor(190, 60, 40), points: points(|latency| latency.max_ns) },
        Line { name: "99.9 %", color: RGBColor(220, 140, 30), points: points(|latency| latency.p999_ns) },
        Line { name: "99 %", color: RGBColor(60, 140, 70), points: points(|latency| latency.p99_ns) },
        Line { name: "median", color: RGBColor(0, 90, 160), points: points(|latency| latency.p50_ns) },
    ];
    draw("Latency at the throughput over frame size", "microseconds", &lines)
}

/// Powers of ten around all values: they differ so much that only a logarithmic scale shows them all.
fn decades(lines: &[Line]) -> Range<i32> {
    let values = lines.iter().flat_map(|line| &line.points).map(|point| point.1).filter(|&value| value > 0.0);
    let (least, most) =
        values.fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    if most == 0.0 {
        return 0..1;
    }
    let first = least.log10().floor() as i32;
    first..(most.log10().ceil() as i32).max(first + 1)
}

fn draw(title: &str, unit: &str, lines: &[Line]) -> anyhow::Result<String> {
    let mut svg = String::new();
    // The library's errors are of its drawing backend; a string takes everything.
    chart(&mut svg, title, unit, lines).map_err(|why| anyhow!("drawing {title:?}: {why}"))?;
    Ok(svg)
}

fn chart(svg: &mut String, title: &str, unit: &str, lines: &[Line]) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, PIXELS).into_drawing_area();
    area.fill(&WHITE)?;
    let longest = lines.iter().flat_map(|line| &line.points).map(|point| point.0).fold(100.0, f64::max);
    let decades = decades(lines);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT, 20))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(74)
        .build_cartesian_2d(0.0..longest * ROOM_FOR_NAMES, Decades(decades))?;
    chart
        .configure_mesh()
        .x_desc("bytes of a frame, FCS included")
        .y_desc(unit)
        .label_style((FONT, 14))
        .light_line_style(WHITE)
        .x_label_formatter(&|size| format!("{size:.0}"))
        .draw()?;
    for Line { name, color, points } in lines {
        // A logarithm has no place for 0: such a point stays away.
        let points = || points.iter().filter(|point| point.1 > 0.0).map(|&(size, value)| (size, value.log10()));
        let style = color.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points(), style))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        chart.draw_series(points().map(|at| Circle::new(at, 4, color.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .label_font((FONT, 14))
        .background_style(WHITE.mix(0.8))
        .border_style(RGBColor(200, 200, 200))
        .draw()?;
    area.present()?;
    Ok(())
}

/// Logarithms, with a label at each power of ten.
struct Decades(Range<i32>);

impl Ranged for Decades {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - f64::from(self.0.start)) / f64::from(self.0.end - self.0.start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        (self.0.start..=self.0.end).map(f64::from).collect()
    }

    fn range(&self) -> Range<f64> {
        f64::from(self.0.start)..f64::from(self.0.end)
    }
}

impl ValueFormatter<f64> for Decades {
    fn format(value: &f64) -> String {
        let power = value.round() as i32;
        let (number, unit) = match power {
            6.. => (power - 6, " M"),
            3..6 => (power - 3, " k"),
            _ => (power, ""),
        };
        match number {
            0.. => format!("{}{unit}", 10_u64.pow(number as u32)),
            _ => format!("{}{unit}", 10_f64.powi(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Device, run, settings};
    use super::*;

    fn measured() -> Measured {
        run(&settings(), &mut Device::new(3e6))
    }

    #[test]
    fn a_plot_has_its_lines_points_and_labels() {
        let svg = throughput(&measured()).expect("a plot");
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
        // Two lines of two sizes: a polyline and two points each.
        assert_eq!(svg.matches("<circle").count(), 4, "{svg}");
        for text in ["Throughput over frame size", "frames a second", "what the link carries", "100 k", "1 M"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        let svg = latency(&measured()).expect("a plot");
        assert_eq!(svg.matches("<circle").count(), 8, "{svg}");
        assert!(svg.contains("median") && svg.contains("microseconds"), "{svg}");
    }

    #[test]
    fn the_same_figures_give_the_same_text() {
        let measured = measured();
        assert_eq!(throughput(&measured).unwrap(), throughput(&measured).unwrap());
    }

    #[test]
    fn higher_values_are_drawn_higher() {
        let axis = Decades(3..7);
        let [low, high] = [3.5, 6.5].map(|value| axis.map(&value, (400, 0)));
        assert!(0 < high && high < low && low < 400, "{low} {high}");
    }

    #[test]
    fn nothing_measured_is_drawn_too() {
        let empty = Measured::default();
        assert!(throughput(&empty).unwrap().contains("</svg>"));
        assert!(latency(&empty).unwrap().contains("</svg>"));
    }
}

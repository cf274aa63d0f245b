//! Tables of text for people.

use std::fmt;

use super::{CounterRow, DropRow, Snapshot, TunableRow};

/// The title of a column and the side where its cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// For names and text.
    Left(&'static str),
    /// For numbers.
    Right(&'static str),
}

/// What a line of a [`Table`] is made of.
pub trait Row<const N: usize> {
    /// The columns of its table.
    const COLUMNS: [Column; N];

    /// The texts under them.
    fn cells(&self) -> [String; N];
}

/// Rows under titles, each column as wide as its widest cell, two spaces between columns.
///
/// ```
/// use gannet_mempool::registry::{Column, Row, Table};
///
/// struct Planet(&'static str, u32);
///
/// impl Row<2> for Planet {
///     const COLUMNS: [Column; 2] = [Column::Left("PLANET"), Column::Right("MOONS")];
///     fn cells(&self) -> [String; 2] {
///         [self.0.into(), self.1.to_string()]
///     }
/// }
///
/// let table = Table::of(&[Planet("Earth", 1), Planet("Jupiter", 115)]);
/// assert_eq!(table.to_string(), "PLANET   MOONS\nEarth        1\nJupiter    115\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// The table of `rows`, in their order.
    pub fn of<R: Row<N>>(rows: &[R]) -> Table<N> {
        Table { columns: R::COLUMNS, rows: rows.iter().map(R::cells).collect() }
    }

    /// Characters of the widest cell or title of a column.
    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].as_str());
        cells.chain([self.columns[column].title()]).map(|text| text.chars().count()).max().unwrap_or(0)
    }
}

impl Column {
    fn title(&self) -> &'static str {
        match self {
            Column::Left(title) | Column::Right(title) => title,
        }
    }

    fn pad(&self, text: &str, width: usize) -> String {
        match self {
            Column::Left(_) => format!("{text:<width$}"),
            Column::Right(_) => format!("{text:>width$}"),
        }
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: [usize; N] = std::array::from_fn(|column| self.width(column));
        let titles = self.columns.map(|column| column.title().to_owned());
        for row in [&titles].into_iter().chain(&self.rows) {
            let cells: [String; N] = std::array::from_fn(|at| self.columns[at].pad(&row[at], widths[at]));
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

impl Row<6> for TunableRow {
    const COLUMNS: [Column; 6] = [
        Column::Left("TUNABLE"),
        Column::Right("VALUE"),
        Column::Right("DEFAULT"),
        Column::Right("RANGE"),
        Column::Left("UNIT"),
        Column::Left("DESCRIPTION"),
    ];

    fn cells(&self) -> [String; 6] {
        [
            self.name.into(),
            self.value.to_string(),
            self.default.to_string(),
            format!("{} to {}", self.low, self.high),
            self.unit.into(),
            self.description.into(),
        ]
    }
}

impl Row<4> for CounterRow {
    const COLUMNS: [Column; 4] =
        [Column::Left("COUNTER"), Column::Right("VALUE"), Column::Left("UNIT"), Column::Left("DESCRIPTION")];

    fn cells(&self) -> [String; 4] {
        [self.name.into(), self.value.to_string(), self.unit.into(), self.description.into()]
    }
}

impl Row<3> for DropRow {
    const COLUMNS: [Column; 3] = [Column::Left("DROPPED"), Column::Right("PACKETS"), Column::Left("DESCRIPTION")];

    fn cells(&self) -> [String; 3] {
        [format!("{}.{}", self.place, self.why), self.packets.to_string(), self.description.into()]
    }
}

/// Three tables with an empty line between them.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Snapshot { tunables, counters, drops } = self;
        write!(f, "{}\n{}\n{}", Table::of(tunables), Table::of(counters), Table::of(drops))
    }
}

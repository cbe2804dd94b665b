//! The figures as a table in Markdown.

use std::fmt;

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

/// One figure.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) figure: String,
    /// What it is with krabba.
    pub(crate) krabba: String,
    /// What it is compared with, and how much that is.
    pub(crate) beside: String,
    /// The difference or the ratio.
    pub(crate) more: String,
    /// What is wanted.
    pub(crate) goal: &'static str,
}

impl Table {
    /// Adds a figure, and prints it, because the next one may take a while.
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("{}: {} beside {}: {} (goal: {})", row.figure, row.krabba, row.beside, row.more, row.goal);
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n| figure (medians) | krabba | beside | difference | goal |\n|---|---|---|---|---|")?;
        for Row { figure, krabba, beside, more, goal } in &self.rows {
            writeln!(formatter, "| {figure} | {krabba} | {beside} | {more} | {goal} |")?;
        }
        Ok(())
    }
}

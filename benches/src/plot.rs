//! Draws curves as SVG.

use std::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::growth::{Growth, Point};
use crate::measure::Cost;

const FOREBAY: RGBColor = RGBColor(20, 90, 160);
const PEER: RGBColor = RGBColor(200, 110, 20);

/// Time on the left, memory on the right, both against the work.
pub(crate) fn growth(path: &Path, growth: &Growth, points: &[Point]) -> Result<()> {
    let area = SVGBackend::new(path, (1000, 380)).into_drawing_area();
    let failed = |error: &dyn std::fmt::Display| anyhow!("cannot draw {}: {error}", path.display());
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let (left, right) = area.split_horizontally(500);
    curves(&left, growth, points, "wall time, seconds", &|cost| {
        cost.wall.as_secs_f64()
    })?;
    curves(&right, growth, points, "peak memory, MiB", &|cost| {
        cost.memory as f64 / f64::from(1 << 20)
    })?;
    area.present().map_err(|error| failed(&error))
}

fn curves(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    growth: &Growth,
    points: &[Point],
    title: &str,
    of: &dyn Fn(&Cost) -> f64,
) -> Result<()> {
    let ours: Vec<_> = points
        .iter()
        .map(|point| (point.at as f64, of(&point.forebay)))
        .collect();
    let peers = points
        .iter()
        .filter_map(|point| Some((point.at as f64, of(point.peer.as_ref()?))));
    let peers: Vec<_> = peers.collect();
    let all = || ours.iter().chain(&peers);
    let xs = around(all().map(|point| point.0));
    let ys = around(all().map(|point| point.1));
    let draw = || -> Result<(), Box<dyn std::error::Error + '_>> {
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(xs.log_scale(), ys.log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc(growth.axis)
            .x_label_formatter(&|x| count(*x))
            .y_label_formatter(&|y| short(*y))
            .draw()?;
        for (name, line, color) in [
            ("forebay", ours.clone(), FOREBAY),
            (growth.peer, peers.clone(), PEER),
        ] {
            if line.is_empty() {
                continue;
            }
            chart
                .draw_series(LineSeries::new(line, color.stroke_width(2)).point_size(3))?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2))
                });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        Ok(())
    };
    draw().map_err(|error| anyhow!("cannot draw {}: {error}", growth.name))
}

/// A range that holds all values with some room, for a logarithmic axis.
fn around(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
    for value in values {
        least = least.min(value);
        most = most.max(value);
    }
    (least / 2.0).max(1e-4)..(most * 2.0).max(1e-3)
}

/// A count with a unit: 4096 is `4k`, and 5368709120 is `5.4G`.
fn count(number: f64) -> String {
    for (unit, name) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if number >= unit {
            return short(number / unit) + name;
        }
    }
    short(number)
}

fn short(number: f64) -> String {
    if number >= 10.0 || number == number.round() {
        format!("{number:.0}")
    } else if number >= 0.1 {
        format!("{number:.1}")
    } else {
        format!("{number:.3}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;
    use crate::growth::GROWTHS;

    #[test]
    fn a_curve_is_drawn_with_and_without_a_peer() {
        let folder = tempfile::tempdir().unwrap();
        let cost = |seconds: u64| Cost {
            wall: Duration::from_secs(seconds),
            cpu: Duration::from_secs(seconds),
            memory: seconds << 20,
        };
        let point = |at: u64, peer| Point {
            at,
            forebay: cost(at),
            peer,
        };
        for (peer, legend) in [(Some(cost(3)), 2), (None, 1)] {
            let path = folder.path().join("a.svg");
            growth(
                &path,
                GROWTHS.first().unwrap(),
                &[point(1, peer), point(100, peer)],
            )
            .unwrap();
            let svg = std::fs::read_to_string(&path).unwrap();
            assert!(svg.contains("peak memory, MiB") && svg.contains("forebay"));
            // A line for each contestant in each half.
            let lines = svg.matches("<polyline").count();
            assert!(lines >= 2 * legend, "{lines}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(count(5_368_709_120.0), "5.4G");
        assert_eq!(count(10_000.0), "10k");
        assert_eq!(short(0.012), "0.012");
    }
}

//! How time and memory grow with the work: with the size of a file, the number of stages, of files and of outputs.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::contest::{Bench, missing};
use crate::contests::files;
use crate::inputs;
use crate::measure::{self, Cost};

/// One point of a curve.
pub(crate) struct Point {
    pub(crate) at: u64,
    pub(crate) forebay: Cost,
    /// `None` where the peer has no such work.
    pub(crate) peer: Option<Cost>,
}

/// A curve to measure.
pub(crate) struct Growth {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// What the numbers count.
    pub(crate) axis: &'static str,
    pub(crate) peer: &'static str,
    /// The program that must be installed, with the Debian package that has it.
    pub(crate) needs: &'static [(&'static str, &'static str)],
    /// From small to large.
    pub(crate) steps: &'static [u64],
    /// Makes the input of one step.
    prepare: fn(&Path, u64) -> Result<()>,
    forebay: fn(&mut Command, &Path, &Path, u64),
    peer_command: Option<fn(&Path, &Path) -> Command>,
    /// How many files there must be afterwards.
    outputs: fn(u64) -> u64,
}

const MIB: u64 = 1 << 20;

pub(crate) const GROWTHS: &[Growth] = &[
    Growth {
        name: "size",
        what: "A file of growing size through `identity` into a folder",
        axis: "bytes",
        peer: "cp",
        needs: &[("cp", "coreutils")],
        steps: &[
            1 << 10,
            64 << 10,
            MIB,
            16 * MIB,
            256 * MIB,
            1024 * MIB,
            5120 * MIB,
        ],
        prepare: inputs::bytes,
        forebay: |forebay, from, to, _| {
            forebay
                .args(["run", "-q", "-s", "identity", "-o"])
                .args([to, from]);
        },
        peer_command: Some(cp),
        outputs: |_| 1,
    },
    Growth {
        name: "chain",
        what: "256 MiB through a growing number of `identity` stages into a folder",
        axis: "stages",
        peer: "",
        needs: &[],
        steps: &[1, 2, 3, 5, 8, 12, 16],
        prepare: |path, _| inputs::bytes(path, 256 * MIB),
        forebay: |forebay, from, to, stages| {
            forebay.args(["run", "-q"]);
            for _ in 0..stages {
                forebay.args(["-s", "identity"]);
            }
            forebay.arg("-o").args([to, from]);
        },
        peer_command: None,
        outputs: |_| 1,
    },
    Growth {
        name: "files",
        what: "A growing number of files of 4 KB through `identity` into a folder",
        axis: "files",
        peer: "cp -r",
        needs: &[("cp", "coreutils")],
        steps: &[1, 10, 100, 1000, 10_000],
        prepare: |path, files| inputs::folder(path, files as usize, 4096),
        forebay: |forebay, from, to, _| {
            forebay
                .args(["run", "-q", "-s", "identity", "-o"])
                .args([to, from]);
        },
        peer_command: Some(cp),
        outputs: |files| files,
    },
    Growth {
        name: "fan-out",
        what: "A PDF with a growing number of pages, a page a file",
        axis: "pages",
        peer: "qpdf --split-pages",
        needs: &[("qpdf", "qpdf")],
        steps: &[1, 10, 100, 1000, 10_000],
        prepare: |path, pages| inputs::pdf(path, pages as usize),
        forebay: |forebay, from, to, _| {
            forebay
                .args(["run", "-q", "-s", "pdf-split", "-o"])
                .args([to, from]);
        },
        peer_command: Some(|from, to| {
            let mut qpdf = Command::new("qpdf");
            qpdf.arg("--split-pages").arg(from).arg(to.join("page.pdf"));
            qpdf
        }),
        outputs: |pages| pages,
    },
];

fn cp(from: &Path, to: &Path) -> Command {
    let mut cp = Command::new("cp");
    cp.arg("-r").arg(from).arg(to);
    cp
}

impl Growth {
    /// Measures each step three times, after one run that fills the caches, and gives the medians. A peer that is not
    /// installed is an error.
    pub(crate) fn run(&self, bench: &Bench) -> Result<Vec<Point>> {
        if let Some((program, package)) = missing(self.needs).first() {
            bail!(
                "{}: `{program}` is not installed (`apt-get install {package}`)",
                self.name
            );
        }
        let most = self.steps.last().copied().unwrap_or_default();
        let steps = self
            .steps
            .iter()
            .filter(|step| **step <= bench.scaled(most));
        steps.map(|step| self.point(bench, *step)).collect()
    }

    fn point(&self, bench: &Bench, at: u64) -> Result<Point> {
        let input = bench.path("input.pdf");
        (self.prepare)(&input, at)?;
        let out = bench.path("out");
        let measured = |command: &mut Command| -> Result<Cost> {
            std::fs::create_dir(&out)?;
            let cost = measure::run(command)?;
            let written = files(&out)?.len() as u64;
            let expected = (self.outputs)(at);
            ensure!(
                written == expected,
                "{written} files in place of {expected}"
            );
            std::fs::remove_dir_all(&out)?;
            Ok(cost)
        };
        let (mut ours, mut peers) = (Vec::new(), Vec::new());
        for run in 0..4 {
            let mut forebay = bench.forebay();
            (self.forebay)(&mut forebay, &input, &out, at);
            let cost = measured(&mut forebay)?;
            let peer = self
                .peer_command
                .map(|peer| measured(&mut peer(&input, &out)));
            let peer = peer.transpose()?;
            if run > 0 {
                ours.push(cost);
                peers.extend(peer);
            }
        }
        if input.is_dir() {
            std::fs::remove_dir_all(&input)?;
        } else {
            std::fs::remove_file(&input)?;
        }
        Ok(Point {
            at,
            forebay: measure::medians(&ours),
            peer: (!peers.is_empty()).then(|| measure::medians(&peers)),
        })
    }
}

//! One comparison: forebay and a program that others wrote do the same work on the same files, in turns.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::measure::{self, Cost, Ratio};

/// What a comparison needs to know about the machine and the run.
pub(crate) struct Bench {
    /// The command that is measured.
    pub(crate) forebay: PathBuf,
    /// The base URL of an emulator that runs beside.
    pub(crate) emulator: String,
    /// A folder for this comparison alone.
    pub(crate) folder: PathBuf,
    /// Sizes and numbers are divided by this, for a quick look.
    pub(crate) divide_by: u64,
}

impl Bench {
    /// The command with a cache and settings of its own.
    pub(crate) fn forebay(&self) -> Command {
        let mut forebay = Command::new(&self.forebay);
        forebay
            .current_dir(&self.folder)
            .env("XDG_CACHE_HOME", self.folder.with_file_name("cache"))
            .env("XDG_CONFIG_HOME", self.folder.with_file_name("config"))
            .env("HEYGEN_BASE_URL", &self.emulator)
            .env("HEYGEN_API_KEY", "benchmark");
        forebay
    }

    /// The number divided for a quick look, and at least 1.
    pub(crate) fn scaled(&self, number: u64) -> u64 {
        (number / self.divide_by).max(1)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Makes the program that does the work and writes into this folder, which exists and is empty.
pub(crate) type Contestant = Box<dyn Fn(&Path) -> Command>;

/// Compares what forebay and the peer wrote into their folders.
pub(crate) type Check = Box<dyn Fn(&Path, &Path) -> Result<()>>;

/// The work, made ready.
pub(crate) struct Work {
    /// How many bytes forebay reads in one run.
    pub(crate) bytes: u64,
    pub(crate) forebay: Contestant,
    pub(crate) peer: Contestant,
    pub(crate) check: Check,
}

/// At most so many times what the peer takes. `None`: there is no goal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Goal {
    pub(crate) cpu: Option<f64>,
    pub(crate) wall: Option<f64>,
    pub(crate) memory: Option<f64>,
}

/// A row of the table.
pub(crate) struct Contest {
    pub(crate) name: &'static str,
    /// What is done, in words for the page.
    pub(crate) what: &'static str,
    /// The peer's command line, in words for the page.
    pub(crate) peer: &'static str,
    /// Programs that must be installed, each with the Debian package that has it.
    pub(crate) needs: &'static [(&'static str, &'static str)],
    pub(crate) goal: Goal,
    pub(crate) prepare: fn(&Bench) -> Result<Work>,
}

/// How a comparison ended.
pub(crate) enum Outcome {
    /// These programs are not installed.
    Missing(Vec<(&'static str, &'static str)>),
    Compared(Figures),
}

/// Medians of all runs but the first, which fills the caches.
pub(crate) struct Figures {
    pub(crate) bytes: u64,
    pub(crate) forebay: Cost,
    pub(crate) peer: Cost,
    pub(crate) ratio: Ratio,
}

impl Contest {
    /// Runs both contestants so many times, in turns, and checks what they wrote each time.
    pub(crate) fn run(&self, bench: &Bench, runs: usize) -> Result<Outcome> {
        let missing = missing(self.needs);
        if !missing.is_empty() {
            return Ok(Outcome::Missing(missing));
        }
        let work = (self.prepare)(bench)?;
        let mut pairs = Vec::new();
        for number in 0..=runs {
            let ours = bench.path("forebay-out");
            let peers = bench.path("peer-out");
            let measured = |contestant: &Contestant, out: &Path| {
                std::fs::create_dir(out)?;
                measure::run(&mut contestant(out))
            };
            // Each goes first every other time.
            let pair = if number % 2 == 0 {
                let forebay = measured(&work.forebay, &ours)?;
                (forebay, measured(&work.peer, &peers)?)
            } else {
                let peer = measured(&work.peer, &peers)?;
                (measured(&work.forebay, &ours)?, peer)
            };
            (work.check)(&ours, &peers)
                .with_context(|| format!("{}: the output is wrong", self.name))?;
            std::fs::remove_dir_all(ours)?;
            std::fs::remove_dir_all(peers)?;
            if number > 0 {
                pairs.push(pair);
            }
        }
        Ok(Outcome::Compared(Figures {
            bytes: work.bytes,
            forebay: measure::medians(&pairs.iter().map(|pair| pair.0).collect::<Vec<_>>()),
            peer: measure::medians(&pairs.iter().map(|pair| pair.1).collect::<Vec<_>>()),
            ratio: Ratio::of(&pairs),
        }))
    }
}

/// Those of the programs that are in no folder of `PATH`.
pub(crate) fn missing(needs: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    let absent = needs.iter().filter(|(program, _)| !is_there(program));
    absent.copied().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn contest(check: fn(&Path, &Path) -> Result<()>) -> Result<Outcome> {
        // The check takes no environment, so the work is made here.
        let folder = tempfile::tempdir()?;
        let bench = Bench {
            forebay: PathBuf::from("true"),
            emulator: String::new(),
            folder: folder.path().to_owned(),
            divide_by: 1,
        };
        let mut contest = Contest {
            name: "test",
            what: "",
            peer: "",
            needs: &[("sh", "dash")],
            goal: Goal::default(),
            prepare: |_| {
                let writes = |text: &'static str| -> Contestant {
                    Box::new(move |out| {
                        let mut sh = Command::new("sh");
                        sh.args(["-c", &format!("echo {text} > out")])
                            .current_dir(out);
                        sh
                    })
                };
                Ok(Work {
                    bytes: 1,
                    forebay: writes("ours"),
                    peer: writes("theirs"),
                    check: Box::new(|_, _| Ok(())),
                })
            },
        };
        if check(Path::new(""), Path::new("")).is_err() {
            contest.prepare = |_| {
                Ok(Work {
                    bytes: 1,
                    forebay: Box::new(|_| Command::new("true")),
                    peer: Box::new(|_| Command::new("true")),
                    check: Box::new(|_, _| anyhow::bail!("another picture")),
                })
            };
        }
        contest.run(&bench, 2)
    }

    #[test]
    fn wrong_output_ends_a_comparison() {
        assert!(
            matches!(contest(|_, _| Ok(())).unwrap(), Outcome::Compared(figures) if figures.bytes == 1)
        );
        let error = contest(|_, _| anyhow::bail!("")).err().unwrap();
        assert_eq!(
            format!("{error:#}"),
            "test: the output is wrong: another picture"
        );
    }

    #[test]
    fn a_program_that_is_not_installed_is_named() {
        assert_eq!(missing(&[("sh", "dash")]), []);
        assert_eq!(
            missing(&[("no-such-program", "package")]),
            [("no-such-program", "package")]
        );
    }
}

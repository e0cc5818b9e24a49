//! The comparisons, with the goals of the project.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::contest::{Bench, Contest, Contestant, Goal, Work};
use crate::inputs;

const MIB: u64 = 1 << 20;

pub(crate) const CONTESTS: &[Contest] = &[
    Contest {
        name: "large-file",
        what: "2 GiB through `identity` into a folder, with SHA-256",
        peer: "`cp`",
        needs: &[("cp", "coreutils")],
        goal: goal(2.2, 1.2),
        prepare: |bench| {
            let input = bench.path("large.bin");
            let size = bench.scaled(2048 * MIB);
            inputs::bytes(&input, size)?;
            into_folder(bench, &["identity"], "large.bin", size)
        },
    },
    Contest {
        name: "small-files",
        what: "2,000 files of 4 KB through `identity` into a folder",
        peer: "`cp -r`",
        needs: &[("cp", "coreutils")],
        goal: goal(4.0, 2.0),
        prepare: |bench| {
            let files = bench.scaled(2000);
            inputs::folder(&bench.path("small"), files as usize, 4096)?;
            into_folder(bench, &["identity"], "small", files * 4096)
        },
    },
    Contest {
        name: "upload",
        what: "`forebay upload` of 512 MiB: create, PUT, complete",
        peer: "`curl`, the three steps",
        needs: &[("curl", "curl"), ("sed", "sed")],
        goal: goal(1.2, 0.9),
        prepare: |bench| upload(bench, &["upload", "-q", "large.wav"]),
    },
    Contest {
        name: "upload-stage",
        what: "512 MiB through `identity` to a direct upload",
        peer: "`curl`, the three steps",
        needs: &[("curl", "curl"), ("sed", "sed")],
        goal: goal(1.3, 1.0),
        prepare: |bench| upload(bench, &["run", "-q", "-s", "identity", "-u", "large.wav"]),
    },
    Contest {
        name: "journal",
        what: "2,000 uploads of 4 KB with `--journal`, 32 side by side",
        peer: "the same without a journal",
        needs: &[],
        goal: Goal {
            cpu: None,
            wall: Some(1.1),
            memory: None,
        },
        prepare: journal,
    },
    Contest {
        name: "start",
        what: "`forebay run -s identity` over 3 bytes",
        peer: "`forebay --version`",
        needs: &[],
        goal: NONE,
        prepare: |bench| {
            std::fs::write(bench.path("three"), "abc")?;
            let version = bench.forebay();
            let version = version.get_program().to_owned();
            let mut work = into_folder(bench, &["identity"], "three", 3)?;
            work.peer = Box::new(move |_| {
                let mut peer = Command::new(&version);
                peer.arg("--version");
                peer
            });
            work.check = Box::new(|ours, _| {
                ensure!(std::fs::read(ours.join("three"))? == b"abc", "other bytes");
                Ok(())
            });
            Ok(work)
        },
    },
    Contest {
        name: "photo-jpeg",
        what: "12-megapixel JPEG to 1024 wide",
        peer: "`vipsthumbnail`",
        needs: PICTURES,
        goal: PHOTO,
        prepare: |bench| picture(bench, "photo.jpg", (4000, 3000), &["-quality", "90"]),
    },
    Contest {
        name: "photo-progressive",
        what: "12-megapixel progressive JPEG to 1024 wide",
        peer: "`vipsthumbnail`",
        needs: PICTURES,
        goal: goal(1.2, 1.2),
        prepare: |bench| {
            let options = ["-quality", "90", "-interlace", "JPEG"];
            picture(bench, "photo.jpg", (4000, 3000), &options)
        },
    },
    Contest {
        name: "png",
        what: "24-megapixel PNG to 1024 wide",
        peer: "`vipsthumbnail`",
        needs: PICTURES,
        goal: goal(1.2, 1.2),
        prepare: |bench| picture(bench, "photo.png", (6000, 4000), &["-depth", "8"]),
    },
    Contest {
        name: "webp",
        what: "12-megapixel WebP to 1024 wide",
        peer: "`vipsthumbnail`",
        needs: PICTURES,
        goal: goal(1.2, 1.2),
        prepare: |bench| picture(bench, "photo.webp", (4000, 3000), &["-quality", "85"]),
    },
    Contest {
        name: "pdf",
        what: "PDF of 1,000 pages, a page a file",
        peer: "`qpdf --split-pages`",
        needs: &[("qpdf", "qpdf")],
        goal: goal(0.9, 0.6),
        prepare: |bench| pdf(bench, bench.scaled(1000) as usize),
    },
    Contest {
        name: "pdf-large",
        what: "PDF of 10,000 pages, a page a file",
        peer: "`qpdf --split-pages`",
        needs: &[("qpdf", "qpdf")],
        goal: goal(0.9, 0.6),
        prepare: |bench| pdf(bench, bench.scaled(10_000) as usize),
    },
    Contest {
        name: "strip-jpeg",
        what: "`strip-metadata` on a JPEG of about 20 MB",
        peer: "`exiftool -all=`",
        needs: &[
            ("exiftool", "libimage-exiftool-perl"),
            ("convert", "imagemagick"),
            ("djpeg", "libjpeg-turbo-progs"),
        ],
        goal: NONE,
        prepare: strip,
    },
];

const PICTURES: &[(&str, &str)] = &[
    ("vipsthumbnail", "libvips-tools"),
    ("convert", "imagemagick"),
    ("ffmpeg", "ffmpeg"),
];

const NONE: Goal = Goal {
    cpu: None,
    wall: None,
    memory: None,
};

const PHOTO: Goal = Goal {
    cpu: Some(1.0),
    wall: Some(1.0),
    memory: Some(0.8),
};

const fn goal(cpu: f64, wall: f64) -> Goal {
    Goal {
        cpu: Some(cpu),
        wall: Some(wall),
        memory: None,
    }
}

/// Files through stages into a folder, beside `cp -r`.
fn into_folder(bench: &Bench, stages: &[&str], input: &str, bytes: u64) -> Result<Work> {
    let args: Vec<String> = stages
        .iter()
        .flat_map(|stage| ["-s".into(), (*stage).to_owned()])
        .collect();
    let from = bench.path(input);
    Ok(Work {
        bytes,
        forebay: ours(bench, move |forebay, out| {
            forebay
                .args(["run", "-q"])
                .args(&args)
                .arg("-o")
                .arg(out)
                .arg(&from);
        }),
        peer: {
            let from = bench.path(input);
            Box::new(move |out| {
                let mut cp = Command::new("cp");
                cp.arg("-r").arg(&from).arg(out);
                cp
            })
        },
        check: Box::new(same_files),
    })
}

/// A WAV of 512 MiB to the emulator, beside curl.
fn upload(bench: &Bench, args: &'static [&'static str]) -> Result<Work> {
    let size = bench.scaled(512 * MIB).max(40 * MIB);
    let name = bench.path("large.wav");
    inputs::wav(&name, size)?;
    let digest = digest(&name)?;
    let emulator = bench.emulator.clone();
    let script = format!(
        r#"set -e
        api='{emulator}/v3/assets'
        slot=$(curl -sSf -H 'x-api-key: benchmark' -H 'content-type: application/json' "$api/direct-uploads" \
            -d '{{"filename":"large.wav","content_type":"audio/wav","size_bytes":{size}}}')
        id=$(printf '%s' "$slot" | sed -E 's/.*"asset_id":"([^"]*)".*/\1/')
        url=$(printf '%s' "$slot" | sed -E 's/.*"upload_url":"([^"]*)".*/\1/')
        type=$(printf '%s' "$slot" | sed -E 's/.*"[Cc]ontent-[Tt]ype":"([^"]*)".*/\1/')
        curl -sSf -T large.wav -H "content-type: $type" -H 'expect:' "$url"
        curl -sSf -H 'x-api-key: benchmark' -H 'content-type: application/json' "$api/$id/complete" -d '{{}}'"#
    );
    let folder = bench.folder.clone();
    let listed = Lister::new(bench);
    Ok(Work {
        bytes: size,
        forebay: ours(bench, move |forebay, _| {
            forebay.args(args);
        }),
        peer: Box::new(move |_| {
            let mut sh = Command::new("sh");
            sh.args(["-c", &script]).current_dir(&folder);
            sh
        }),
        check: Box::new(move |_, _| {
            let ids = listed.all(2)?;
            for id in &ids {
                let copy = listed.download(id)?;
                ensure!(self::digest(&copy)? == digest, "asset {id} has other bytes");
            }
            listed.delete(&ids)?;
            Ok(())
        }),
    })
}

/// Small uploads with a journal, beside those without one.
fn journal(bench: &Bench) -> Result<Work> {
    let files = bench.scaled(2000) as usize;
    let folder = bench.path("small");
    std::fs::create_dir(&folder)?;
    for number in 0..files {
        inputs::wav(
            &folder.join(format!("{number:06}.wav")),
            4096 + number as u64,
        )?;
    }
    let listed = Lister::new(bench);
    let args = ["upload", "-q", "-j", "32"];
    Ok(Work {
        bytes: files as u64 * 4096,
        forebay: {
            let folder = folder.clone();
            ours(bench, move |forebay, out| {
                forebay
                    .args(args)
                    .arg("--journal")
                    .arg(out.join("journal"))
                    .arg(&folder);
            })
        },
        peer: ours(bench, move |forebay, _| {
            forebay.args(args).arg(&folder);
        }),
        check: Box::new(move |_, _| {
            let ids = listed.all(2 * files)?;
            listed.delete(&ids)?;
            Ok(())
        }),
    })
}

/// A picture made smaller, beside vipsthumbnail.
fn picture(
    bench: &Bench,
    name: &'static str,
    (width, height): (u32, u32),
    options: &[&str],
) -> Result<Work> {
    // Not smaller for a quick look: noise that is not averaged would decide about SSIM.
    let input = inputs::photo(&bench.path(name), width, height, options)?;
    let bytes = std::fs::metadata(&input)?.len();
    let from = input.clone();
    let reference = bench.path("reference.png");
    let mut convert = Command::new("convert");
    convert
        .arg(&input)
        .args(["-filter", "Lanczos", "-resize", "1024x1024"])
        .arg(&reference);
    ensure!(
        convert.status()?.success(),
        "ImageMagick cannot resize {name}"
    );
    Ok(Work {
        bytes,
        forebay: ours(bench, move |forebay, out| {
            let stage = "image-resize:max_width=1024,max_height=1024,format=jpeg,quality=90";
            forebay
                .args(["run", "-q", "-s", stage, "-o"])
                .arg(out)
                .arg(&from);
        }),
        peer: Box::new(move |out| {
            let mut vips = Command::new("vipsthumbnail");
            let mut to = out.join("peer.jpg").into_os_string();
            to.push("[Q=90]");
            vips.args(["--size", "1024x1024", "-o"]).arg(to).arg(&input);
            vips
        }),
        check: Box::new(move |ours, peers| {
            alike(&reference, ours, 0.98)?;
            // libvips scales a WebP while it decodes it, which is faster and less exact.
            alike(&reference, peers, 0.95).context("vipsthumbnail")
        }),
    })
}

/// A document split into its pages, beside qpdf.
fn pdf(bench: &Bench, pages: usize) -> Result<Work> {
    let input = bench.path("pages.pdf");
    inputs::pdf(&input, pages)?;
    let bytes = std::fs::metadata(&input)?.len();
    let from = input.clone();
    Ok(Work {
        bytes,
        forebay: ours(bench, move |forebay, out| {
            forebay
                .args(["run", "-q", "-s", "pdf-split", "-o"])
                .arg(out)
                .arg(&from);
        }),
        peer: Box::new(move |out| {
            let mut qpdf = Command::new("qpdf");
            qpdf.arg("--split-pages")
                .arg(&input)
                .arg(out.join("page.pdf"));
            qpdf
        }),
        check: Box::new(move |ours, peers| {
            let parts = files(ours)?;
            ensure!(
                parts.len() == pages,
                "{} parts of {pages} pages",
                parts.len()
            );
            ensure!(files(peers)?.len() == pages, "qpdf wrote other parts");
            // All would take longer than the work itself.
            for part in parts.iter().step_by((pages / 20).max(1)) {
                let status = Command::new("qpdf").arg("--check").arg(part).output()?;
                ensure!(status.status.success(), "qpdf --check {}", part.display());
            }
            Ok(())
        }),
    })
}

/// A JPEG without its metadata, beside exiftool.
fn strip(bench: &Bench) -> Result<Work> {
    let side = (6000.0 / (bench.divide_by as f64).sqrt()) as u32;
    let options = ["-quality", "98", "-set", "comment", "SECRET"];
    let input = inputs::photo(&bench.path("photo.jpg"), side, side * 3 / 4, &options)?;
    let bytes = std::fs::metadata(&input)?.len();
    let from = input.clone();
    let pixels = pixels(&input)?;
    Ok(Work {
        bytes,
        forebay: ours(bench, move |forebay, out| {
            forebay
                .args(["run", "-q", "-s", "strip-metadata", "-o"])
                .arg(out)
                .arg(&from);
        }),
        peer: Box::new(move |out| {
            let mut exiftool = Command::new("exiftool");
            exiftool
                .args(["-q", "-all=", "-o"])
                .arg(out.join("photo.jpg"))
                .arg(&input);
            exiftool
        }),
        check: Box::new(move |ours, _| {
            let written = ours.join("photo.jpg");
            ensure!(self::pixels(&written)? == pixels, "other pixels");
            let found = Command::new("grep")
                .args(["-qa", "SECRET"])
                .arg(&written)
                .status()?;
            ensure!(found.code() == Some(1), "the comment is still there");
            Ok(())
        }),
    })
}

/// The command as a contestant: `add` gives it its arguments.
fn ours(bench: &Bench, add: impl Fn(&mut Command, &Path) + 'static) -> Contestant {
    let bench = Bench {
        forebay: bench.forebay.clone(),
        emulator: bench.emulator.clone(),
        folder: bench.folder.clone(),
        divide_by: bench.divide_by,
    };
    Box::new(move |out| {
        let mut forebay = bench.forebay();
        add(&mut forebay, out);
        forebay
    })
}

/// The assets that the emulator holds.
struct Lister {
    bench: Contestant,
    folder: std::path::PathBuf,
}

impl Lister {
    fn new(bench: &Bench) -> Self {
        Self {
            bench: ours(bench, |_, _| {}),
            folder: bench.folder.clone(),
        }
    }

    fn assets(&self, args: &[&str]) -> Result<String> {
        let mut forebay = (self.bench)(&self.folder);
        let output = forebay.arg("assets").args(args).output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "assets {args:?}: {errors}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The ids of all assets, which must be so many.
    fn all(&self, number: usize) -> Result<Vec<String>> {
        let all = self.assets(&["list", "--all"])?;
        let ids = all
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        let ids: Vec<_> = ids.map(ToOwned::to_owned).collect();
        ensure!(
            ids.len() == number,
            "{} assets in place of {number}",
            ids.len()
        );
        Ok(ids)
    }

    /// Downloads an asset into an empty folder, which then holds one file.
    fn download(&self, id: &str) -> Result<std::path::PathBuf> {
        let to = self.folder.join("downloaded");
        std::fs::create_dir_all(&to)?;
        let shown = to.to_str().context("the folder's name is no text")?;
        self.assets(&["get", id, "--download", "--force", "--out", shown])?;
        files(&to)?.pop().context("nothing was downloaded")
    }

    fn delete(&self, ids: &[String]) -> Result<()> {
        for some in ids.chunks(500) {
            let ids = some.iter().map(String::as_str);
            self.assets(&["delete"].into_iter().chain(ids).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

/// The files of a folder and of the folders in it, in order.
pub(crate) fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn digest(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut file = std::io::BufReader::with_capacity(1 << 20, std::fs::File::open(path)?);
    loop {
        let piece = std::io::BufRead::fill_buf(&mut file)?;
        if piece.is_empty() {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(piece);
        let length = piece.len();
        std::io::BufRead::consume(&mut file, length);
    }
}

/// Both folders hold files with the same names and bytes.
fn same_files(ours: &Path, peers: &Path) -> Result<()> {
    let named = |folder: &Path| -> Result<Vec<_>> {
        let files = files(folder)?.into_iter();
        let mut named: Vec<_> = files
            .map(|file| (file.file_name().map(ToOwned::to_owned), file))
            .collect();
        named.sort();
        Ok(named)
    };
    let (ours, peers) = (named(ours)?, named(peers)?);
    ensure!(
        ours.len() == peers.len(),
        "{} files in place of {}",
        ours.len(),
        peers.len()
    );
    for ((name, file), (expected, original)) in ours.iter().zip(&peers) {
        ensure!(
            name == expected,
            "a file is missing: {}",
            original.display()
        );
        ensure!(
            digest(file)? == digest(original)?,
            "{} has other bytes",
            file.display()
        );
    }
    Ok(())
}

/// The only picture of a folder is of the reference's size and like it, by SSIM.
fn alike(reference: &Path, folder: &Path, least: f64) -> Result<()> {
    let files = files(folder)?;
    let [picture] = &files[..] else {
        bail!("{} files in place of one", files.len());
    };
    let compared = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-i"])
        .arg(picture)
        .arg("-i")
        .arg(reference)
        .args(["-lavfi", "ssim", "-f", "null", "-"])
        .output()?;
    let said = String::from_utf8_lossy(&compared.stderr);
    let all = said
        .rsplit_once(" All:")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    let all: f64 = all
        .and_then(|all| all.parse().ok())
        .with_context(|| format!("ffmpeg: {said}"))?;
    ensure!(all >= least, "SSIM is {all}, and not {least} or more");
    Ok(())
}

/// The digest of the decoded picture, by libjpeg-turbo.
fn pixels(path: &Path) -> Result<String> {
    let decoded = tempfile::NamedTempFile::new()?;
    let status = Command::new("djpeg")
        .arg("-outfile")
        .arg(decoded.path())
        .arg(path)
        .status()?;
    ensure!(status.success(), "djpeg {}", path.display());
    digest(decoded.path())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_missing_or_changed_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, peers) = (folder.path().join("ours"), folder.path().join("peers"));
        for folder in [&ours, &peers] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("a"), "1").unwrap();
        }
        let check = same_files;
        check(&ours, &peers).unwrap();
        std::fs::write(peers.join("b"), "2").unwrap();
        check(&ours, &peers).unwrap_err();
        std::fs::write(ours.join("b"), "3").unwrap();
        check(&ours, &peers).unwrap_err();
        std::fs::write(ours.join("b"), "2").unwrap();
        check(&ours, &peers).unwrap();
    }
}

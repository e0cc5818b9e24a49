//! Makes the files that the contestants work on. The same call makes the same bytes on every machine, except for pictures,
//! which ImageMagick makes.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// A WAV file of this many bytes in all: 16 bits, stereo, noise.
pub(crate) fn wav(path: &Path, size: u64) -> Result<()> {
    bytes(path, size)?;
    let data = u32::try_from(size)?.saturating_sub(44);
    let mut head = Vec::with_capacity(44);
    head.extend_from_slice(b"RIFF");
    head.extend_from_slice(&(data + 36).to_le_bytes());
    head.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    head.extend_from_slice(&44_100_u32.to_le_bytes());
    head.extend_from_slice(&(44_100_u32 * 4).to_le_bytes());
    head.extend_from_slice(b"\x04\0\x10\0data");
    head.extend_from_slice(&data.to_le_bytes());
    let mut file = File::options().write(true).open(path)?;
    file.write_all(&head)?;
    Ok(())
}

/// A file of this many bytes that no program takes for a picture, a video or text. Its bytes do not repeat within 1 MiB.
pub(crate) fn bytes(path: &Path, size: u64) -> Result<()> {
    let mut block = Vec::with_capacity(1 << 20);
    // The generator of Marsaglia, "Xorshift RNGs" (2003), 64 bits.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    while block.len() < 1 << 20 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        block.extend_from_slice(&state.to_le_bytes());
    }
    let mut file = BufWriter::new(File::create(path)?);
    let mut left = size;
    while left > 0 {
        let piece = block.get(..left.min(1 << 20) as usize).unwrap_or_default();
        file.write_all(piece)?;
        left -= piece.len() as u64;
    }
    file.flush()?;
    Ok(())
}

/// A folder of so many files of this size, each with other bytes.
pub(crate) fn folder(path: &Path, files: usize, size: usize) -> Result<()> {
    std::fs::create_dir(path)?;
    let mut content = vec![0xA5; size];
    for number in 0..files {
        let id = (number as u64).to_le_bytes();
        for (byte, of) in content.iter_mut().zip(id) {
            *byte = of;
        }
        std::fs::write(path.join(format!("{number:06}.bin")), &content)?;
    }
    Ok(())
}

/// A PDF of so many pages with a paragraph each, which share a font.
pub(crate) fn pdf(path: &Path, pages: usize) -> Result<()> {
    let mut file = String::from("%PDF-1.7\n");
    let mut places = Vec::new();
    let mut object = |file: &mut String, text: &str| {
        places.push(file.len());
        let _ = write!(file, "{} 0 obj\n{text}\nendobj\n", places.len());
    };
    let mut kids = String::new();
    for page in 0..pages {
        let _ = write!(kids, "{} 0 R ", 4 + 2 * page);
    }
    object(&mut file, "<</Type/Catalog/Pages 2 0 R>>");
    object(
        &mut file,
        &format!("<</Type/Pages/Count {pages}/Kids[{kids}]/MediaBox[0 0 595 842]>>"),
    );
    object(&mut file, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>");
    for page in 0..pages {
        let content = 5 + 2 * page;
        object(
            &mut file,
            &format!(
                "<</Type/Page/Parent 2 0 R/Resources<</Font<</F1 3 0 R>>>>/Contents {content} 0 R>>"
            ),
        );
        let mut text = String::from("BT /F1 11 Tf 60 780 Td 14 TL\n");
        for line in 0..12 {
            let _ = writeln!(text, "(Page {page}, line {line}: of no importance) Tj T*");
        }
        text.push_str("ET");
        object(
            &mut file,
            &format!("<</Length {}>>\nstream\n{text}\nendstream", text.len()),
        );
    }
    let start = file.len();
    let _ = write!(file, "xref\n0 {}\n0000000000 65535 f \n", places.len() + 1);
    for place in &places {
        let _ = writeln!(file, "{place:010} 00000 n ");
    }
    let _ = write!(
        file,
        "trailer\n<</Size {}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n",
        places.len() + 1
    );
    std::fs::write(path, file)?;
    Ok(())
}

/// A picture with large shapes, fine detail and some noise, as a photo has. The name tells the format.
pub(crate) fn photo(path: &Path, width: u32, height: u32, options: &[&str]) -> Result<PathBuf> {
    let mut convert = Command::new("convert");
    convert
        .args(["-seed", "7", "-size", &format!("{width}x{height}")])
        .args(["plasma:fractal", "-blur", "0x4"])
        .args(["-attenuate", "0.2", "+noise", "Gaussian"])
        .args(options)
        .arg(path);
    let status = convert
        .status()
        .context("pictures are made by ImageMagick (`convert`), which is not installed")?;
    ensure!(
        status.success(),
        "ImageMagick cannot make {}",
        path.display()
    );
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn files_have_their_size_and_differ() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        bytes(&path, (1 << 20) + 5).unwrap();
        let content = std::fs::read(&path).unwrap();
        assert_eq!(content.len(), (1 << 20) + 5);
        assert_eq!(content.get(..5), content.get(1 << 20..));
        let files = folder.path().join("files");
        super::folder(&files, 3, 100).unwrap();
        let read = |name| std::fs::read(files.join(name)).unwrap();
        assert_eq!(read("000001.bin").len(), 100);
        assert_ne!(read("000001.bin"), read("000002.bin"));
    }

    #[test]
    fn offsets_in_the_pdf_are_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pdf");
        pdf(&path, 3).unwrap();
        let file = std::fs::read_to_string(&path).unwrap();
        let table = file.split("0000000000 65535 f \n").nth(1).unwrap();
        let entries: Vec<_> = table
            .lines()
            .take_while(|line| line.ends_with("n "))
            .collect();
        assert_eq!(entries.len(), 9);
        for (at, entry) in entries.iter().enumerate() {
            let place: usize = entry.get(..10).unwrap().parse().unwrap();
            assert!(
                file.get(place..)
                    .unwrap()
                    .starts_with(&format!("{} 0 obj", at + 1))
            );
        }
    }
}

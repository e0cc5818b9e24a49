//! Strips files natively, for checks over a folder of pictures: `strip FOLDER FILE…` writes each to `FOLDER/NUMBER`, and
//! prints a line with its number, `ok` or `refused`, the reason, and its name.

use strip_metadata::{Config, Stripper};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| ".".into());
    for (number, path) in arguments.enumerate() {
        let (mut stripper, mut output) = (Stripper::new(Config::default()), Vec::new());
        let file = std::fs::read(&path)?;
        let result = file
            .chunks(256 << 10)
            .try_for_each(|piece| stripper.push(piece, &mut output))
            .and_then(|()| stripper.finish());
        match result {
            Ok(()) => {
                std::fs::write(format!("{folder}/{number}"), output)?;
                println!("{number}\tok\t\t{path}");
            }
            Err(error) => println!("{number}\trefused\t{error}\t{path}"),
        }
    }
    Ok(())
}

//! Writes that the plugin begins and does not wait for.

use forebay_plugin::{Error, OutputFile};

use crate::{descriptor, output, told};

pub(crate) fn leave(
    count: u32,
    bytes: usize,
    offset: u64,
    close: bool,
) -> Result<Vec<OutputFile>, Error> {
    let out = descriptor::out()?;
    let mut streams = Vec::new();
    for at in 0..count {
        let file = descriptor::create(&out, &at.to_string()).map_err(told)?;
        let stream = file.write_via_stream(offset).map_err(told)?;
        stream.check_write().map_err(told)?;
        streams.push(stream);
    }
    let piece = vec![b'x'; bytes];
    for stream in &streams {
        stream.write(&piece).map_err(told)?;
    }
    if !close {
        streams.into_iter().for_each(std::mem::forget);
    }
    Ok((0..count).map(|at| output(&at.to_string())).collect())
}

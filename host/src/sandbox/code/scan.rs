//! What can be seen of a component before it is compiled: what it imports and exports, and how large its parts are.

use wasmparser::{Parser, Payload};

use super::instances::Instances;
use crate::sandbox::engine::MOST_INSTANCES;
use crate::sandbox::plugin::LoadError;

/// Bytes of the code of one function. To compile one takes time and memory beyond proportion: 4 GB for 2 MB. The largest
/// function of CPython, its interpreter's loop, has 427 kB.
const MAX_FUNCTION: u64 = 512 << 10;

/// Bytes of a name that an error quotes.
const MAX_NAME: usize = 1000;

/// What a component imports and exports, by name, and how many instances of components it makes of itself.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    pub(crate) instances: u32,
}

impl Scan {
    /// Reads a component from end to end. It is not checked any further: the compiler does that.
    ///
    /// # Errors
    /// When it cannot be read, one of its functions is too large, or it makes too many instances.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, LoadError> {
        if !Parser::is_component(bytes) {
            return Err(LoadError::NotAComponent(
                "it does not begin as a component does".into(),
            ));
        }
        let mut scan = Self::default();
        let (mut depth, mut instances) = (0_u32, Instances::default());
        for part in Parser::new(0).parse_all(bytes) {
            scan.part(part, &mut depth, &mut instances)
                .map_err(|problem| match problem {
                    Problem::Syntax(error) => LoadError::NotAComponent(forebay_core::text::tidy(
                        error.message(),
                        MAX_NAME,
                    )),
                    Problem::Function(bytes) => LoadError::FunctionTooLarge {
                        bytes,
                        most: MAX_FUNCTION,
                    },
                })?;
        }
        scan.instances = instances.all();
        if scan.instances > MOST_INSTANCES {
            return Err(LoadError::TooManyInstances(MOST_INSTANCES));
        }
        Ok(scan)
    }

    /// Takes one part. `depth` counts the components and modules that are open.
    fn part(
        &mut self,
        part: wasmparser::Result<Payload<'_>>,
        depth: &mut u32,
        instances: &mut Instances,
    ) -> Result<(), Problem> {
        let part = part?;
        instances.part(&part)?;
        match part {
            Payload::Version { .. } => *depth += 1,
            Payload::End(_) => *depth = depth.saturating_sub(1),
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let bytes = range.end.saturating_sub(range.start) as u64;
                if bytes > MAX_FUNCTION {
                    return Err(Problem::Function(bytes));
                }
            }
            Payload::ComponentImportSection(imports) if *depth == 1 => {
                for import in imports {
                    self.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(exports) if *depth == 1 => {
                for export in exports {
                    self.exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }
}

enum Problem {
    Syntax(wasmparser::BinaryReaderError),
    Function(u64),
}

impl From<wasmparser::BinaryReaderError> for Problem {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Syntax(error)
    }
}

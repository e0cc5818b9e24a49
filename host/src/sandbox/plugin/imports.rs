//! What a plugin imports: what that lets it do, and which grant it needs for it.

use super::error::LoadError;
use crate::sandbox::grants::Grants;
use crate::sandbox::world::World;

/// Interfaces whose names begin alike.
struct Family {
    prefix: &'static str,
    /// What it lets a plugin do.
    words: &'static str,
}

/// What is there for every plugin, or for every workflow, and gives nothing away by itself. Toolchains import the WASI part
/// of it whether or not it is used.
const ALWAYS: [Family; 9] = [
    Family {
        prefix: "forebay:plugin/types",
        words: "shares forebay's words for files and errors",
    },
    Family {
        prefix: "forebay:plugin/outputs",
        words: "gives files back, for forebay to pass on",
    },
    Family {
        prefix: "forebay:plugin/files",
        words: "reads the files that it is given, by handle",
    },
    Family {
        prefix: "forebay:plugin/transforms",
        words: "runs the stages that it is lent",
    },
    Family {
        prefix: "wasi:cli/",
        words: "starts up: no arguments, the environment that you grant, messages go into the log",
    },
    Family {
        prefix: "wasi:clocks/",
        words: "reads the time, or the one that you grant",
    },
    FILES,
    Family {
        prefix: "wasi:io/",
        words: "moves bytes for the others here; reaches nothing by itself",
    },
    Family {
        prefix: "wasi:random/",
        words: "draws random numbers, or those that you grant",
    },
];

/// What a file plugin imports reads otherwise: see [`in_words`].
const FILES: Family = Family {
    prefix: "wasi:filesystem/",
    words: "reads and writes files in folders that you grant; without a grant there are none",
};

const FILES_OF_ITS_OWN: &str = "reads the file that it is given, writes into a folder that is empty, and reaches no other \
                                but those that you grant";

/// What must be granted: any one of the grants that are named.
const GRANTED: [(Family, &[&str]); 2] = [
    (
        Family {
            prefix: "forebay:plugin/uploads",
            words: "uploads files, as far as you grant it; never sees the API key or a presigned URL",
        },
        &["upload", "direct_upload"],
    ),
    (
        Family {
            prefix: "forebay:plugin/file-inputs",
            words: "names files for requests to the service, if you grant it",
        },
        &["file_inputs"],
    ),
];

/// What no grant gives, as far as it is known by name.
const NEVER: [Family; 6] = [
    Family {
        prefix: "wasi:sockets/",
        words: "the network",
    },
    Family {
        prefix: "wasi:http/",
        words: "the network",
    },
    Family {
        prefix: "wasi:tls/",
        words: "the network",
    },
    Family {
        prefix: "wasi:keyvalue/",
        words: "a database",
    },
    Family {
        prefix: "wasi:blobstore/",
        words: "a file store",
    },
    Family {
        prefix: "wasi_snapshot_preview1",
        words: "an older kind of WASI, which has to be adapted when the component is made",
    },
];

impl Family {
    fn holds(&self, import: &str) -> bool {
        import.starts_with(self.prefix)
    }
}

fn known() -> impl Iterator<Item = &'static Family> {
    const fn family(granted: &'static (Family, &'static [&'static str])) -> &'static Family {
        &granted.0
    }
    ALWAYS.iter().chain(GRANTED.iter().map(family))
}

/// What imports let a plugin do, each with those that it stands for.
pub(super) fn in_words(imports: &[String], world: World) -> Vec<(&'static str, Vec<&str>)> {
    let mut meanings = Vec::new();
    for family in known() {
        let names: Vec<&str> = imports
            .iter()
            .map(String::as_str)
            .filter(|import| family.holds(import))
            .collect();
        let words = if world == World::File && family.prefix == FILES.prefix {
            FILES_OF_ITS_OWN
        } else {
            family.words
        };
        if !names.is_empty() {
            meanings.push((words, names));
        }
    }
    meanings
}

/// Refuses what no grant gives.
pub(super) fn refuse(imports: &[String]) -> Result<(), LoadError> {
    let mut refused: Vec<(&str, Vec<&str>)> = Vec::new();
    for import in imports {
        if known().any(|family| family.holds(import)) {
            continue;
        }
        let words = NEVER
            .iter()
            .find(|family| family.holds(import))
            .map_or("something that it does not know", |family| family.words);
        match refused.iter_mut().find(|(known, _)| *known == words) {
            Some((_, names)) => names.push(import),
            None => refused.push((words, vec![import])),
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    let refused = refused
        .into_iter()
        .map(|(words, names)| format!("{words} ({})", names.join(", ")));
    Err(LoadError::Imports(refused.collect()))
}

/// What is imported beyond the grants, with the grants that would give it.
pub(super) fn not_granted(imports: &[String], grants: &Grants) -> Option<String> {
    let has = |name: &str| match name {
        "upload" => grants.upload,
        "direct_upload" => grants.direct_upload,
        "file_inputs" => grants.file_inputs,
        _ => false,
    };
    let missing: Vec<String> = GRANTED
        .iter()
        .filter(|(_, needs)| !needs.iter().any(|name| has(name)))
        .filter_map(|(family, needs)| {
            let import = imports.iter().find(|import| family.holds(import))?;
            Some(format!(
                "{import}, which needs the grant `{}`",
                needs.join("` or `")
            ))
        })
        .collect();
    (!missing.is_empty()).then(|| format!("imports {}", missing.join(", and ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn imports(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn what_no_grant_gives_is_refused_in_words() {
        let asked = imports(&[
            "wasi:io/streams@0.2.6",
            "wasi:sockets/tcp@0.2.6",
            "wasi:http/outgoing-handler@0.2.6",
            "acme:secrets/vault@1.0.0",
        ]);
        assert_eq!(
            refuse(&asked).unwrap_err().to_string(),
            "asks for the network (wasi:sockets/tcp@0.2.6, wasi:http/outgoing-handler@0.2.6) and something that it does not \
             know (acme:secrets/vault@1.0.0), which forebay never grants; what a plugin imports without using it can be \
             left out when it is built (Python: `componentize-py --stub-wasi`; Rust: no `std::net`)"
        );
        assert!(refuse(&imports(&["wasi:cli/environment@0.2.6"])).is_ok());
    }

    #[test]
    fn a_missing_grant_is_named() {
        let asked = imports(&[
            "forebay:plugin/uploads@0.1.0",
            "forebay:plugin/file-inputs@0.1.0",
        ]);
        assert_eq!(
            not_granted(&asked, &Grants::none().upload()).unwrap(),
            "imports forebay:plugin/file-inputs@0.1.0, which needs the grant `file_inputs`"
        );
        assert_eq!(not_granted(&asked, &Grants::all()), None);
    }
}

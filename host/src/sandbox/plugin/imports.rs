//! What a plugin imports: what that lets it do, and which grant it needs for it.

use forebay_core::text;

use super::error::LoadError;
use super::link::Reach;
use crate::sandbox::world::World;

/// Characters of the names that a message lists. The component chose them.
const MAX_NAMES: usize = 1000;

/// Interfaces whose names begin alike.
struct Family {
    /// How the names begin. A `*` stands for the name of the interface, before its version.
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
    prefix: "wasi:filesystem/*@0.2",
    words: "reads and writes files in folders that you grant; without a grant there are none",
};

const FILES_OF_ITS_OWN: &str = "reads the file that it is given, writes into a folder that is empty, and reaches no other \
                                but those that you grant";

/// What is linked only where it is granted.
struct Grantable {
    family: Family,
    /// Any one of these grants gives it.
    grants: &'static [&'static str],
    /// What of a reach it is.
    of: fn(&mut Reach) -> &mut bool,
}

const GRANTABLE: [Grantable; 3] = [
    Grantable {
        family: FOLDERS,
        grants: &["read", "write"],
        of: |reach| &mut reach.folders,
    },
    Grantable {
        family: Family {
            prefix: "forebay:plugin/uploads",
            words: "uploads files, as far as you grant it; never sees the API key or a presigned URL",
        },
        grants: &["upload", "direct_upload"],
        of: |reach| &mut reach.uploads,
    },
    Grantable {
        family: Family {
            prefix: "forebay:plugin/file-inputs",
            words: "names files for requests to the service, if you grant it",
        },
        grants: &["file_inputs"],
        of: |reach| &mut reach.file_inputs,
    },
];

/// Nothing imports this from habit yet, so a plugin that does is one that works on files.
const FOLDERS: Family = Family {
    prefix: "wasi:filesystem/*@0.3",
    words: "reads and writes files in folders that you grant; does not run without such a grant",
};

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
        let Some((before, version)) = self.prefix.split_once('*') else {
            return import.starts_with(self.prefix);
        };
        import.strip_prefix(before).is_some_and(|rest| {
            let at = rest.find('@').and_then(|at| rest.get(at..));
            at.is_some_and(|at| at.starts_with(version))
        })
    }
}

impl Grantable {
    fn is_in<'a>(&self, imports: &'a [String]) -> Option<&'a String> {
        imports.iter().find(|import| self.family.holds(import))
    }
}

/// Which of what can be granted is imported.
pub(super) fn reach(imports: &[String]) -> Reach {
    let mut reach = Reach::NONE;
    for one in &GRANTABLE {
        *(one.of)(&mut reach) = one.is_in(imports).is_some();
    }
    reach
}

fn known() -> impl Iterator<Item = &'static Family> {
    ALWAYS.iter().chain(GRANTABLE.iter().map(|one| &one.family))
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
        let words =
            if world == World::File && [FILES.prefix, FOLDERS.prefix].contains(&family.prefix) {
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
        .map(|(words, names)| format!("{words} ({})", text::tidy(&names.join(", "), MAX_NAMES)));
    Err(LoadError::Imports(refused.collect()))
}

/// What is imported beyond what is granted, with the grants that would give it.
pub(super) fn not_granted(imports: &[String], mut granted: Reach) -> Option<String> {
    let missing: Vec<String> = GRANTABLE
        .iter()
        .filter_map(|one| {
            let import = one.is_in(imports).filter(|_| !*(one.of)(&mut granted))?;
            Some(format!(
                "{import}, which needs the grant `{}`",
                one.grants.join("` or `")
            ))
        })
        .collect();
    (!missing.is_empty()).then(|| format!("imports {}", missing.join(", and ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::sandbox::grants::Grants;

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
            "wasi:sockets/types@0.3.0",
        ]);
        assert_eq!(
            refuse(&asked).unwrap_err().to_string(),
            "asks for the network (wasi:sockets/tcp@0.2.6, wasi:http/outgoing-handler@0.2.6, wasi:sockets/types@0.3.0) and something that it does not \
             know (acme:secrets/vault@1.0.0), which forebay never grants; what a plugin imports without using it can be \
             left out when it is built (Python: `componentize-py --stub-wasi`; Rust: no `std::net`)"
        );
        assert!(refuse(&imports(&["wasi:cli/environment@0.2.6"])).is_ok());
    }

    #[test]
    fn a_missing_grant_is_named() {
        let asked = imports(&[
            "forebay:plugin/uploads@0.2.0",
            "forebay:plugin/file-inputs@0.2.0",
        ]);
        let granted = |grants| Reach::of(World::Workflow, &grants);
        assert_eq!(
            not_granted(&asked, granted(Grants::none().upload())).unwrap(),
            "imports forebay:plugin/file-inputs@0.2.0, which needs the grant `file_inputs`"
        );
        assert_eq!(not_granted(&asked, granted(Grants::all())), None);
    }

    #[test]
    fn folders_of_wasi_0_3_need_a_grant_but_for_file_plugins() {
        let older = imports(&["wasi:filesystem/types@0.2.6"]);
        let newer = imports(&["wasi:cli/stderr@0.3.0", "wasi:filesystem/preopens@0.3.0"]);
        let granted = |world, grants| Reach::of(world, &grants);
        let none = granted(World::Stream, Grants::none());
        assert_eq!(not_granted(&older, none), None);
        assert_eq!(
            not_granted(&newer, none).unwrap(),
            "imports wasi:filesystem/preopens@0.3.0, which needs the grant `read` or `write`"
        );
        for grants in [
            Grants::none().read("/a", "a"),
            Grants::none().write("/a", "a"),
        ] {
            assert_eq!(not_granted(&newer, granted(World::Stream, grants)), None);
        }
        assert_eq!(
            not_granted(&newer, granted(World::File, Grants::none())),
            None
        );
        assert!(refuse(&newer).is_ok());
        // Each is told once, in the words of its world and version.
        let words = |world| in_words(&newer, world).into_iter().map(|(words, _)| words);
        assert!(words(World::Stream).any(|words| words.contains("does not run without")));
        assert!(words(World::File).any(|words| words == FILES_OF_ITS_OWN));
        assert_eq!(words(World::Stream).count(), 2);
    }
}

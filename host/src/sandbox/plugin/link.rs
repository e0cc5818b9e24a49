//! What a plugin is linked with: what every plugin has, and what its grants add.
//!
//! Promise: a linker holds nothing that the grants do not give. Sockets and HTTP are in none. An import that no linker has,
//! or has with another type, is told by its name.
//!
//! WASI 0.2 and 0.3 are linked side by side, over the same context and the same table: a plugin may import either, or both.

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentNamedList, HasData, HasSelf, InstancePre, Lift, Linker, Lower,
    ResourceTable, ResourceType, StreamReader,
};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};

use super::error::LinkError;
use super::{CONTRACT, in_words};
use crate::sandbox::bindings::{self, Descriptor, FileInfo, GuestError};
use crate::sandbox::cause::StageCause;
use crate::sandbox::console::Console;
use crate::sandbox::files::Files;
use crate::sandbox::grants::Grants;
use crate::sandbox::pre::Pre;
use crate::sandbox::state::StageState;
use crate::sandbox::world::World;
use forebay_core::text;

/// The version of forebay's own contract, as `wit/` has it.
const CONTRACT_VERSION: &str = "0.2.0";

/// The packages that a linker may have, each with its versions. Later patch versions of the same minor version have the
/// same functions, so wasmtime takes them for one another; others it does not.
const PACKAGES: [(&str, &[&str]); 6] = [
    ("forebay:plugin", &[CONTRACT_VERSION]),
    ("wasi:cli", &["0.2", "0.3.0"]),
    ("wasi:clocks", &["0.2", "0.3.0"]),
    ("wasi:filesystem", &["0.2", "0.3.0"]),
    ("wasi:io", &["0.2"]),
    ("wasi:random", &["0.2", "0.3.0"]),
];

/// Adds the interfaces of the contract that workflows import, as far as they are within reach.
pub(crate) type AddImports = fn(&mut Linker<StageState>, Reach) -> wasmtime::Result<()>;

/// Which interfaces beyond those of every plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    /// `wasi:filesystem@0.3.0`. That of 0.2 is there for every plugin, since toolchains import it whether or not it is used;
    /// without a grant it has no folders.
    pub(crate) folders: bool,
    /// `forebay:plugin/uploads`.
    pub(crate) uploads: bool,
    /// `forebay:plugin/file-inputs`.
    pub(crate) file_inputs: bool,
}

impl Reach {
    /// Nothing.
    pub(super) const NONE: Self = Self {
        folders: false,
        uploads: false,
        file_inputs: false,
    };

    /// All that can be granted.
    pub(super) const ALL: Self = Self {
        folders: true,
        uploads: true,
        file_inputs: true,
    };

    /// What these grants give a plugin of this world. A file plugin has folders of its own.
    pub(crate) fn of(world: World, grants: &Grants) -> Self {
        Self {
            folders: world == World::File || !grants.read.is_empty() || !grants.write.is_empty(),
            uploads: grants.upload || grants.direct_upload,
            file_inputs: grants.file_inputs,
        }
    }

    /// What both have.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            folders: self.folders && other.folders,
            uploads: self.uploads && other.uploads,
            file_inputs: self.file_inputs && other.file_inputs,
        }
    }
}

/// Links a component with what `reach` gives.
pub(super) fn link(
    engine: &Engine,
    component: &Component,
    world: World,
    reach: Reach,
    workflow_imports: Option<AddImports>,
) -> Result<Pre, LinkError> {
    let linker = linker(engine, world, reach, workflow_imports);
    let linker = linker.map_err(|error| LinkError::Other(in_words(&error)))?;
    pre(&linker, component, world)
}

/// Links a component with nothing granted, to ask it what it is. What it imports beyond that ends the call.
pub(super) fn link_to_describe(
    engine: &Engine,
    component: &Component,
    world: World,
    workflow_imports: Option<AddImports>,
) -> Result<Pre, LinkError> {
    let nothing = Reach {
        // Without a folder in it. Some runtimes look for folders as they start.
        folders: true,
        ..Reach::NONE
    };
    let linker = linker(engine, world, nothing, workflow_imports).and_then(|mut linker| {
        for name in ["uploads", "file-inputs"] {
            refuse(&mut linker, engine, component, name)?;
        }
        Ok(linker)
    });
    let linker = linker.map_err(|error| LinkError::Other(in_words(&error)))?;
    pre(&linker, component, world)
}

fn pre(linker: &Linker<StageState>, component: &Component, world: World) -> Result<Pre, LinkError> {
    let pre = linker
        .instantiate_pre(component)
        .map_err(|error| explain(&error))?;
    check_exports(&pre, world)?;
    let pre = match world {
        World::Stream => bindings::stream::StreamPluginPre::new(pre).map(Pre::Stream),
        World::File => bindings::file::FilePluginPre::new(pre).map(Pre::File),
        World::Workflow => bindings::workflow::WorkflowExportsPre::new(pre).map(Pre::Workflow),
    };
    pre.map_err(|error| LinkError::Other(in_words(&error)))
}

/// Checks that a component exports the functions of its world, with their types. wasmtime does so too, for an instance.
fn check_exports(pre: &InstancePre<StageState>, world: World) -> Result<(), LinkError> {
    use bindings::file::exports::forebay::plugin::file_transform::OutputFile;
    type Ended<T> = (Result<T, GuestError>,);

    let describe = |interface| check_export::<(), (Descriptor,)>(pre, interface, "describe", false);
    match world {
        World::Stream => {
            describe("transform")?;
            type Parameters = (FileInfo, StreamReader<u8>, String);
            check_export::<Parameters, Ended<()>>(pre, "transform", "transform", true)
        }
        World::File => {
            describe("file-transform")?;
            type Parameters = (FileInfo, String, String, String);
            check_export::<Parameters, Ended<Vec<OutputFile>>>(
                pre,
                "file-transform",
                "transform",
                false,
            )
        }
        World::Workflow => {
            describe("workflow")?;
            check_export::<(String,), Ended<String>>(pre, "workflow", "run", true)
        }
    }
}

fn check_export<Parameters, Results>(
    pre: &InstancePre<StageState>,
    interface: &str,
    function: &str,
    is_async: bool,
) -> Result<(), LinkError>
where
    Parameters: ComponentNamedList + Lower,
    Results: ComponentNamedList + Lift,
{
    let interface = format!("{CONTRACT}{interface}@{CONTRACT_VERSION}");
    let component = pre.component();
    let found = component
        .get_export_index(None, &interface)
        .and_then(|found| component.get_export(Some(&found), function));
    let Some((ComponentItem::ComponentFunc(found), _)) = found else {
        return Err(LinkError::Missing(format!(
            "exports {interface} without its function `{function}`"
        )));
    };
    let problem = match found.typecheck::<Parameters, Results>(&pre.instance_type()) {
        Ok(()) if found.async_() == is_async => return Ok(()),
        Ok(()) => ASYNC_DIFFERS.to_owned(),
        Err(error) => in_words(&error),
    };
    Err(LinkError::Type {
        what: format!("exports `{function}` of {interface}"),
        problem,
    })
}

fn linker(
    engine: &Engine,
    world: World,
    reach: Reach,
    workflow_imports: Option<AddImports>,
) -> wasmtime::Result<Linker<StageState>> {
    let mut linker = Linker::new(engine);
    wasi_0_2(&mut linker)?;
    wasi_0_3(&mut linker, reach.folders)?;
    match world {
        World::Stream => {
            use bindings::stream::StreamPlugin;
            StreamPlugin::add_to_linker::<_, HasSelf<StageState>>(&mut linker, |state| state)?;
        }
        World::Workflow => {
            if let Some(add) = workflow_imports {
                add(&mut linker, reach)?;
            }
        }
        World::File => {}
    }
    Ok(linker)
}

/// WASI 0.2 but for sockets.
fn wasi_0_2(linker: &mut Linker<StageState>) -> wasmtime::Result<()> {
    use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io, random};

    /// `wasi:io` works on the table alone.
    struct Table;

    impl HasData for Table {
        type Data<'a> = &'a mut ResourceTable;
    }

    io::error::add_to_linker::<_, Table>(linker, |state| &mut state.table)?;
    io::poll::add_to_linker::<_, Table>(linker, |state| &mut state.table)?;
    io::streams::add_to_linker::<_, Table>(linker, |state| &mut state.table)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(linker, StageState::clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(linker, StageState::clocks)?;
    random::random::add_to_linker::<_, WasiRandom>(linker, StageState::random)?;
    random::insecure::add_to_linker::<_, WasiRandom>(linker, StageState::random)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, StageState::random)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    filesystem::types::add_to_linker::<_, Files>(linker, Files::of)?;
    filesystem::preopens::add_to_linker::<_, Files>(linker, Files::of)?;
    Ok(())
}

/// WASI 0.3 but for sockets. What would get around a limit is ours: [`Console`] and [`files`](crate::sandbox::files).
fn wasi_0_3(linker: &mut Linker<StageState>, folders: bool) -> wasmtime::Result<()> {
    use wasmtime_wasi::p3::bindings::{cli, filesystem};

    wasmtime_wasi::p3::clocks::add_to_linker(linker)?;
    wasmtime_wasi::p3::random::add_to_linker(linker)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::stdout::add_to_linker::<_, Console>(linker, StageState::cli)?;
    cli::stderr::add_to_linker::<_, Console>(linker, StageState::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, StageState::cli)?;
    if folders {
        filesystem::types::add_to_linker::<_, Files>(linker, Files::of)?;
        filesystem::preopens::add_to_linker::<_, Files>(linker, Files::of)?;
    }
    Ok(())
}

/// Defines an interface of the contract, if the component imports it, so that every call of it ends the plugin.
fn refuse(
    linker: &mut Linker<StageState>,
    engine: &Engine,
    component: &Component,
    name: &str,
) -> wasmtime::Result<()> {
    struct Refused;

    let shape = component.component_type();
    // Resources that other interfaces define, and this one only names.
    let mut known: Vec<ResourceType> = Vec::new();
    for (import, item) in shape.imports(engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else {
            continue;
        };
        let refused = import
            .strip_prefix(CONTRACT)
            .is_some_and(|rest| rest.split('@').next() == Some(name));
        for (export, item) in interface.exports(engine) {
            match item.ty {
                ComponentItem::Resource(resource) if !known.contains(&resource) => {
                    known.push(resource);
                    if refused {
                        let ty = ResourceType::host::<Refused>();
                        linker
                            .instance(import)?
                            .resource(export, ty, |_, _| Ok(()))?;
                    }
                }
                ComponentItem::ComponentFunc(function) if refused => {
                    let cause = StageCause::Trap(format!(
                        "called `{export}` of {import}, which is not granted while a plugin is asked what it is"
                    ));
                    let mut interface = linker.instance(import)?;
                    if function.async_() {
                        interface.func_new_concurrent(export, move |_, _, _, _| {
                            let cause = cause.clone();
                            Box::pin(async move { Err(cause.into()) })
                        })?;
                    } else {
                        interface.func_new(export, move |_, _, _, _| Err(cause.clone().into()))?;
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Refuses an import, or an export of the contract, of a version that this host does not have.
pub(super) fn check_versions(imports: &[String], exports: &[String]) -> Result<(), LinkError> {
    let exports = exports.iter().filter(|name| name.starts_with(CONTRACT));
    let exports = exports.map(|name| ("exports", name));
    let imports = imports.iter().map(|name| ("imports", name));
    for (verb, name) in imports.chain(exports) {
        let Some((package, _)) = name.split_once('/') else {
            continue;
        };
        let Some((_, has)) = PACKAGES.iter().find(|(known, _)| *known == package) else {
            continue;
        };
        let version = name.split_once('@').map(|(_, version)| version);
        if !version.is_some_and(|version| has.iter().any(|has| is_version_of(version, has))) {
            return Err(LinkError::Version {
                what: format!("{verb} {}", text::tidy(name, MAX_NAME)),
                has: format!("{package} {}", has.join(" and ")),
            });
        }
    }
    Ok(())
}

/// Whether a version is of the same minor version, and no candidate of a release.
fn is_version_of(version: &str, has: &str) -> bool {
    let minor = |version: &str| {
        version
            .split('.')
            .take(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    !version.contains('-') && minor(version) == minor(has)
}

/// Characters of a name that a message quotes.
const MAX_NAME: usize = 200;

/// Says which import or export keeps a component from being linked.
pub(super) fn explain(error: &wasmtime::Error) -> LinkError {
    // From outside to inside: the import, what of it, and what is wrong with that.
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    let (import, rest) = match causes.split_first() {
        Some((first, rest)) if first.starts_with("component imports ") => {
            (quoted(first, "`"), rest)
        }
        _ => (None, [].as_slice()),
    };
    let Some(import) = import else {
        return LinkError::Other(in_words(error));
    };
    let (items, problem): (Vec<&String>, Vec<&String>) = rest
        .iter()
        .partition(|cause| cause.starts_with("instance export `"));
    let item = items
        .last()
        .and_then(|item| quoted(item, "instance export `"));
    let what = match item {
        Some(item) => format!("imports `{item}` of {import}"),
        None => format!("imports {import}"),
    };
    match problem.last() {
        Some(last) if !last.ends_with("implementation is missing") => LinkError::Type {
            what,
            problem: type_problem(&problem),
        },
        _ => LinkError::Missing(format!("{what}, which this host does not have")),
    }
}

/// What wasmtime says of this is about how to write a host.
const ASYNC_DIFFERS: &str = "one is `async`, the other is not";

/// How two types differ, as wasmtime found it: what was expected is the host's.
fn type_problem(causes: &[&String]) -> String {
    let plain = causes.iter().map(|cause| {
        if cause.starts_with("type mismatch with async") {
            ASYNC_DIFFERS
        } else {
            cause.strip_prefix("type mismatch with ").unwrap_or(cause)
        }
    });
    text::tidy(&plain.collect::<Vec<_>>().join(": "), MAX_NAME)
}

/// What stands between `before` and the next backtick.
fn quoted(text: &str, before: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    let (name, _) = rest.split_once('`')?;
    Some(text::tidy(name, MAX_NAME))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn versions(import: &str) -> String {
        check_versions(&[import.to_owned()], &[])
            .map_or_else(|error| error.to_string(), |()| "fits".into())
    }

    #[test]
    fn versions_of_another_track_are_told() {
        for import in [
            "wasi:cli/stderr@0.2.0",
            "wasi:cli/stderr@0.2.99",
            "wasi:cli/stderr@0.3.0",
            "wasi:cli/stderr@0.3.7",
            "forebay:plugin/outputs@0.2.3",
            "wasi:io/streams@0.2.6",
        ] {
            assert_eq!(versions(import), "fits", "{import}");
        }
        assert_eq!(
            versions("wasi:cli/stderr@0.3.0-rc-2026-02-09"),
            "imports wasi:cli/stderr@0.3.0-rc-2026-02-09, but this host has wasi:cli 0.2 and 0.3.0; build the plugin for \
             that"
        );
        assert_eq!(
            versions("forebay:plugin/outputs@0.3.0"),
            "imports forebay:plugin/outputs@0.3.0, but this host has forebay:plugin 0.2.0; build the plugin for that"
        );
        for import in [
            "forebay:plugin/outputs@0.1.0",
            "wasi:io/poll@0.3.0",
            "wasi:clocks/wall-clock@0.2.0-rc-2023-11-10",
            "wasi:random/random@1.0.0",
            "wasi:cli/stderr",
        ] {
            assert!(versions(import).contains("but this host has"), "{import}");
        }
        let export = ["forebay:plugin/transform@0.3.0".to_owned()];
        let error = check_versions(&[], &export).unwrap_err().to_string();
        assert!(
            error.starts_with("exports forebay:plugin/transform@0.3.0, but"),
            "{error}"
        );
    }

    #[test]
    fn the_version_of_the_contract_is_that_of_the_wit() {
        for file in ["types.wit", "transform.wit", "assets.wit"] {
            let path = format!("{}/wit/{file}", env!("CARGO_MANIFEST_DIR"));
            let wit = std::fs::read_to_string(path).unwrap();
            assert!(wit.starts_with(&format!("package forebay:plugin@{CONTRACT_VERSION};")));
        }
    }
}

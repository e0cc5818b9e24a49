//! The source keeps its layers: no two files of `src` use each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The layers from the bottom up: folders and files of `src`. Each may use those before it.
const LAYERS: [&str; 8] = [
    "base", "storage", "service", "http", "state", "routes", "emulator", "lib",
];

/// The module path of each file, such as `["http", "server"]`, and the module paths that it uses.
fn modules() -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    let paths = files.iter().map(|file| {
        let relative = file.strip_prefix(&src).unwrap().with_extension("");
        let parts = relative.iter().map(|part| part.to_str().unwrap());
        let module: Vec<String> = parts
            .filter(|part| *part != "mod")
            .map(str::to_owned)
            .collect();
        (module, fs::read_to_string(file).unwrap())
    });
    let texts: BTreeMap<_, _> = paths.collect();
    let used = |module: &Vec<String>, text: &String| {
        let mut used = BTreeSet::new();
        let code = text.lines().take_while(|line| *line != "#[cfg(test)]");
        let code = code.map(str::trim_start);
        for line in code.filter(|line| !line.starts_with("//")) {
            // What a line of a module uses: `crate::a::b`, `super::b`, and the children that it declares.
            let child = line.strip_prefix("pub(crate) ").unwrap_or(line);
            let child = child.strip_prefix("mod ").and_then(|c| c.strip_suffix(';'));
            used.extend(child.map(|child| match module[0].as_str() {
                "lib" => vec![child.to_owned()],
                _ => [module.as_slice(), &[child.to_owned()]].concat(),
            }));
            for (prefix, base) in [
                ("crate::", &[][..]),
                ("super::", &module[..module.len() - 1]),
            ] {
                for rest in line.split(prefix).skip(1) {
                    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
                    let end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
                    let names = rest[..end].split("::").filter(|name| !name.is_empty());
                    let mut path = base.to_vec();
                    path.extend(names.map(str::to_owned));
                    // The longest part of the path that is a file.
                    while !path.is_empty() && !texts.contains_key(&path) {
                        path.pop();
                    }
                    if path != *module && !path.is_empty() {
                        used.insert(path);
                    }
                }
            }
        }
        used
    };
    texts
        .iter()
        .map(|(module, text)| (module.clone(), used(module, text)))
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn a_layer_uses_only_the_layers_below() {
    let layer = |module: &[String]| LAYERS.iter().position(|layer| *layer == module[0]);
    let modules = modules();
    assert!(modules.len() > 40, "only {} files found", modules.len());
    for (module, used) in &modules {
        let own = layer(module).unwrap_or_else(|| panic!("{module:?} is in no layer"));
        for other in used {
            assert!(layer(other).unwrap() <= own, "{module:?} uses {other:?}");
        }
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut rest = modules();
    let uses: usize = rest.values().map(BTreeSet::len).sum();
    assert!(uses > 100, "only {uses} uses found");
    // Takes away the files that use none of the rest, until none is left.
    loop {
        let left: BTreeSet<_> = rest.keys().cloned().collect();
        rest.retain(|_, used| !used.is_disjoint(&left));
        if rest.len() == left.len() {
            break;
        }
    }
    let circle: Vec<_> = rest.keys().map(|module| module.join("::")).collect();
    assert!(circle.is_empty(), "a circle, or above one: {circle:?}");
}

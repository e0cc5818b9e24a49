//! Examples and notes at the end of each command's `--help` and manual page.

/// `{n}` in help. clap replaces these three characters by a line break, so there is an empty style within them.
macro_rules! n {
    () => {
        "{\u{1b}[0mn}"
    };
}

/// The end of the help of `forebay`.
macro_rules! forebay {
    () => {
        concat!(
    "\
Examples:
  forebay run -s strip-metadata -s image-resize:max_width=1024,format=jpeg -o out photos/*.jpg
  forebay run -s pdf-split:ranges=1-3,5,9- -u document.pdf
  cat video.mp4 | forebay run -s identity -o out -
  forebay run --workflow media-kit:prompt='Introduce these pages' -u FOLDER
  forebay run -s strip-metadata --name '{stem}-",
    n!(),
    ".{ext}' -o out 2023/ 2024/
  forebay run -p pipelines.toml#photos --locked --report report.json -o out photos/

`forebay COMMAND --help` has more examples.

Exit status: 0 all done; 1 some file failed, the others are done; 2 the command line or a pipeline is wrong;
128 and the number of the signal (130 for Ctrl-C) if one ended it."
)
    };
}

pub(crate) const FOREBAY: &str = forebay!();

pub(crate) const FOREBAY_LONG: &str = concat!(
    forebay!(),
    "

Settings are in ~/.config/forebay/config.toml ($XDG_CONFIG_HOME/forebay/config.toml if that is set; on Windows
%APPDATA%\\forebay\\config.toml), for example:

  key_file = \"~/.heygen-key\"                     # or key_command = [\"pass\", \"show\", \"heygen\"]
  jobs = 8                                       # inputs at a time

A forebay.toml in the current folder may have `jobs` and pipelines, and nothing else. Flags win, then the environment
(HEYGEN_API_KEY, HEYGEN_BASE_URL), then these files."
);

/// The end of the help of `forebay run`.
macro_rules! run {
    () => {
        "\
Examples:
  forebay plugins                                                    which plugins there are
  forebay run -s strip-metadata -o out photos/                       photos without metadata, in `out`
  forebay run -s image-resize:max_width=1024,format=jpeg -u a.png    a smaller one, uploaded
  forebay run -s pdf-split:ranges=1-3,5 -o pages document.pdf        two parts of a document
  forebay run -s strip-metadata -s image-resize:max_width=800 -o - - < a.jpg > small.jpg
  forebay run -p pipelines.toml#photos --report report.json -o out photos/
  forebay run -s strip-metadata -o out --report run.html photos/     a page to look at
  forebay run -p photos -o out DCIM/                                 a pipeline of your config.toml or of forebay.toml
  forebay run --workflow media-kit:prompt='Introduce these pages' -u FOLDER > body.json
  forebay run -s 'image/*=strip-metadata' -o out holiday/            photos without it, all other files as they are
  forebay run --workflow ./mine.wasm --url-host cdn.example -u a.jpg its result may name URLs of cdn.example
  forebay run -s strip-metadata -o out --dry-run photos/             what would be done and what refused
  forebay run -s strip-metadata -o out --include '*.jpg' --exclude old photos/
  find . -newer last -print0 | forebay run -s strip-metadata -o out --files-from - -0

Results are written to standard output, one line for each file: its path, or the asset's id and the file's name.
Messages are written to standard error, with a summary at the end.

The API key is read from HEYGEN_API_KEY, or from where your config.toml says (`key_file`, `key_command`)."
    };
}

pub(crate) const RUN: &str = run!();

pub(crate) const RUN_LONG: &str = concat!(
    run!(),
    "

A pipeline file, for `-p pipelines.toml#photos`. Paths in it start at its folder:

  [[pipelines.photos.stages]]
  plugin = \"strip-metadata\"
  when = \"image/*\"                               # other files skip this stage

  [[pipelines.photos.stages]]
  plugin = \"plugins/watermark.wasm\"
  config = { text = \"draft\" }                    # what it takes: forebay inspect plugins/watermark.wasm
  limits = { memory = \"256 MiB\", cpu_time = \"10s\" }
  grants = { read = { \"/fonts\" = \"fonts\" }, env = { LANG = \"C\" } }

A grant is something that a plugin may reach beside its input: folders (`read`, `write`), variables of the environment
(`env`), and for a workflow `upload`, `direct_upload`, `file_inputs`, `max_assets` and `max_bytes`, ids of `assets` and
`url_hosts` that its result may name. A stage of -s is granted nothing; a workflow of -w may upload and name its uploads.

A workflow in a file, with what it is lent (--lend on the command line):

  [pipelines.kit.workflow]
  plugin = \"media-kit\"
  config = { prompt = \"Introduce these pages\" }
  grants = { upload = true, direct_upload = true, file_inputs = true }
  lend.image-resize = { plugin = \"image-resize\" }

A folder keeps its subfolders: of `photos`, photos/sub/c.jpg becomes out/sub/c.jpg. The extension of a result follows its
type. An asset has the name of the file, without its folder."
);

pub(crate) const UPLOAD: &str = "\
Examples:
  forebay upload photo.jpg                               prints the asset's id and the file's name
  forebay upload --journal trip.journal photos/          if it is interrupted, start it again: it uploads the rest
  forebay upload --dry-run photos/                       what would be sent and what refused; needs no key
  forebay upload --include '*.{mp4,webm}' clips/
  forebay upload --files-from list.txt
  forebay upload --json photos/ | jq -r 'select(.files) | .files[].asset.asset_id'

Folders are taken with their subfolders; an asset has the name of the file alone, with the extension of its type.
Files of up to 32 MB are sent in one request. Larger ones are sent to the service's storage (direct upload).

The API key is read from HEYGEN_API_KEY, or from where your config.toml says (`key_file`, `key_command`).";

pub(crate) const PLUGINS: &str = "\
Examples:
  forebay plugins
  forebay plugins --json | jq -r '.[].name'
  forebay plugins --write components                     as files, for a program that embeds forebay
  forebay inspect image-resize                           what it takes and makes, and its config";

pub(crate) const INSPECT: &str = "\
Examples:
  forebay inspect image-resize                           a bundled plugin
  forebay inspect ./watermark.wasm                       somebody else's, before it is run
  forebay inspect ./watermark.wasm -p pipelines.toml     and what that pipeline grants it";

pub(crate) const LOCK: &str = "\
Examples:
  forebay lock -p pipelines.toml                         the plugins of all pipelines in the file
  forebay lock ./watermark.wasm strip-metadata           these plugins, for `run --locked -s …`
  forebay run --locked -p pipelines.toml#photos -o out photos/

The lock names each plugin, where it comes from, and the SHA-256 of its component. Keep it with the pipeline file, and
look at its changes as at those of code: `forebay run --locked` runs nothing else.";

pub(crate) const VERIFY: &str = "\
Examples:
  forebay run -s strip-metadata --report report.json -o out photos/
  forebay verify report.json out/*.jpg                   which plugin made what of what

A file is found by its bytes, whatever it is called now: as a result, as a source, or on the way between two stages. A
report is a statement, not a proof: who can change it can change what it says.

Exit status: 0 all found; 1 some were not.";

pub(crate) const ASSETS: &str = "\
Examples:
  forebay assets list                                    the newest 20
  forebay assets get ASSET_ID --download                 writes the file into the current folder
  forebay assets delete --older-than 30d --dry-run       what would go

`forebay assets list --help` and so on have more examples.

The API key is read from HEYGEN_API_KEY, or from where your config.toml says (`key_file`, `key_command`).";

pub(crate) const ASSETS_LIST: &str = "\
Examples:
  forebay assets list                                    the newest 20
  forebay assets list --all --name '*.mp4' --size        all videos of this name, with their sizes
  forebay assets list --older-than 30d --json | jq -r .id

The columns have tabs between them: id, time of the upload (UTC), size, kind, name, URL. A dash is a value that the
service does not tell.";

pub(crate) const ASSETS_GET: &str = "\
Examples:
  forebay assets get ASSET_ID --json
  forebay assets get -o clips ASSET_ID ASSET_ID          writes the files into `clips`
  forebay assets list --all --name '*.mp4' | cut -f1 | xargs forebay assets get -o clips

A file is written whole or not at all, under the asset's name. The key is not sent to the address that serves the file.";

pub(crate) const ASSETS_DELETE: &str = "\
Examples:
  forebay assets delete ASSET_ID
  forebay assets delete --older-than 30d --dry-run       lists what would go
  forebay assets delete --older-than 30d --name '*.mp4'  lists it, asks, and deletes what it listed
  forebay assets delete --older-than 90d --yes           for a script

An asset that is found must match all flags. One whose age the service does not tell is not old.";

pub(crate) const FILE_INPUT: &str = "\
Examples:
  forebay file-input photo.jpg                       the bytes themselves, up to 32 MB
  forebay file-input https://example.com/photo.jpg   an address that the service fetches
  forebay file-input ast_0123456789abcdef            an asset";

pub(crate) const EMULATOR: &str = "\
Examples:
  forebay emulator                                       prints its address
  HEYGEN_API_KEY=any HEYGEN_BASE_URL=http://127.0.0.1:PORT forebay upload photo.jpg
  forebay emulator --listen 127.0.0.1:8080 --data DIR    a fixed address, and the files stay
  forebay emulator --fault '{\"route\":\"put\",\"fault\":\"status\",\"status\":503,\"times\":2}'";

pub(crate) const DEMO: &str = "\
Examples:
  forebay demo                                           needs no key and no network
  forebay demo --keep DIR                                the demo's inputs stay in DIR";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  forebay completions bash > ~/.local/share/bash-completion/completions/forebay
  forebay completions zsh > ~/.zfunc/_forebay            with `fpath+=~/.zfunc` before `compinit` in ~/.zshrc
  forebay completions fish > ~/.config/fish/completions/forebay.fish";

pub(crate) const MAN: &str = "\
Examples:
  forebay man | man -l -                                 read it now
  forebay man run | man -l -                             the page of one command
  forebay man --dir ~/.local/share/man/man1              then `man forebay` and `man forebay-run`";

pub(crate) const NAME: &str = concat!(
    "Name each result in DIR by this template, such as `{stem}-",
    n!(),
    ".{ext}`"
);

pub(crate) const NAME_LONG: &str = concat!(
    "Name each result in DIR by this template, such as `{stem}-",
    n!(),
    ".{ext}`\n\n\
     {name} is the name of the result after the last stage, {stem} is that name without the extension, and {ext} is the \
     extension without the dot. ",
    n!(),
    " is the number of the input, from 1: inputs are counted in the order in which they are named, and the files of a \
     folder in the order of their names. {m} is the number of the result among the results of its input, from 1; after \
     several stages there is one number for each stage, as in `1-3`. {input} is the input's name without the extension. \
     `{{` and `}}` stand for braces.\n\n\
     A result keeps the extension of its type: the extension is appended if the template does not end in it."
);

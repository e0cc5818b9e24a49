//! How many plugins run at the same time, unless the embedder says otherwise.

/// Plugins for each core. One that computes needs a core. One that waits for its source or its sink needs none, and holds its
/// place all the same.
const PER_CORE: u64 = 16;

/// Memory for each plugin, in bytes: about what a photo of 12 megapixels takes, decoded.
const MEMORY_EACH: u64 = 64 << 20;

/// Pipelines of up to this many stages run on the smallest machine.
const LEAST: u64 = 16;

/// The pool of instances reserves address space for each: 8 GiB, of the 128 TiB that there are.
const MOST: u64 = 256;

/// How many plugins run at the same time by default on this machine.
pub(crate) fn instances() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    instances_for(cores as u64, memory())
}

fn instances_for(cores: u64, memory: Option<u64>) -> u32 {
    let by_cores = cores.saturating_mul(PER_CORE);
    let by_memory = memory.map_or(u64::MAX, |bytes| bytes / MEMORY_EACH);
    by_cores.min(by_memory).clamp(LEAST, MOST) as u32
}

/// Memory that this process may take, in bytes, where the system says so without a library: that of the machine, or that of
/// the control group (`memory.max`, or version 1), such as a container's.
fn memory() -> Option<u64> {
    let read = |path| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| total(&text));
    let groups = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    // A group without a limit has a word there, or more than any machine has.
    let groups = groups
        .into_iter()
        .filter_map(|path| read(path)?.trim().parse().ok());
    groups.chain(machine).min()
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_follow_cores_and_memory_within_bounds() {
        const GIB: u64 = 1 << 30;
        for (cores, memory, instances) in [
            (1, Some(GIB), 16),
            (2, Some(8 * GIB), 32),
            (2, None, 32),
            (8, Some(2 * GIB), 32),
            (8, Some(64 * GIB), 128),
            (64, Some(256 * GIB), 256),
        ] {
            assert_eq!(instances_for(cores, memory), instances, "{cores} cores");
        }
    }

    #[test]
    fn the_memory_of_the_machine_is_read() {
        let meminfo = "MemTotal:       16384256 kB\nMemFree:         1234 kB\n";
        assert_eq!(total(meminfo), Some(16_384_256 * 1024));
        assert_eq!(total("MemTotal: much\n"), None);
        #[cfg(target_os = "linux")]
        assert!(memory().is_some_and(|bytes| bytes > 16 << 20));
    }
}

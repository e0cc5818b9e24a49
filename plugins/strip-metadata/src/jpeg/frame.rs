//! The frame and the scan headers (T.81, B.2.2 and B.2.3): how many MCUs a scan has.

/// A component of the frame.
#[derive(Debug, Clone, Copy)]
struct Component {
    id: u8,
    /// Sampling factors.
    across: u32,
    down: u32,
    /// A bit for each coefficient that has been read to its last bit.
    complete: u64,
}

/// A frame of a sequential or progressive picture.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) progressive: bool,
    width: u32,
    height: u32,
    components: Vec<Component>,
}

/// A component of a scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Its place in the frame.
    pub(super) index: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// A scan header.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) components: Vec<Part>,
    /// First and last coefficient.
    pub(super) from: u8,
    pub(super) to: u8,
    /// The bit from which, and the bit to which the coefficients are refined.
    pub(super) high: u8,
    low: u8,
}

impl Frame {
    /// Reads a frame header whose length has been checked. `None` if there can be no such picture.
    pub(super) fn new(progressive: bool, body: &[u8]) -> Option<Self> {
        let (&[_, high, low, across, along, _], rest) = body.split_first_chunk::<6>()?;
        let frame = Self {
            progressive,
            height: u16::from_be_bytes([high, low]).into(),
            width: u16::from_be_bytes([across, along]).into(),
            components: rest
                .chunks_exact(3)
                .filter_map(|chunk| match chunk {
                    [id, factors, _] => Some(Component {
                        id: *id,
                        across: u32::from(factors >> 4),
                        down: u32::from(factors & 15),
                        complete: 0,
                    }),
                    _ => None,
                })
                .collect(),
        };
        let factors = |component: &Component| {
            (1..=4).contains(&component.across) && (1..=4).contains(&component.down)
        };
        let fits = frame.width > 0
            && frame.height > 0
            && (1..=4).contains(&frame.components.len())
            && frame.components.iter().all(factors);
        fits.then_some(frame)
    }

    /// Reads a scan header whose length has been checked. `None` if it does not fit the frame.
    pub(super) fn scan(&self, body: &[u8]) -> Option<Scan> {
        let (count, rest) = body.split_first()?;
        let (parts, rest) = rest.split_at_checked(2 * usize::from(*count))?;
        let [from, to, bits] = *rest else { return None };
        let mut components: Vec<Part> = Vec::new();
        for part in parts.chunks_exact(2) {
            let [id, tables] = *part else { return None };
            let index = self
                .components
                .iter()
                .enumerate()
                .position(|(index, component)| {
                    component.id == id && components.iter().all(|part| part.index != index)
                })?;
            components.push(Part {
                index,
                dc: usize::from(tables >> 4),
                ac: usize::from(tables & 15),
            });
        }
        let blocks: u32 = components
            .iter()
            .map(|part| self.blocks_of_mcu(part.index))
            .sum();
        let (high, low) = (bits >> 4, bits & 15);
        let band_fits = match (from, to) {
            (0, 0) => true,
            (0, _) => false,
            _ => from <= to && to < 64 && components.len() == 1,
        };
        if (components.len() > 1 && blocks > 10) || (self.progressive && !band_fits) {
            return None;
        }
        Some(Scan {
            components,
            from,
            to,
            high,
            low,
        })
    }

    /// The blocks that a component has in an MCU of several components.
    pub(super) fn blocks_of_mcu(&self, index: usize) -> u32 {
        self.components
            .get(index)
            .map_or(0, |component| component.across * component.down)
    }

    /// The MCUs of a scan (A.2).
    pub(super) fn mcus(&self, scan: &Scan) -> u64 {
        let most = |factor: fn(&Component) -> u32| self.components.iter().map(factor).max();
        let across = most(|component| component.across).unwrap_or(1);
        let down = most(|component| component.down).unwrap_or(1);
        let (columns, rows) = match *scan.components {
            [Part { index, .. }] => {
                let component = self.components.get(index);
                let factors =
                    component.map_or((1, 1), |component| (component.across, component.down));
                (
                    (self.width * factors.0).div_ceil(across).div_ceil(8),
                    (self.height * factors.1).div_ceil(down).div_ceil(8),
                )
            }
            _ => (
                self.width.div_ceil(8 * across),
                self.height.div_ceil(8 * down),
            ),
        };
        u64::from(columns) * u64::from(rows)
    }

    /// Notes that a scan has ended.
    pub(super) fn end(&mut self, scan: &Scan) {
        let bits = match (self.progressive, scan.low) {
            (false, _) => u64::MAX,
            (true, 0) => (scan.from..=scan.to).fold(0, |bits, place| bits | 1 << (place & 63)),
            _ => 0,
        };
        for part in &scan.components {
            if let Some(component) = self.components.get_mut(part.index) {
                component.complete |= bits;
            }
        }
    }

    /// Whether nothing of the picture can follow.
    pub(super) fn is_complete(&self) -> bool {
        self.components
            .iter()
            .all(|component| component.complete == u64::MAX)
    }
}

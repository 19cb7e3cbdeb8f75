//! Connected regions of a mask, kept as runs: memory follows the outline, not the area.

/// Which pixels count as neighbours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connectivity {
    /// Sides only; what separates regions that are joined by corners.
    Four,
    /// Sides and corners.
    Eight,
}

/// A stretch of one row.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// Row, 0 at the top.
    pub row: u32,
    /// First column.
    pub start: u32,
    /// Column after the last.
    pub end: u32,
    /// Index of the region it belongs to.
    pub region: u32,
}

/// One connected region.
#[derive(Clone, Copy, Default)]
pub(crate) struct Region {
    /// Pixels in it.
    pub area: usize,
    /// Whether it reaches the picture's border.
    pub on_border: bool,
}

/// All connected regions of the chosen pixels, in the order in which their first pixels come.
pub(crate) struct Regions {
    /// Runs in row order.
    pub runs: Vec<Run>,
    /// What `Run::region` points at.
    pub list: Vec<Region>,
    width: usize,
}

impl Regions {
    /// Finds the regions of the pixels for which `chosen` says yes (union-find over runs, linear).
    pub fn of<T: Copy>(
        values: &[T],
        width: usize,
        connectivity: Connectivity,
        chosen: impl Fn(T) -> bool,
    ) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut parents: Vec<u32> = Vec::new();
        let reach = u32::from(connectivity == Connectivity::Eight);
        let mut above = 0..0;
        for (row, line) in values.chunks_exact(width).enumerate() {
            let first = runs.len();
            let mut x = 0;
            while let Some(offset) = line[x..].iter().position(|&v| chosen(v)) {
                let start = x + offset;
                let end = line[start..].iter().position(|&v| !chosen(v)).map_or(width, |n| start + n);
                let region = parents.len() as u32;
                parents.push(region);
                runs.push(Run { row: row as u32, start: start as u32, end: end as u32, region });
                x = end;
            }
            let mut candidate: usize = above.start;
            for index in first..runs.len() {
                let run = runs[index];
                while candidate < above.end && runs[candidate].end + reach <= run.start {
                    candidate += 1;
                }
                let mut touching = candidate;
                while touching < above.end && runs[touching].start < run.end + reach {
                    join(&mut parents, runs[touching].region, run.region);
                    touching += 1;
                }
            }
            above = first..runs.len();
        }
        Self::numbered(runs, parents, width, values.len() / width)
    }

    fn numbered(mut runs: Vec<Run>, mut parents: Vec<u32>, width: usize, height: usize) -> Self {
        let mut number = vec![u32::MAX; parents.len()];
        let mut list: Vec<Region> = Vec::new();
        for run in &mut runs {
            let root = root(&mut parents, run.region) as usize;
            if number[root] == u32::MAX {
                number[root] = list.len() as u32;
                list.push(Region::default());
            }
            run.region = number[root];
            let region = &mut list[run.region as usize];
            region.area += (run.end - run.start) as usize;
            region.on_border |=
                run.start == 0 || run.end as usize == width || run.row == 0 || run.row as usize + 1 == height;
        }
        Self { runs, list, width }
    }

    /// Runs with their span of pixel indices.
    pub fn spans(&self) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> + '_ {
        self.runs.iter().map(|run| {
            let row = run.row as usize * self.width;
            (run.region as usize, row + run.start as usize..row + run.end as usize)
        })
    }
}

fn root(parents: &mut [u32], mut node: u32) -> u32 {
    while parents[node as usize] != node {
        let parent = parents[node as usize];
        parents[node as usize] = parents[parent as usize];
        node = parents[node as usize];
    }
    node
}

/// The smaller root wins, so that numbering does not depend on the order of joins.
fn join(parents: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b) as usize] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::{Connectivity, Regions};

    const U_SHAPE: [u8; 25] = [
        1, 0, 1, 0, 1, //
        1, 0, 1, 0, 0, //
        1, 1, 1, 0, 0, //
        0, 0, 0, 1, 0, //
        0, 0, 0, 0, 0, //
    ];

    #[test]
    fn corners_join_only_when_asked() {
        let four = Regions::of(&U_SHAPE, 5, Connectivity::Four, |v| v == 1);
        assert_eq!(four.list.iter().map(|r| r.area).collect::<Vec<_>>(), [7, 1, 1]);
        let eight = Regions::of(&U_SHAPE, 5, Connectivity::Eight, |v| v == 1);
        assert_eq!(
            eight.list.iter().map(|r| (r.area, r.on_border)).collect::<Vec<_>>(),
            [(8, true), (1, true)]
        );
    }

    #[test]
    fn a_region_inside_does_not_touch_the_border() {
        let mut values = [1u8; 25];
        values[12] = 0;
        let holes = Regions::of(&values, 5, Connectivity::Four, |v| v == 0);
        assert_eq!(holes.list.len(), 1);
        assert!(!holes.list[0].on_border);
        assert_eq!(holes.spans().collect::<Vec<_>>(), [(0, 12..13)]);
    }
}

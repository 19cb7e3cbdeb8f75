//! Connected parts of a mask.

/// The part each pixel belongs to: 0 where there is none, parts from 1 on; and how many pixels each part has (of part 0
/// too). Neighbours share a side.
pub(super) fn parts(width: usize, inside: &[bool]) -> (Vec<u32>, Vec<usize>) {
    let mut labels = vec![0u32; inside.len()];
    let mut sizes = vec![0usize];
    let mut open = Vec::new();
    for start in 0..inside.len() {
        if !inside[start] || labels[start] != 0 {
            continue;
        }
        let label = sizes.len() as u32;
        let mut size = 0;
        labels[start] = label;
        open.push(start);
        while let Some(at) = open.pop() {
            size += 1;
            let x = at % width;
            let mut visit = |at: usize| {
                if inside[at] && labels[at] == 0 {
                    labels[at] = label;
                    open.push(at);
                }
            };
            if x > 0 {
                visit(at - 1);
            }
            if x + 1 < width {
                visit(at + 1);
            }
            if at >= width {
                visit(at - width);
            }
            if at + width < inside.len() {
                visit(at + width);
            }
        }
        sizes.push(size);
    }
    sizes[0] = inside.len() - sizes[1..].iter().sum::<usize>();
    (labels, sizes)
}

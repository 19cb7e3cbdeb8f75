//! ZIP files (APPNOTE 6.3.10) as a stream: members are stored as they are, their lengths known beforehand, their checksums
//! written after their bytes. Knows nothing of where bytes come from.

use domain::time::Timestamp;

/// From here on a number needs 64 bits; a field of 32 bits holds this instead.
const TOO_LARGE: u64 = 0xFFFF_FFFF;
const TOO_MANY: u64 = 0xFFFF;
/// Made on Unix, as version 4.5 says.
const MADE_BY: u16 = 3 << 8 | 45;
/// Lengths and checksum follow the bytes; names are UTF-8.
const FLAGS: u16 = 1 << 3 | 1 << 11;
/// A file that everybody may read and its owner may write.
const ATTRIBUTES: u32 = 0o100_644 << 16;

/// One file in a ZIP file.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Its name; folders are divided by slashes.
    pub(super) name: String,
    /// Its length in bytes.
    pub(super) len: u64,
    /// When it was made.
    pub(super) at: Timestamp,
}

/// Writes what stands between, before and after the members' bytes. Holds a few dozen bytes a member.
pub(super) struct Writer {
    offset: u64,
    directory: Vec<u8>,
    members: u64,
    begun_at: u64,
    /// Numbers from here on are written with 64 bits.
    large: u64,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self::with_large(TOO_LARGE)
    }

    fn with_large(large: u64) -> Self {
        Self { offset: 0, directory: Vec::new(), members: 0, begun_at: 0, large }
    }

    /// The length of a whole file with these members.
    pub(super) fn length<'a>(members: impl IntoIterator<Item = &'a Member>) -> u64 {
        let mut writer = Self::new();
        for member in members {
            writer.begin(member);
            writer.end(member, 0);
        }
        let before = writer.offset;
        before + writer.finish().len() as u64
    }

    /// What stands before a member's bytes.
    pub(super) fn begin(&mut self, member: &Member) -> Vec<u8> {
        let is_large = member.len >= self.large;
        let mut head = Vec::with_capacity(50 + member.name.len());
        head.extend(0x0403_4B50_u32.to_le_bytes());
        head.extend(needed(is_large).to_le_bytes());
        head.extend(FLAGS.to_le_bytes());
        head.extend(0_u16.to_le_bytes());
        head.extend(dos_time(member.at));
        head.extend(0_u32.to_le_bytes());
        // Unknown yet, as the flags say; the extra field says that they will have 64 bits.
        let unknown = if is_large { u32::MAX } else { 0 };
        head.extend(unknown.to_le_bytes());
        head.extend(unknown.to_le_bytes());
        head.extend((member.name.len() as u16).to_le_bytes());
        head.extend((if is_large { 20_u16 } else { 0 }).to_le_bytes());
        head.extend(member.name.as_bytes());
        if is_large {
            head.extend(1_u16.to_le_bytes());
            head.extend(16_u16.to_le_bytes());
            head.extend([0; 16]);
        }
        self.begun_at = self.offset;
        self.offset += head.len() as u64 + member.len;
        head
    }

    /// What stands after a member's bytes, whose CRC-32 is this.
    pub(super) fn end(&mut self, member: &Member, crc: u32) -> Vec<u8> {
        let is_large = member.len >= self.large;
        let mut tail = Vec::with_capacity(24);
        tail.extend(0x0807_4B50_u32.to_le_bytes());
        tail.extend(crc.to_le_bytes());
        for _ in 0..2 {
            if is_large {
                tail.extend(member.len.to_le_bytes());
            } else {
                tail.extend((member.len as u32).to_le_bytes());
            }
        }
        self.offset += tail.len() as u64;
        self.list(member, crc);
        tail
    }

    /// Puts a member into the directory.
    fn list(&mut self, member: &Member, crc: u32) {
        let is_large = member.len >= self.large;
        let is_far = self.begun_at >= self.large;
        let mut extra = Vec::new();
        if is_large {
            extra.extend(member.len.to_le_bytes());
            extra.extend(member.len.to_le_bytes());
        }
        if is_far {
            extra.extend(self.begun_at.to_le_bytes());
        }
        if !extra.is_empty() {
            let mut head = 1_u16.to_le_bytes().to_vec();
            head.extend((extra.len() as u16).to_le_bytes());
            extra.splice(0..0, head);
        }
        let small = |number: u64, is_large: bool| if is_large { u32::MAX } else { number as u32 };
        let to = &mut self.directory;
        to.extend(0x0201_4B50_u32.to_le_bytes());
        to.extend(MADE_BY.to_le_bytes());
        to.extend(needed(is_large || is_far).to_le_bytes());
        to.extend(FLAGS.to_le_bytes());
        to.extend(0_u16.to_le_bytes());
        to.extend(dos_time(member.at));
        to.extend(crc.to_le_bytes());
        to.extend(small(member.len, is_large).to_le_bytes());
        to.extend(small(member.len, is_large).to_le_bytes());
        to.extend((member.name.len() as u16).to_le_bytes());
        to.extend((extra.len() as u16).to_le_bytes());
        // No comment, the first disk, binary.
        to.extend([0; 6]);
        to.extend(ATTRIBUTES.to_le_bytes());
        to.extend(small(self.begun_at, is_far).to_le_bytes());
        to.extend(member.name.as_bytes());
        to.extend(extra);
        self.members += 1;
    }

    /// What stands at the end: the directory, and where it begins.
    pub(super) fn finish(self) -> Vec<u8> {
        let Self { offset, directory, members, large, .. } = self;
        let len = directory.len() as u64;
        let is_large = offset >= large || len >= large || members >= TOO_MANY;
        let mut end = directory;
        if is_large {
            let at = offset + len;
            end.extend(0x0606_4B50_u32.to_le_bytes());
            end.extend(44_u64.to_le_bytes());
            end.extend(MADE_BY.to_le_bytes());
            end.extend(needed(true).to_le_bytes());
            end.extend([0; 8]);
            end.extend(members.to_le_bytes());
            end.extend(members.to_le_bytes());
            end.extend(len.to_le_bytes());
            end.extend(offset.to_le_bytes());
            end.extend(0x0706_4B50_u32.to_le_bytes());
            end.extend(0_u32.to_le_bytes());
            end.extend(at.to_le_bytes());
            end.extend(1_u32.to_le_bytes());
        }
        let many = if is_large { u16::MAX } else { members as u16 };
        end.extend(0x0605_4B50_u32.to_le_bytes());
        end.extend([0; 4]);
        end.extend(many.to_le_bytes());
        end.extend(many.to_le_bytes());
        end.extend((if is_large { u32::MAX } else { len as u32 }).to_le_bytes());
        end.extend((if is_large { u32::MAX } else { offset as u32 }).to_le_bytes());
        end.extend(0_u16.to_le_bytes());
        end
    }
}

/// The version of the format that a reader must know.
const fn needed(is_large: bool) -> u16 {
    if is_large { 45 } else { 20 }
}

/// A time as MS-DOS writes it: UTC, every other second, from 1980 on.
fn dos_time(at: Timestamp) -> [u8; 4] {
    let text = at.to_string();
    let number = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<u32>().ok());
    let packed = || {
        let year = number(0, 4)?.checked_sub(1980).filter(|year| *year < 128)?;
        let date = year << 9 | number(5, 7)? << 5 | number(8, 10)?;
        let time = number(11, 13)? << 11 | number(14, 16)? << 5 | (number(17, 19)? / 2);
        Some(date << 16 | time)
    };
    // What MS-DOS cannot write is its first day.
    packed().unwrap_or(0x0021_0000).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    fn whole(large: u64, files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::with_large(large);
        let mut bytes = Vec::new();
        for (name, content) in files {
            let at = Timestamp(1_772_442_845_120);
            let member = Member { name: (*name).to_owned(), len: content.len() as u64, at };
            bytes.extend(writer.begin(&member));
            bytes.extend(*content);
            bytes.extend(writer.end(&member, crc32fast::hash(content)));
        }
        bytes.extend(writer.finish());
        bytes
    }

    fn read_back(bytes: &[u8], files: &[(&str, &[u8])]) {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("a ZIP file");
        assert_eq!(archive.len(), files.len());
        for (index, (name, content)) in files.iter().enumerate() {
            let mut file = archive.by_index(index).expect("a member");
            assert_eq!(file.name().expect("a name"), *name);
            assert_eq!(file.crc32(), crc32fast::hash(content));
            let mut found = Vec::new();
            // The reader compares the checksum.
            file.read_to_end(&mut found).expect("whole");
            assert_eq!(found, *content);
            let made = file.last_modified().expect("a time");
            assert_eq!((made.year(), made.month(), made.day()), (2026, 3, 2));
            assert_eq!((made.hour(), made.minute(), made.second()), (9, 14, 4));
        }
    }

    const FILES: [(&str, &[u8]); 4] =
        [("a.jpg", b"first"), ("grün.png", &[7; 3000]), ("empty.txt", b""), ("x/y.tif", b"last")];

    #[test]
    fn what_is_written_is_read_back() {
        read_back(&whole(TOO_LARGE, &FILES), &FILES);
        read_back(&whole(TOO_LARGE, &[]), &[]);
    }

    #[test]
    fn large_numbers_have_64_bits() {
        // As if everything from 100 bytes on were too large for 32: the second member's length, and all that is after it.
        let bytes = whole(100, &FILES);
        assert!(bytes.windows(4).any(|four| four == 0x0606_4B50_u32.to_le_bytes()));
        read_back(&bytes, &FILES);
        read_back(&whole(0, &FILES), &FILES);
    }

    #[test]
    fn more_members_than_16_bits_can_count() {
        let mut writer = Writer::new();
        let mut bytes = Vec::new();
        for n in 0..70_000 {
            let member = Member { name: n.to_string(), len: 0, at: Timestamp(0) };
            bytes.extend(writer.begin(&member));
            bytes.extend(writer.end(&member, 0));
        }
        bytes.extend(writer.finish());
        let archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("a ZIP file");
        assert_eq!(archive.len(), 70_000);
    }

    #[test]
    fn the_length_is_known_beforehand() {
        let at = Timestamp(0);
        let members =
            FILES.map(|(name, content)| Member { name: name.to_owned(), len: content.len() as u64, at });
        assert_eq!(Writer::length(&members), whole(TOO_LARGE, &FILES).len() as u64);
        let huge = [5_000_000_000, 3, 9].map(|len| Member { name: "n".to_owned(), len, at });
        // Heads of 31 + 20, 31, 31; tails of 24, 16, 16; directory of 47 + 20, 47 + 12, 47 + 12; ends of 56, 20, 22.
        assert_eq!(Writer::length(&huge), 5_000_000_012 + 51 + 62 + 56 + 67 + 118 + 98);
    }

    #[test]
    fn times_before_ms_dos_are_its_first_day() {
        assert_eq!(dos_time(Timestamp(0)), [0, 0, 0x21, 0]);
        assert_eq!(dos_time(Timestamp(i64::MAX)), [0, 0, 0x21, 0]);
    }
}

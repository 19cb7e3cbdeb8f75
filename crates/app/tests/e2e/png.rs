//! PNG files put together by hand, whole or broken.

/// A file of these chunks, each with its length and its checksum.
pub fn png(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, content) in chunks {
        let named = [name.as_slice(), content].concat();
        bytes.extend_from_slice(&(content.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&named);
        bytes.extend_from_slice(&crc32(&named).to_be_bytes());
    }
    bytes
}

/// One that is whole, but for pixels that cannot be unpacked: that is found out only when it is worked on.
pub fn broken() -> Vec<u8> {
    let header = [0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0, 0, 0];
    png(&[(b"IHDR", &header), (b"IDAT", b"no such stream of bytes"), (b"IEND", b"")])
}

/// CRC-32 as PNG uses it (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), bit))
}

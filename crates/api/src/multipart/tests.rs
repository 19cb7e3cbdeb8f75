use futures::stream;
use proptest::prelude::*;

use super::*;

type Parts = Vec<(Option<String>, Option<String>, Vec<u8>)>;

/// Reads a form that arrives in chunks of these sizes, over and over.
fn read(form: &[u8], boundary: &str, sizes: &[usize]) -> Result<Parts, String> {
    let mut chunks = Vec::new();
    let mut rest = form;
    let mut sizes = sizes.iter().copied().cycle();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
        chunks.push(Ok::<_, axum::Error>(Bytes::copy_from_slice(&rest[..size])));
        rest = &rest[size..];
    }
    let mut form = Multipart::new(Body::from_stream(stream::iter(chunks)), boundary, u64::MAX);
    futures::executor::block_on(async {
        let mut parts = Vec::new();
        while let Some(head) = form.next_part().await.map_err(|fault| fault.to_string())? {
            let mut content = Vec::new();
            while let Some(chunk) = form.next_chunk().await.map_err(|fault| fault.to_string())? {
                assert!(!chunk.is_empty());
                content.extend_from_slice(&chunk);
            }
            parts.push((head.name, head.file_name, content));
        }
        Ok(parts)
    })
}

fn part(name: &str, file_name: Option<&str>, content: &[u8]) -> (Option<String>, Option<String>, Vec<u8>) {
    (Some(name.to_owned()), file_name.map(str::to_owned), content.to_vec())
}

#[test]
fn a_form_as_browsers_write_it() {
    let form = b"--q7\r\nContent-Disposition: form-data; name=\"filesize\"\r\n\r\n3\r\n--q7\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\nabc\r\n--q7--\r\n";
    for size in 1..form.len() {
        let parts = read(form, "q7", &[size]).expect("a form");
        assert_eq!(
            parts,
            [part("filesize", None, b"3"), part("file", Some("a.jpg"), b"abc")],
            "chunks of {size}"
        );
    }
}

#[test]
fn quirks_of_real_clients() {
    // A preamble, blanks after the boundary, a part length, no part type, an epilogue, bare line feeds in the head.
    let form = b"hello\r\n--q7 \t\r\nContent-Disposition: form-data; name=file; filename=my pic \xc3\xa9.jpg\r\nContent-Length: 3\r\n\r\nabc\r\n--q7\ncontent-disposition: form-data; name=\"empty\"\n\n\r\n--q7--bye";
    let parts = read(form, "q7", &[3, 1]).expect("a form");
    assert_eq!(parts, [part("file", Some("my pic é.jpg"), b"abc"), part("empty", None, b"")]);
}

#[test]
fn content_that_looks_like_a_boundary_is_content() {
    let content = b"\r\n--q\r\n--q8\r\n-\r\r\n--".as_slice();
    let form = [b"--q7\r\nContent-Disposition: form-data; name=x\r\n\r\n", content, b"\r\n--q7--"].concat();
    for size in 1..form.len() {
        assert_eq!(read(&form, "q7", &[size]).expect("a form"), [part("x", None, content)]);
    }
}

#[test]
fn a_form_that_is_cut_off_is_refused() {
    let form = b"--q7\r\nContent-Disposition: form-data; name=file\r\n\r\nabc\r\n--q7--";
    for cut in 0..form.len() {
        assert!(read(&form[..cut], "q7", &[7]).is_err(), "cut at {cut}");
    }
    assert!(read(form, "other", &[7]).expect_err("wrong boundary").contains("boundary"));
    let long = [b"--q7\r\nX: ".as_slice(), &[b'a'; 20_000], b"\r\n\r\n\r\n--q7--"].concat();
    assert!(read(&long, "q7", &[1000]).expect_err("long headers").contains("16 KiB"));
    let many = b"--q7\r\n\r\nx\r\n".repeat(102);
    assert!(read(&many, "q7", &[1000]).expect_err("many parts").contains("100 parts"));
}

proptest! {
    #[test]
    fn content_survives_any_chunking(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4),
        sizes in prop::collection::vec(1usize..40, 1..10),
    ) {
        let boundary = "xxBoundaryxx";
        let mut form = Vec::new();
        for content in &contents {
            form.extend_from_slice(b"--xxBoundaryxx\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n");
            form.extend_from_slice(content);
            form.extend_from_slice(b"\r\n");
        }
        form.extend_from_slice(b"--xxBoundaryxx--\r\n");
        let expected: Parts = contents.iter().map(|content| part("file", None, content)).collect();
        prop_assert_eq!(read(&form, boundary, &sizes).expect("a form"), expected);
    }

    #[test]
    fn garbage_neither_panics_nor_hangs(
        bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'q'), any::<u8>()], 0..400),
        sizes in prop::collection::vec(1usize..40, 1..5),
    ) {
        if let Ok(parts) = read(&bytes, "q", &sizes) {
            prop_assert!(parts.len() <= PARTS_MAX);
        }
    }
}

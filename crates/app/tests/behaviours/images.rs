//! 17, 18, 20, 21: uploads.

use crate::house::{House, picture, sha256};

const FORM: &str = "multipart/form-data; boundary=q7";
const PART: &[u8] =
    b"Content-Disposition: form-data; name=\"file\"; filename=\"shirt 01.jpg\"\r\nContent-Type: image/jpeg";

#[test]
fn behaviour_17_an_upload_answers_its_hash_and_nothing_else() {
    let house = House::open();
    let bytes = picture("shirt");
    // The same bytes again are the same image.
    for path in ["/upload", "/v1/upload", "/upload/"] {
        let path = format!("{path}?organization={}", house.organization);
        let answer = house.send_part(&path, FORM, PART, &bytes);
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/plain;charset=UTF-8"));
        assert_eq!(answer.text(), sha256(&bytes));
    }
}

#[test]
fn behaviour_18_the_hash_is_of_the_bytes_received() {
    let house = House::open();
    let side = |width: u32, height: u32| {
        let samples = vec![128; (width * height * 3) as usize];
        let bitmap =
            pixels::Bitmap::from_u8(width, height, pixels::Channels::Rgb, samples).expect("a picture");
        let options = pixels::EncodeOptions::new(pixels::Encoding::WebpLossless);
        pixels::encode(&bitmap, &options).expect("a file")
    };
    // Larger than what is worked at: the hash is of the file, not of the picture scaled down.
    let files = [picture("a"), side(3, 2), side(5000, 3)];
    let parts: [&[u8]; 4] = [
        PART,
        b"Content-Disposition: form-data; name=\"file\"; filename=\"x.png\"\r\nContent-Type: image/png",
        b"Content-Disposition: form-data; name=\"file\"; filename=\"noextension\"\r\nContent-Type: text/plain",
        b"Content-Disposition: form-data; name=\"file\"",
    ];
    for bytes in &files {
        for part in parts {
            let answer = house.send_part("/upload", FORM, part, bytes);
            assert_eq!((answer.status, answer.text()), (201, sha256(bytes)));
        }
        let sent_back = house.send("GET", &format!("/image/{}/any", sha256(bytes)), &[], b"");
        assert_eq!((sent_back.status, &sent_back.body), (200, bytes));
    }
}

#[test]
fn behaviour_20_head_says_whether_an_image_was_uploaded() {
    let house = House::open();
    let there = house.upload(&picture("there"));
    let absent = sha256(b"never uploaded");
    let neighbour = house.neighbour();
    let org = &house.organization;
    for (hash, query, status) in [
        (there.as_str(), String::new(), 200),
        (&there, format!("&organization={org}"), 200),
        (&absent, format!("&organization={org}"), 404),
        (&there.to_uppercase(), String::new(), 200),
        ("nonsense", String::new(), 404),
        ("", String::new(), 404),
    ] {
        for path in ["/upload", "/v1/upload/"] {
            let path = format!("{path}?contentHash={hash}{query}");
            let head = house.send("HEAD", &path, &[], b"");
            assert_eq!((head.status, head.body.len()), (status, 0), "{path}");
            assert_eq!(house.send("GET", &path, &[], b"").status, status, "{path}");
        }
    }
    // What others have is not there.
    let theirs = format!("Bearer {}", neighbour.token);
    let path = format!("/upload?contentHash={there}");
    assert_eq!(house.send_bare("HEAD", &path, &[("authorization", &theirs)], b"").status, 404);
}

#[test]
fn behaviour_21_forms_as_real_clients_send_them() {
    let house = House::open();
    let length = picture("Java").len();
    let with_length = format!(
        "Content-Disposition: form-data; name=\"file\"; filename=\"sample_image.jpg\"\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {length}"
    );
    // Type of the request, head of the part, and the file name that is meant.
    let rows: [(&str, &[u8], &str); 15] = [
        ("multipart/form-data;boundary=q7", with_length.as_bytes(), "sample_image.jpg"),
        ("multipart/form-data; boundary=\"q7\"", PART, "shirt 01.jpg"),
        (FORM, b"Content-Disposition: form-data; name=file; filename=plain.jpg", "plain.jpg"),
        (FORM, "Content-Disposition: form-data; name=file; filename=my pic é.jpg".as_bytes(), "my pic é.jpg"),
        (
            FORM,
            "Content-Disposition: form-data; filename=my pic é.jpg; name=file\r\nContent-Type: image/jpeg".as_bytes(),
            "my pic é.jpg",
        ),
        (FORM, "Content-Disposition: form-data; name=\"file\"; filename=\"Hose grün.jpg\"".as_bytes(), "Hose grün.jpg"),
        (FORM, b"Content-Disposition: form-data; name=\"file\"; filename=\"a %22b%22.jpg\"", "a \"b\".jpg"),
        (FORM, b"Content-Disposition: form-data; name=\"file\"; filename*=utf-8''na%C3%AFve%20cup.jpg", "naïve cup.jpg"),
        (
            FORM,
            b"Content-Disposition: form-data; name=\"file\"; filename=\"naive.jpg\"; filename*=UTF-8''na%C3%AFve.jpg",
            "naïve.jpg",
        ),
        (FORM, b"Content-Disposition: form-data; name=\"file\"; filename=\"no type.jpg\"", "no type.jpg"),
        (
            FORM,
            b"Content-Disposition: form-data; name=\"file\"; filename=\"o.jpg\"\r\nContent-Type: application/octet-stream",
            "o.jpg",
        ),
        (FORM, b"content-type: image/png\r\ncontent-disposition:form-data;name=\"file\";filename=\"lower.jpg\"", "lower.jpg"),
        // Only the last part of a path; nothing that could lead out of a folder or end a name.
        (FORM, b"Content-Disposition: form-data; name=\"file\"; filename=\"../../etc/a.jpg\"", "a.jpg"),
        (FORM, b"Content-Disposition: form-data; name=\"file\"; filename=\"C:\\shoot\\a.jpg\"", "a.jpg"),
        (FORM, b"Content-Disposition: form-data; name=\"file\"; filename=\"a?b#c.jpg\"", "a_b_c.jpg"),
    ];
    for (kind, part, name) in rows {
        let shown = String::from_utf8_lossy(part).into_owned();
        let answer = house.send_part("/v1/upload", kind, part, &picture("Java"));
        assert_eq!((answer.status, answer.text()), (201, sha256(&picture("Java"))), "{shown}");
        let created = house.send_part(&house.create_here(), kind, part, &picture("Java"));
        assert_eq!(created.status, 201, "{shown}: {}", created.text());
        assert_eq!(house.execution(&created.text())["inputFileName"], name, "{shown}");
    }
    // `filesize` before the file or after it; parts nobody knows.
    let field = |name: &str, value: &str| {
        format!("--q7\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
    };
    let file = [b"--q7\r\n", PART, b"\r\n\r\n", &picture("size"), b"\r\n"].concat();
    let size = field("filesize", &picture("size").len().to_string());
    let end = b"--q7--\r\n".to_vec();
    for body in [
        [size.clone(), file.clone(), end.clone()].concat(),
        [file.clone(), size, field("comment", "hello"), end.clone()].concat(),
        [field("filesize", ""), file.clone(), end.clone()].concat(),
    ] {
        let answer = house.send("POST", "/upload", &[("content-type", FORM)], &body);
        assert_eq!((answer.status, answer.text()), (201, sha256(&picture("size"))));
    }
    let short = [file, field("filesize", "7"), end].concat();
    assert_eq!(house.send("POST", "/upload", &[("content-type", FORM)], &short).status, 400);
}

//! Not committed: scores of cut-outs of a folder made by `xtask quality`.
use std::fs;
use std::path::Path;
use std::time::Instant;

use matting::metrics;
use pixels::{Bitmap, EncodeOptions, Encoding, Mask};

fn read(path: &Path) -> Option<Bitmap> {
    let bytes = fs::read(path).ok()?;
    let options = pixels::DecodeOptions {
        limits: pixels::Limits::default(),
        fit: None,
        max_side: None,
        codec: pixels::Codec::Fast,
        assume_device_cmyk: false,
    };
    Some(pixels::decode(&bytes, &options).ok()?.bitmap)
}

fn score(cut: &Bitmap, exact: &Bitmap) -> [f64; 8] {
    let (a, e) = (cut.alpha(), exact.alpha());
    let mp = e.values().len() as f64 / 1e6;
    [
        metrics::sad(&a, &e).unwrap() / 1e3 / mp,
        metrics::mse(&a, &e).unwrap() * 1e3,
        metrics::gradient_error(&a, &e).unwrap() / 1e3 / mp,
        metrics::connectivity_error(&a, &e).unwrap() / 1e3 / mp,
        metrics::iou(&a, &e).unwrap(),
        metrics::band_mae(&a, &e, 3).unwrap() * 1e3,
        metrics::edge_colour_error(cut, exact).unwrap(),
        metrics::edge_seen_error(cut, exact, [40, 150, 90], 3).unwrap(),
    ]
}

fn line(name: &str, s: &[f64; 8]) -> String {
    format!(
        "{name:<28} sad {:6.2} mse {:6.2} grad {:6.2} conn {:6.2} iou {:.4} edge {:6.1} dE {:5.2} seen {:5.2}",
        s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
    )
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let folder = Path::new(&args[1]);
    let write = args.iter().any(|a| a == "--write");
    let mut folders: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.join("exact.png").exists())
        .collect();
    folders.sort();
    let mut methods: Vec<(String, Vec<Option<[f64; 8]>>)> = Vec::new();
    let names =
        ["ours", "rawfg", "raw", "network-ml", "rembg", "rembg-matting", "pymatting-cf", "pymatting-knn"];
    for name in names {
        methods.push((name.to_owned(), Vec::new()));
    }
    let mut spent = 0.0;
    for folder in &folders {
        let exact = read(&folder.join("exact.png")).unwrap();
        let photo = read(&folder.join("photo.png")).unwrap().without_alpha();
        let net = read(&folder.join(std::env::var("NET").unwrap_or("network".into()) + ".png")).unwrap();
        let step = net.channels().count();
        let pixels::Samples::U8(s) = net.samples() else { panic!() };
        let mask =
            Mask::new(net.width(), net.height(), s.chunks_exact(step).map(|p| p[0]).collect()).unwrap();
        let raw = photo.clone().with_alpha(&mask).unwrap();
        let covered = mask.values().iter().filter(|&&v| v >= 128).count();
        let square = ((photo.width().min(photo.height()) / 200) as usize).pow(2);
        let options = matting::Options {
            keep: matting::Keep::MinArea(square.max(covered / 1000).max(4)),
            ..matting::Options::default()
        };
        let began = Instant::now();
        let out = matting::cut_out(&photo, Some(&mask), &options).unwrap();
        spent += began.elapsed().as_secs_f64();
        if write {
            let png = pixels::encode(&out.foreground, &EncodeOptions::new(Encoding::png())).unwrap();
            fs::write(folder.join("ours.png"), png).unwrap();
        }
        for (name, scores) in &mut methods {
            let cache = folder.join(format!("{name}.score"));
            let cached = || -> Option<[f64; 8]> {
                let v: Vec<f64> =
                    fs::read_to_string(&cache).ok()?.split_whitespace().map(|v| v.parse().unwrap()).collect();
                v.try_into().ok()
            };
            let s = match name.as_str() {
                "ours" => Some(score(&out.foreground, &exact)),
                "rawfg" => Some(score(&matting::estimate_foreground(&photo, &mask).unwrap(), &exact)),
                _ if cached().is_some() => cached(),
                "raw" => Some(score(&raw, &exact)),
                name => read(&folder.join(format!("{name}.png"))).map(|b| score(&b.into_rgba(), &exact)),
            };
            if let Some(s) = s.filter(|_| name != "ours" && name != "rawfg") {
                fs::write(&cache, s.map(|v| v.to_string()).join(" ")).unwrap();
            }
            scores.push(s);
        }
        eprintln!("{} {:?}", folder.file_name().unwrap().to_string_lossy(), out.method);
    }
    for (name, scores) in &methods {
        let mut mean = [0.0; 8];
        let mut n = 0.0;
        for s in scores.iter().flatten() {
            n += 1.0;
            for i in 0..8 {
                mean[i] += s[i];
            }
        }
        println!("{}", line(name, &mean.map(|v| v / n)));
    }
    println!("{:<30}{}", "sad/dE/seen", names.map(|n| format!("{n:>18}")).join(""));
    for (i, folder) in folders.iter().enumerate() {
        let cells = methods.iter().map(|(_, s)| match s[i] {
            Some(s) => format!("{:7.2}{:5.1}{:6.2}", s[0], s[6], s[7]),
            None => format!("{:>18}", "-"),
        });
        println!("{:<30}{}", folder.file_name().unwrap().to_string_lossy(), cells.collect::<String>());
    }
    println!("seconds {spent:.2}");
}

//! Decodes an image and emits it again with a patch; prints one line of seconds for each step.
//!
//! `cargo run --release -p imgforge-disk --example bench_disk -- BASE.img.xz DIRECTORY [THREADS]`

use std::{env, error::Error, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Instant};

use imgforge_disk::{
    Access, AtomicFile, Content, Device, Disk, FileContent,
    decode::{Options, decode},
    emit::{Origin, RawOptions, XzOptions, raw, xz},
    xz::XzFile,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [source, directory, rest @ ..] = arguments.as_slice() else {
        return Err("usage: bench_disk BASE.img.xz DIRECTORY [THREADS]".into());
    };
    let threads: NonZeroUsize = rest.first().map_or("2", String::as_str).parse()?;
    let directory = PathBuf::from(directory);
    let base = directory.join("base.img");

    let start = Instant::now();
    let decoded = decode(source.as_ref(), &base, &Options { threads, limit: None }, &|_| {})?;
    println!(
        "decode {:.2} s, {} bytes, {}",
        start.elapsed().as_secs_f64(),
        decoded.image_size,
        decoded.image_sha256
    );

    let content = FileContent::open(&base)?;
    let placed: Arc<dyn Content> = Arc::new(vec![7; 1 << 20]);
    for digest in [false, true] {
        let start = Instant::now();
        let mut disk = Disk::new(Arc::new(content.clone()));
        disk.resize(decoded.image_size + (512 << 20));
        for mebibyte in 0..250 {
            disk.place(decoded.image_size + mebibyte * (1 << 20), &placed, 0, 1 << 20)?;
        }
        disk.write_at(4096, b"patched")?;
        let destination = AtomicFile::create(&directory.join("out.img"), Access::Public)?;
        let written = raw(
            &disk,
            &destination,
            &RawOptions { threads, origin: Some(Origin::Base(&content)), digest },
            &|_| {},
        )?;
        println!("raw, digest {digest}: {:.2} s, {} bytes", start.elapsed().as_secs_f64(), written.size);
    }
    if let Ok(published) = FileContent::open(source.as_ref()).and_then(XzFile::open) {
        let start = Instant::now();
        let mut disk = Disk::new(Arc::new(content));
        disk.write_at(4096, b"patched")?;
        let options = XzOptions { threads, preset: 1, block_size: 24 << 20, reuse: Some(&published) };
        let destination = AtomicFile::create(&directory.join("out.img.xz"), Access::Public)?;
        let written = xz(&disk, &destination, &options, &|_| {})?;
        println!("xz, blocks reused: {:.2} s, {} bytes", start.elapsed().as_secs_f64(), written.size);
    }
    Ok(())
}

//! What checking a batch costs: the CRC, the walk over records, whole checks, and strict ones of each codec.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use protocol::id::Timestamp;
use protocol::records::{BatchBuilder, CheckRules, Compression, Validation, check, compute_crc};

/// A value of 100 bytes that compresses about 4:1 under LZ4 among its like, as rows of text do.
fn value(n: usize) -> Vec<u8> {
    let words = ["order", "user", "amount", "status", "paid", "open", "region", "north", "south", "item"];
    let mut seed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::with_capacity(120);
    while text.len() < 100 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let word = words[seed % words.len()];
        text.push_str(word);
        text.push_str(if seed.is_multiple_of(7) { "=" } else { "_service_" });
    }
    text.truncate(100);
    text.into_bytes()
}

fn batch(records: usize, compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new().compression(compression, None);
    for n in 0..records {
        builder.push(Timestamp(1_000), None, Some(&value(n)), &[]);
    }
    builder.build().expect("a batch of a few kilobytes")
}

fn bench_check(c: &mut Criterion, name: &str, batch: &[u8], uncompressed: usize, rules: &CheckRules) {
    let mut group = c.benchmark_group("check");
    group.throughput(Throughput::Bytes(uncompressed.try_into().expect("small")));
    group.bench_function(name, |b| {
        // A sound batch is left as it is, so one copy serves all rounds.
        let mut bytes = batch.to_vec();
        b.iter(|| {
            let mut out = Vec::with_capacity(1);
            check(black_box(&mut bytes), rules, &mut out).expect("a sound batch");
            black_box(out.len())
        });
    });
    group.finish();
}

fn records(c: &mut Criterion) {
    let plain = [batch(1, Compression::None), batch(140, Compression::None), batch(4_700, Compression::None)];
    let mut group = c.benchmark_group("crc");
    for bytes in &plain {
        group.throughput(Throughput::Bytes(bytes.len().try_into().expect("small")));
        group.bench_function(bytes.len().to_string(), |b| b.iter(|| compute_crc(black_box(bytes))));
    }
    group.finish();

    let header = CheckRules { now: Timestamp(1_000), ..CheckRules::default() };
    let strict = CheckRules { validation: Validation::Strict, ..header };
    for bytes in plain.iter().chain([&batch(160, Compression::None)]) {
        bench_check(c, &format!("none/{}", bytes.len()), bytes, bytes.len(), &header);
    }
    for (records, size) in [(140, plain[1].len()), (4_700, plain[2].len())] {
        for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let bytes = batch(records, codec);
            println!("{} {size} -> {}", codec.name(), bytes.len());
            bench_check(c, &format!("{}/header/{size}", codec.name()), &bytes, size, &header);
            bench_check(c, &format!("{}/strict/{size}", codec.name()), &bytes, size, &strict);
        }
    }
}

criterion_group!(benches, records);
criterion_main!(benches);

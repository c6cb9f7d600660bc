//! Every codec: bombs, announced sizes, and all forms that clients send.

use super::*;

#[test]
fn bombs_are_refused_by_every_codec() {
    // One record whose value is 16 MiB of zeros.
    let mut builder = BatchBuilder::new();
    builder.push(NOW, None, Some(&vec![0; 16 << 20]), &[]);
    let huge = builder.build().unwrap();
    let limited = CheckRules { decompressed_bytes_max: 1 << 20, ..strict() };
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut compressed = Vec::new();
        codec::compress(compression, None, &huge[BATCH_OVERHEAD..], &mut compressed).unwrap();
        let bytes = around(&compressed, 1, compression);
        let open = CheckRules { max_message_bytes: u32::MAX, ..limited };
        let error = refused(bytes.clone(), &open);
        assert_eq!(error.code, ErrorCode::MessageTooLarge, "{}: {error}", compression.name());
        let mut buffer = Vec::new();
        assert!(matches!(
            Records::new(&bytes, &mut buffer, 1 << 20),
            Err(ReadError::Decompress(codec::DecompressError::TooLarge(_)))
        ));
        assert!(
            buffer.capacity() < 8 << 20,
            "{}: {} bytes were taken",
            compression.name(),
            buffer.capacity()
        );
        let wide = CheckRules { decompressed_bytes_max: 17 << 20, ..open };
        accepted(&mut bytes.clone(), &wide);
    }
}

#[test]
fn announced_sizes_are_not_believed() {
    // A snappy block of 4 GiB, bare and framed.
    let bare = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    assert_eq!(code(around(&bare, 1, Compression::Snappy), &strict()), ErrorCode::InvalidRecord);
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff".to_vec();
    framed.extend_from_slice(&bare);
    assert_eq!(code(around(&framed, 1, Compression::Snappy), &strict()), ErrorCode::InvalidRecord);
    // A zstd frame that announces 2^60 bytes of content in a window of 2 GiB.
    let mut zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0xa8];
    zstd.extend_from_slice(&(1_u64 << 60).to_le_bytes());
    zstd.extend_from_slice(&[1, 0, 0]);
    assert_eq!(code(around(&zstd, 1, Compression::Zstd), &strict()), ErrorCode::InvalidRecord);
}

#[test]
fn snappy_without_a_frame_is_read() {
    let sound = plain(20, Compression::None);
    let block = snap::raw::Encoder::new().compress_vec(&sound[BATCH_OVERHEAD..]).unwrap();
    let mut bytes = around(&block, 20, Compression::Snappy);
    accepted(&mut bytes, &strict());
    assert_eq!(read(&bytes), read(&sound));
}

#[test]
fn lz4_frames_of_every_kind_are_read() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    use std::io::Write;
    let count = 6_000;
    let sound = plain(count, Compression::None);
    let records = &sound[BATCH_OVERHEAD..];
    for mode in [BlockMode::Independent, BlockMode::Linked] {
        for size in [BlockSize::Max64KB, BlockSize::Max4MB] {
            for checksums in [false, true] {
                let info = FrameInfo::new()
                    .block_mode(mode)
                    .block_size(size)
                    .block_checksums(checksums)
                    .content_checksum(checksums)
                    .content_size(checksums.then_some(records.len() as u64));
                let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(records).unwrap();
                let frame = encoder.finish().unwrap();
                let mut bytes = around(&frame, i32::try_from(count).unwrap(), Compression::Lz4);
                assert_eq!(read(&bytes).len(), count);
                accepted(&mut bytes.clone(), &rules());
                if mode == BlockMode::Independent {
                    accepted(&mut bytes, &strict());
                } else {
                    let error = refused(bytes, &strict());
                    assert_eq!(error.code, ErrorCode::InvalidRecord, "no Kafka client could read it");
                }
            }
        }
    }
}

/// Bytes that do not repeat, each under a mask.
fn noise(length: usize, mask: u8) -> Vec<u8> {
    let mut seed = 1_u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0] & mask
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn lz4_blocks_refer_past_stored_ones() {
    use lz4_flex::frame::{BlockMode, FrameEncoder, FrameInfo};
    use std::io::Write;
    // A block for each of three records: the first two are stored, the third is the first again.
    let mut long = noise(60_100, 0xff);
    let short = long.split_off(60_000);
    let info = FrameInfo::new().block_mode(BlockMode::Linked);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    let mut builder = BatchBuilder::new();
    for value in [&long, &short, &long] {
        let before = builder.size_in_bytes();
        builder.push(NOW, None, Some(value), &[]);
        let sound = builder.clone().build().unwrap();
        encoder.write_all(&sound[before..]).unwrap();
        encoder.flush().unwrap();
    }
    let frame = encoder.finish().unwrap();
    assert!(frame.len() < 61_000, "the third block refers to the first");
    let bytes = around(&frame, 3, Compression::Lz4);
    assert_eq!(read(&bytes)[2].1.2, Some(long));
}

#[test]
fn gzip_members_and_names_are_read() {
    use std::io::Write;
    let sound = plain(20, Compression::None);
    let (first, second) = sound[BATCH_OVERHEAD..].split_at(300);
    let mut frame = Vec::new();
    for part in [first, second] {
        let mut encoder = flate2::GzBuilder::new()
            .filename("name")
            .comment("comment")
            .extra(vec![1, 2, 3])
            .write(&mut frame, flate2::Compression::fast());
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap();
    }
    let mut bytes = around(&frame, 20, Compression::Gzip);
    accepted(&mut bytes, &strict());
    assert_eq!(read(&bytes), read(&sound));
}

#[test]
fn records_larger_than_every_buffer_are_walked() {
    let large = noise(3 << 20, 0x3f);
    for compression in Compression::ALL {
        let mut builder = BatchBuilder::new().compression(compression, None);
        builder.push(NOW, Some(b"a"), Some(b"small"), &[]);
        builder.push(NOW, Some(b"b"), Some(&large), &[]);
        builder.push(NOW, Some(b"c"), Some(b"small"), &[("h", None)]);
        let mut bytes = builder.build().unwrap();
        accepted(&mut bytes, &CheckRules { max_message_bytes: u32::MAX, ..strict() });
        let back = read(&bytes);
        assert_eq!(back[1].1.2.as_deref(), Some(large.as_slice()), "{}", compression.name());
        assert_eq!(back[2].0, 2);
    }
}

//! Batches that are cut, flipped or random: refused, or harmless.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_built_passes_and_is_read_back(samples in samples(), base in 0..1_i64 << 40) {
        for compression in Compression::ALL {
            let mut bytes = build(&samples, BatchBuilder::new().compression(compression, None));
            let header = accepted(&mut bytes, &strict());
            prop_assert_eq!(header.max_timestamp.0, samples.iter().map(|s| s.0).max().unwrap());
            patch(&mut bytes, Offset(base), LeaderEpoch(7));
            prop_assert!(crc_matches(&bytes), "the CRC covers what a leader patches");
            let header = BatchHeader::parse(&bytes).unwrap();
            prop_assert_eq!(header.partition_leader_epoch, LeaderEpoch(7));
            let back = read(&bytes);
            prop_assert_eq!(back.len(), samples.len());
            for (n, (offset, sample)) in back.iter().enumerate() {
                prop_assert_eq!(*offset, base + i64::try_from(n).unwrap());
                prop_assert_eq!(sample, &samples[n]);
            }
            prop_assert_eq!(header.last_offset().0, back.last().unwrap().0);
        }
    }

    #[test]
    fn random_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        count in 1..2_000_i32,
    ) {
        for compression in Compression::ALL {
            let batch = around(&bytes, count, compression);
            let mut copy = batch.clone();
            let _ = check(&mut copy, &strict(), &mut Vec::new());
            let mut buffer = Vec::new();
            if let Ok(records) = Records::new(&batch, &mut buffer, 1 << 20) {
                for record in records.flatten() {
                    let _ = record.headers.count();
                }
            }
        }
        let _ = Batches::new(&bytes).count();
    }

    #[test]
    fn damaged_compressed_records_never_panic(at: prop::sample::Index, bit in 0..8_u8, count in 1..60_usize) {
        for compression in Compression::ALL {
            let batch = plain(count, compression);
            let mut records = batch[BATCH_OVERHEAD..].to_vec();
            let at = at.index(records.len());
            records[at] ^= 1 << bit;
            let mut damaged = around(&records, i32::try_from(count).unwrap(), compression);
            // Damage may hit a value; then the batch is sound. What counts is that nothing else happens.
            let _ = check(&mut damaged, &strict(), &mut Vec::new());
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_or_harmless() {
    for compression in [Compression::None, Compression::Zstd] {
        let sound = plain(3, compression);
        for bit in 0..sound.len() * 8 {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut out = Vec::new();
            match check(&mut bytes, &strict(), &mut out) {
                // The leader overwrites the epoch; nothing else is outside of the CRC and believed.
                Ok(()) => assert!((12..16).contains(&(bit / 8)), "bit {bit} was not noticed"),
                Err(error) => assert!(
                    matches!(error.code, ErrorCode::CorruptMessage | ErrorCode::InvalidRecord),
                    "bit {bit}: {error}"
                ),
            }
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let sound = plain(3, Compression::None);
    for length in 0..sound.len() {
        let short = sound[..length].to_vec();
        assert_eq!(code(short.clone(), &rules()), ErrorCode::InvalidRecord, "{length} bytes");
        let last = Batches::new(&short).last();
        match length {
            0 => assert!(last.is_none()),
            _ => {
                assert!(matches!(last, Some(Err(HeaderError::Truncated { .. }))), "{length} bytes: {last:?}")
            }
        }
    }
}

#[test]
fn truncated_codecs_are_refused() {
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let sound = plain(50, compression);
        let records = &sound[BATCH_OVERHEAD..];
        for length in 0..records.len() {
            let cut = around(&records[..length], 50, compression);
            assert_eq!(code(cut, &strict()), ErrorCode::InvalidRecord, "{} {length}", compression.name());
        }
    }
}

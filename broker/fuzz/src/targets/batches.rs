//! One batch of records, as a producer sends it and as a consumer or the cleaner reads it.

use protocol::records::{
    BatchHeader, CheckRules, Compression, Records, Validation, check, compute_crc, recompress,
};

/// What a topic allows a batch to grow to, small so that a bomb is one.
const DECOMPRESSED_BYTES_MAX: usize = 4 << 20;
const CRC: std::ops::Range<usize> = 17..21;

pub(super) fn run(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let mut batch = bytes.to_vec();
    // Without a CRC that fits nothing behind it is ever looked at.
    if choice & 1 != 0
        && let (Some(crc), Some(field)) = (compute_crc(bytes), batch.get_mut(CRC))
    {
        field.copy_from_slice(&crc.to_be_bytes());
    }
    read(&batch);
    let rules = CheckRules {
        validation: if choice & 2 != 0 { Validation::Strict } else { Validation::Header },
        compacted: choice & 4 != 0,
        zstd_allowed: choice & 8 != 0,
        decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
        ..CheckRules::default()
    };
    let mut checked = Vec::new();
    if check(&mut batch, &rules, &mut checked).is_err() {
        return;
    }
    let codecs =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    for batch in &checked {
        assert_eq!(
            BatchHeader::parse(batch.bytes).as_ref(),
            Ok(&batch.header),
            "what is appended is what was checked"
        );
        let codec = codecs[usize::from(choice >> 4) % codecs.len()];
        let mut buffer = Vec::new();
        if let Ok(again) = recompress(batch, codec, None, &rules, &mut buffer) {
            assert_eq!(again.header.records_count, batch.header.records_count);
        }
    }
}

fn read(batch: &[u8]) {
    let mut buffer = Vec::new();
    let Ok(records) = Records::new(batch, &mut buffer, DECOMPRESSED_BYTES_MAX) else { return };
    for record in records {
        let Ok(record) = record else { return };
        std::hint::black_box(record.headers.count());
    }
}

// The codecs that kafkajs leaves to others: it brings gzip alone.
'use strict'

const lz4 = require('lz4-napi')
const snappy = require('kafkajs-snappy')
const { ZstdCodec } = require('zstd-codec')
const { CompressionCodecs, CompressionTypes } = require('kafkajs')

const zstd = new Promise(resolve => ZstdCodec.run(resolve))

exports.install = () => {
  CompressionCodecs[CompressionTypes.Snappy] = snappy
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async ({ buffer }) => lz4.compressFrame(buffer),
    decompress: async buffer => lz4.decompressFrame(buffer),
  })
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async ({ buffer }) => Buffer.from(new (await zstd).Simple().compress(buffer)),
    // Most clients do not write the size into the frame, so it is decompressed as a stream.
    decompress: async buffer => Buffer.from(new (await zstd).Streaming().decompress(buffer)),
  })
}

/* SPDX-License-Identifier: MIT */
/*
 * LZ4: LZ4_compress_fast_extState clears its table of 16 KiB for every page, which is 0.15 us of 0.9 (of 4 for data
 * that is less simple). Going on with the table of the page before (LZ4_resetStream_fast, LZ4_compress_fast_continue)
 * saves that and loses it again: positions of 32 bits halve the table, and each match is checked for its page.
 */
#include "pager/codec.h"

#include <lz4.h>

#define ZSTD_STATIC_LINKING_ONLY /* contexts in memory of our own */
#include <zstd.h>

static size_t rounded(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

static size_t compressor_bytes(unsigned level, uint32_t page_bytes)
{
    if (level == OL_CODEC_LZ4) return rounded(sizeof(LZ4_stream_t));
    return rounded(ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams((int)level, page_bytes, 0)));
}

static size_t decompressor_bytes(unsigned level)
{
    return level == OL_CODEC_LZ4 ? 0 : rounded(ZSTD_estimateDCtxSize());
}

size_t ol_codec_workspace_bytes(unsigned level, uint32_t page_bytes)
{
    return compressor_bytes(level, page_bytes) + decompressor_bytes(level);
}

/* Every page is a frame without what it does not need: size, checksum, magic number. */
static bool zstd_init(struct ol_codec *codec, char *workspace)
{
    const size_t bytes = compressor_bytes(codec->level, codec->page_bytes);
    ZSTD_CCtx *compressor = ZSTD_initStaticCCtx(workspace, bytes);
    ZSTD_DCtx *decompressor = ZSTD_initStaticDCtx(workspace + bytes, decompressor_bytes(codec->level));
    if (!compressor || !decompressor) return false;
    codec->compressor = compressor;
    codec->decompressor = decompressor;
    return !ZSTD_isError(ZSTD_CCtx_setParameter(compressor, ZSTD_c_compressionLevel, codec->level)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(compressor, ZSTD_c_contentSizeFlag, 0)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(compressor, ZSTD_c_format, ZSTD_f_zstd1_magicless)) &&
           !ZSTD_isError(ZSTD_DCtx_setParameter(decompressor, ZSTD_d_format, ZSTD_f_zstd1_magicless));
}

bool ol_codec_init(struct ol_codec *codec, unsigned level, uint32_t page_bytes, void *workspace)
{
    *codec = (struct ol_codec){.level = (uint8_t)level, .page_bytes = page_bytes};
    if (level != OL_CODEC_LZ4) return zstd_init(codec, workspace);
    codec->compressor = LZ4_initStream(workspace, sizeof(LZ4_stream_t));
    return codec->compressor != NULL;
}

uint32_t ol_codec_compress(const struct ol_codec *codec, const void *page, void *out, uint32_t room)
{
    if (codec->level == OL_CODEC_LZ4) {
        const int bytes =
            LZ4_compress_fast_extState(codec->compressor, page, out, (int)codec->page_bytes, (int)room, 1);
        return bytes > 0 ? (uint32_t)bytes : 0;
    }
    const size_t bytes = ZSTD_compress2(codec->compressor, out, room, page, codec->page_bytes);
    return ZSTD_isError(bytes) ? 0 : (uint32_t)bytes;
}

bool ol_codec_decompress(const struct ol_codec *codec, const void *data, uint32_t bytes, void *page)
{
    if (codec->level == OL_CODEC_LZ4)
        return LZ4_decompress_safe(data, page, (int)bytes, (int)codec->page_bytes) == (int)codec->page_bytes;
    return ZSTD_decompressDCtx(codec->decompressor, page, codec->page_bytes, data, bytes) == codec->page_bytes;
}

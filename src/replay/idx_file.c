#include "replay/idx_file.h"

#include <string.h>
#include <zlib.h>

#include "base/mem.h"

#define LIMIT_BYTES  ((uint64_t)4 << 30)
#define MAX_HEADER   20
#define DEFLATE_MOST 1032 // bytes out of one byte in

// The next count bytes of a plain or gzipped file.
struct source {
    const struct bytes *bytes;
    size_t at; // plain
    z_stream stream;
    bool packed;
};

static bool source_open(struct source *source, const struct bytes *bytes) {
    *source = (struct source){.bytes = bytes};
    source->packed = bytes->size > 2 && bytes->data[0] == 0x1f && bytes->data[1] == 0x8b;
    if (!source->packed) return true;
    if (bytes->size > UINT32_MAX) return false;
    source->stream.next_in = bytes->data;
    source->stream.avail_in = (uInt)bytes->size;
    return inflateInit2(&source->stream, 16 + MAX_WBITS) == Z_OK;
}

static bool source_read(struct source *source, uint8_t *out, size_t count) {
    if (!source->packed) {
        if (count > source->bytes->size - source->at) return false;
        memcpy(out, source->bytes->data + source->at, count);
        source->at += count;
        return true;
    }
    source->stream.next_out = out;
    source->stream.avail_out = (uInt)count;
    int status = inflate(&source->stream, Z_SYNC_FLUSH);
    return source->stream.avail_out == 0 && (status == Z_OK || status == Z_STREAM_END);
}

// Nothing may follow; zlib checks the checksum of a packed file on the way to its end.
static bool source_ends(struct source *source) {
    if (!source->packed) return source->at == source->bytes->size;
    uint8_t beyond;
    source->stream.next_out = &beyond;
    source->stream.avail_out = 1;
    return inflate(&source->stream, Z_SYNC_FLUSH) == Z_STREAM_END &&
           source->stream.avail_out == 1 && source->stream.avail_in == 0;
}

static enum rl_status read_header(const char *path, struct source *source, struct idx *out,
                                  uint64_t *count, struct rl_error *err) {
    uint8_t head[MAX_HEADER];
    if (!source_read(source, head, 4) || head[0] || head[1])
        return rl_fail(err, RL_EFORMAT, "%s: not an IDX file", path);
    out->n_dims = head[3];
    if (head[2] != 8 || (out->n_dims != 1 && out->n_dims != 3 && out->n_dims != 4)) {
        return rl_fail(
            err, RL_EFORMAT,
            "%s: IDX of type %d with %d dimensions; type 8 (bytes) with 1, 3 or 4 is read", path,
            head[2], out->n_dims);
    }
    if (!source_read(source, head + 4, 4 * (size_t)out->n_dims))
        return rl_fail(err, RL_EFORMAT, "%s: torn IDX header", path);
    *count = 1;
    for (int i = 0; i < 4; i++) {
        const uint8_t *p = head + 4 + 4 * i;
        out->dim[i] = 1;
        if (i < out->n_dims)
            out->dim[i] = (int64_t)((uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]);
        if (__builtin_mul_overflow(*count, (uint64_t)out->dim[i], count)) *count = UINT64_MAX;
        if (*count > LIMIT_BYTES) break;
    }
    uint64_t most = source->packed ? (uint64_t)source->bytes->size * DEFLATE_MOST
                                   : source->bytes->size - source->at;
    if (*count >= LIMIT_BYTES || *count > most)
        return rl_fail(err, RL_EFORMAT, "%s: the header claims more values than the file can hold",
                       path);
    return RL_OK;
}

enum rl_status idx_parse(const char *path, const struct bytes *bytes, struct idx *out,
                         struct rl_error *err) {
    struct source source;
    uint64_t count = 0;
    *out = (struct idx){0};
    if (!source_open(&source, bytes))
        return rl_fail(err, RL_EFORMAT, "%s: over 4 GiB or no memory to unpack", path);
    enum rl_status status = read_header(path, &source, out, &count, err);
    if (status == RL_OK) {
        out->values = mem_try_alloc(count + 1, path, err);
        if (!out->values) status = RL_ENOMEM;
    }
    if (status == RL_OK && (!source_read(&source, out->values, count) || !source_ends(&source)))
        status = rl_fail(err, RL_EFORMAT, "%s: torn, damaged, or more than its header says", path);
    if (source.packed) inflateEnd(&source.stream);
    if (status == RL_OK) return RL_OK;
    mem_free(out->values);
    *out = (struct idx){0};
    return status;
}

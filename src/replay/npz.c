// The zip container of .npz (PKWARE's APPNOTE, sections 4.3 and 4.4).
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "replay/npy.h"

#define LIMIT_BYTES   ((uint64_t)4 << 30) // of a file, and of one array
#define MAX_MEMBERS   1024
#define END_BYTES     22
#define CENTRAL_BYTES 46
#define LOCAL_BYTES   30
#define END_MAGIC     0x06054b50u
#define CENTRAL_MAGIC 0x02014b50u
#define LOCAL_MAGIC   0x04034b50u

static uint32_t get16(const unsigned char *p) {
    return p[0] | (uint32_t)p[1] << 8;
}
static uint32_t get32(const unsigned char *p) {
    return get16(p) | get16(p + 2) << 16;
}

static bool name_is_safe(const char *name) {
    return name[0] && name[0] != '/' && !strstr(name, "..") && !strchr(name, '\\');
}

// The end record: its place, or NULL. A comment of up to 64 KiB may follow it.
static const unsigned char *find_end(const struct bytes *file) {
    if (file->size < END_BYTES) return NULL;
    size_t last = file->size - END_BYTES, first = last > 65535 ? last - 65535 : 0;
    for (size_t at = last + 1; at-- > first;) {
        const unsigned char *p = file->data + at;
        if (get32(p) == END_MAGIC && get16(p + 20) == last - at) return p;
    }
    return NULL;
}

// One record of the central directory at *at, which moves past it.
static enum rl_status read_record(const struct npz *npz, size_t *at, struct npz_member *member,
                                  struct rl_error *err) {
    const unsigned char *data = npz->file.data, *p = data + *at;
    size_t left = npz->file.size - *at;
    if (left < CENTRAL_BYTES || get32(p) != CENTRAL_MAGIC)
        return rl_fail(err, RL_EFORMAT, "%s: torn directory of the archive", npz->path);
    size_t name = get16(p + 28), record = CENTRAL_BYTES + name + get16(p + 30) + get16(p + 32);
    if (record > left || name >= sizeof member->name || memchr(p + CENTRAL_BYTES, 0, name))
        return rl_fail(err, RL_EFORMAT, "%s: bad name in the archive", npz->path);
    memcpy(member->name, p + CENTRAL_BYTES, name);
    member->name[name] = 0;
    if (!name_is_safe(member->name))
        return rl_fail(err, RL_EFORMAT, "%s: member '%s' leaves the archive", npz->path,
                       member->name);
    uint32_t method = get16(p + 10);
    member->deflated = method == Z_DEFLATED;
    member->crc = get32(p + 16);
    member->packed_bytes = get32(p + 20);
    member->bytes = get32(p + 24);
    size_t local = get32(p + 42);
    if (get16(p + 8) & 1 || (method != 0 && method != Z_DEFLATED) ||
        member->packed_bytes == UINT32_MAX || member->bytes == UINT32_MAX || local == UINT32_MAX) {
        return rl_fail(
            err, RL_EFORMAT,
            "%s: member '%s' is encrypted, over 4 GiB or packed by method %u; stored and "
            "deflated ones are read",
            npz->path, member->name, method);
    }
    *at += record;
    if (local > npz->file.size || npz->file.size - local < LOCAL_BYTES ||
        get32(data + local) != LOCAL_MAGIC)
        return rl_fail(err, RL_EFORMAT, "%s: member '%s' is not where the directory says",
                       npz->path, member->name);
    member->offset = local + LOCAL_BYTES + get16(data + local + 26) + get16(data + local + 28);
    // Deflate packs at most 1032 to 1: a larger claim is a bomb or damage.
    bool fits = member->offset <= npz->file.size &&
                member->packed_bytes <= npz->file.size - member->offset &&
                (member->deflated ? member->bytes / 1032 <= member->packed_bytes
                                  : member->bytes == member->packed_bytes);
    if (!fits)
        return rl_fail(err, RL_EFORMAT, "%s: member '%s' claims more bytes than there are",
                       npz->path, member->name);
    if (name > 4 && !strcmp(member->name + name - 4, ".npy")) member->name[name - 4] = 0;
    return RL_OK;
}

enum rl_status npz_open(struct npz *npz, const char *path, struct rl_error *err) {
    *npz = (struct npz){.path = path};
    enum rl_status status = file_read(path, LIMIT_BYTES, &npz->file, err);
    if (status != RL_OK) return status;
    const unsigned char *end = find_end(&npz->file);
    if (!end || get16(end + 4) != 0 || get16(end + 8) != get16(end + 10)) {
        npz_close(npz);
        return rl_fail(err, RL_EFORMAT, "%s: not a whole .npz archive", path);
    }
    int count = (int)get16(end + 10);
    size_t at = get32(end + 16);
    if (count > MAX_MEMBERS || at > (size_t)(end - npz->file.data)) {
        npz_close(npz);
        return rl_fail(err, RL_EFORMAT, "%s: %d members; at most %d are read", path, count,
                       MAX_MEMBERS);
    }
    npz->members = MEM_ARRAY(struct npz_member, count + 1);
    for (; npz->count < count && status == RL_OK; npz->count++)
        status = read_record(npz, &at, &npz->members[npz->count], err);
    if (status != RL_OK) npz_close(npz);
    return status;
}

void npz_close(struct npz *npz) {
    mem_free(npz->file.data);
    mem_free(npz->members);
    *npz = (struct npz){0};
}

const struct npz_member *npz_find(const struct npz *npz, const char *name) {
    for (int i = 0; i < npz->count; i++)
        if (!strcmp(npz->members[i].name, name)) return &npz->members[i];
    return NULL;
}

static bool unpack(const unsigned char *from, const struct npz_member *member, unsigned char *to) {
    if (!member->deflated) {
        memcpy(to, from, member->bytes);
        return true;
    }
    // Sizes are below 4 GiB, so zlib's counters hold them.
    z_stream stream = {.next_in = (Bytef *)from,
                       .avail_in = (uInt)member->packed_bytes,
                       .next_out = to,
                       .avail_out = (uInt)member->bytes};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
    int end = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    return end == Z_STREAM_END && stream.total_out == member->bytes;
}

enum rl_status npz_read(const struct npz *npz, const struct npz_member *member, struct bytes *bytes,
                        struct npy *array, struct rl_error *err) {
    *bytes = (struct bytes){mem_try_alloc(member->bytes + 1, member->name, err), member->bytes};
    if (!bytes->data) return RL_ENOMEM;
    enum rl_status status = RL_OK;
    char name[512];
    snprintf(name, sizeof name, "%.300s: member '%s'", npz->path, member->name);
    if (!unpack(npz->file.data + member->offset, member, bytes->data) ||
        crc32_z(0, bytes->data, bytes->size) != member->crc)
        status = rl_fail(err, RL_EFORMAT, "%s is damaged (checksum)", name);
    if (status == RL_OK) status = npy_parse(name, bytes->data, bytes->size, array, err);
    if (status == RL_OK) return RL_OK;
    mem_free(bytes->data);
    *bytes = (struct bytes){0};
    return status;
}

// --- writing ---

static void put16(unsigned char *p, uint32_t value) {
    p[0] = (unsigned char)value;
    p[1] = (unsigned char)(value >> 8);
}

static void put32(unsigned char *p, uint64_t value) {
    put16(p, (uint32_t)value);
    put16(p + 2, (uint32_t)(value >> 16));
}

// The fields that local and central records share, from "version needed" (at p) to the name length.
static void put_shared(unsigned char *p, const struct npz_member *member) {
    put16(p, 20);
    put32(p + 6, 0x00210000); // 1980-01-01: equal contents make equal files
    put32(p + 10, member->crc);
    put32(p + 14, member->bytes);
    put32(p + 18, member->bytes);
    put16(p + 22, (uint32_t)strlen(member->name));
}

static uint64_t position(const struct npz_writer *writer) {
    return writer->file.written_bytes + writer->file.buffered;
}

void npz_writer_open(struct npz_writer *writer, const char *path) {
    writer->count = 0;
    writer->status = file_writer_open(&writer->file, path, &writer->error);
}

// The .npy header; padded so that values begin at a multiple of 64.
static size_t format_header(char out[256], enum npy_type type, int item_bytes, int n_dims,
                            const int64_t *dim) {
    struct text text = {0};
    text_add(&text, "{'descr': '%c%c%d', 'fortran_order': False, 'shape': (",
             item_bytes == 1 ? '|' : '<', "biuf"[type], item_bytes);
    for (int i = 0; i < n_dims; i++)
        text_add(&text, "%lld,%s", (long long)dim[i], i + 1 < n_dims ? " " : "");
    text_add(&text, "), }");
    while ((10 + text.length + 1) % 64) text_add(&text, " ");
    text_add(&text, "\n");
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    put16((unsigned char *)out + 8, (uint32_t)text.length);
    memcpy(out + 10, text.data, text.length);
    size_t length = 10 + text.length;
    text_release(&text);
    return length;
}

void npz_writer_add(struct npz_writer *writer, const char *name, enum npy_type type, int item_bytes,
                    int n_dims, const int64_t *dim, const void *data) {
    if (writer->status != RL_OK) return;
    RL_ASSERT(writer->count < (int)(sizeof writer->members / sizeof writer->members[0]));
    struct npz_member *member = &writer->members[writer->count++];
    snprintf(member->name, sizeof member->name, "%s.npy", name);
    size_t bytes = (size_t)item_bytes;
    for (int i = 0; i < n_dims; i++) bytes = mem_size(bytes, (size_t)dim[i]);
    char header[256];
    size_t length = format_header(header, type, item_bytes, n_dims, dim);
    member->offset = position(writer);
    member->bytes = length + bytes;
    if (member->offset + member->bytes + 65536 > UINT32_MAX) {
        writer->status = rl_fail(&writer->error, RL_EUSAGE, "%s: over 4 GiB; collect fewer steps",
                                 writer->file.path);
        return;
    }
    member->crc = (uint32_t)crc32_z(crc32_z(0, (const Bytef *)header, length), data, bytes);
    unsigned char local[LOCAL_BYTES] = {0};
    put32(local, LOCAL_MAGIC);
    put_shared(local + 4, member);
    file_writer_add(&writer->file, local, sizeof local);
    file_writer_add(&writer->file, member->name, strlen(member->name));
    file_writer_add(&writer->file, header, length);
    file_writer_add(&writer->file, data, bytes);
}

enum rl_status npz_writer_commit(struct npz_writer *writer, struct rl_error *err) {
    if (writer->status != RL_OK) {
        file_writer_abort(&writer->file);
        if (err) *err = writer->error;
        return writer->status;
    }
    uint64_t begin = position(writer);
    for (int i = 0; i < writer->count; i++) {
        const struct npz_member *member = &writer->members[i];
        unsigned char record[CENTRAL_BYTES] = {0};
        put32(record, CENTRAL_MAGIC);
        put16(record + 4, 20);
        put_shared(record + 6, member);
        put32(record + 42, member->offset);
        file_writer_add(&writer->file, record, sizeof record);
        file_writer_add(&writer->file, member->name, strlen(member->name));
    }
    unsigned char end[END_BYTES] = {0};
    put32(end, END_MAGIC);
    put16(end + 8, (uint32_t)writer->count);
    put16(end + 10, (uint32_t)writer->count);
    put32(end + 12, position(writer) - begin);
    put32(end + 16, begin);
    file_writer_add(&writer->file, end, sizeof end);
    return file_writer_commit(&writer->file, err);
}

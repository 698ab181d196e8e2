#include "train/event_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <tensorboard.pb-c.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define FRAME_BYTES        12 // before the data: length and its checksum; 4 more follow the data
#define TAIL_BYTES         4
#define RECORD_LIMIT_BYTES (64u << 20)
#define VERSION_TEXT       "brain.Event:2"
#define DTYPE_FLOAT        1
#define DTYPE_STRING       7
#define DATA_CLASS_TENSOR  2

uint32_t event_file_crc32c(const void *data, size_t size) {
    const unsigned char *bytes = data;
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

// TFRecord masks checksums so that a checksum of data with checksums inside stays a good one.
static uint32_t masked_crc(const void *data, size_t size) {
    uint32_t crc = event_file_crc32c(data, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

enum rl_status event_file_open(struct event_file *file, const char *path, struct rl_error *err) {
    *file = (struct event_file){.fd = -1};
    if (strlen(path) >= sizeof file->path)
        return rl_fail(err, RL_EIO, "path too long: %.60s...", path);
    strcpy(file->path, path);
    file->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file->fd < 0) return rl_fail(err, RL_EIO, "cannot write %s: %s", path, strerror(errno));
    return RL_OK;
}

void event_file_close(struct event_file *file) {
    if (file->fd >= 0) close(file->fd);
    mem_free(file->buffer);
    *file = (struct event_file){.fd = -1};
}

static enum rl_status write_event(struct event_file *file, const RlrunTb__Event *event,
                                  struct rl_error *err) {
    uint64_t size = rlrun_tb__event__get_packed_size(event);
    size_t total = FRAME_BYTES + size + TAIL_BYTES;
    if (total > file->buffer_bytes) {
        file->buffer = mem_grow(file->buffer, file->buffer_bytes, 2 * total);
        file->buffer_bytes = 2 * total;
    }
    memcpy(file->buffer, &size, sizeof size);
    uint32_t crc = masked_crc(&size, sizeof size);
    memcpy(file->buffer + 8, &crc, sizeof crc);
    rlrun_tb__event__pack(event, file->buffer + FRAME_BYTES);
    crc = masked_crc(file->buffer + FRAME_BYTES, size);
    memcpy(file->buffer + FRAME_BYTES + size, &crc, sizeof crc);
    enum rl_status status = file_write_fd(file->fd, file->path, file->buffer, total, err);
    if (status == RL_OK) file->records++;
    return status;
}

static enum rl_status write_version(struct event_file *file, struct rl_error *err) {
    RlrunTb__Event event = RLRUN_TB__EVENT__INIT;
    event.has_wall_time = 1; // 0: the file's first bytes are the same in every run
    event.file_version = (char[]){VERSION_TEXT};
    return write_event(file, &event, err);
}

// Size on disk of the whole record at offset; 0 when there is none.
static uint64_t record_bytes(const struct event_file *file, uint64_t offset, uint64_t file_bytes) {
    unsigned char frame[FRAME_BYTES];
    uint64_t size;
    uint32_t crc;
    if (pread(file->fd, frame, sizeof frame, (off_t)offset) != (ssize_t)sizeof frame) return 0;
    memcpy(&size, frame, sizeof size);
    memcpy(&crc, frame + 8, sizeof crc);
    if (crc != masked_crc(&size, sizeof size) || size > RECORD_LIMIT_BYTES) return 0;
    uint64_t total = FRAME_BYTES + size + TAIL_BYTES;
    return total <= file_bytes - offset ? total : 0;
}

enum rl_status event_file_cut(struct event_file *file, struct rl_error *err) {
    struct stat info;
    if (fstat(file->fd, &info) != 0)
        return rl_fail(err, RL_EIO, "cannot read %s: %s", file->path, strerror(errno));
    uint64_t offset = 0, file_bytes = (uint64_t)info.st_size, total;
    int64_t wanted = file->records;
    for (file->records = 0; file->records < wanted; file->records++) {
        if (!(total = record_bytes(file, offset, file_bytes))) break;
        offset += total;
    }
    if (ftruncate(file->fd, (off_t)offset) != 0 || lseek(file->fd, (off_t)offset, SEEK_SET) < 0)
        return rl_fail(err, RL_EIO, "cannot cut %s: %s", file->path, strerror(errno));
    return file->records ? RL_OK : write_version(file, err);
}

// --- what goes in ---

static enum rl_status write_values(struct event_file *file, double wall_time_s, int64_t step,
                                   RlrunTb__Summary__Value **values, size_t count,
                                   struct rl_error *err) {
    RlrunTb__Summary summary = RLRUN_TB__SUMMARY__INIT;
    RlrunTb__Event event = RLRUN_TB__EVENT__INIT;
    summary.value = values;
    summary.n_value = count;
    event.has_wall_time = event.has_step = 1;
    event.wall_time = wall_time_s;
    event.step = step;
    event.summary = &summary;
    return write_event(file, &event, err);
}

enum rl_status event_file_scalars(struct event_file *file, double wall_time_s, int64_t step,
                                  const char *kind, const struct metrics *metrics,
                                  struct rl_error *err) {
    RlrunTb__Summary__Value values[METRICS_MAX], *pointers[METRICS_MAX];
    char tags[METRICS_MAX][2 * METRICS_NAME_BYTES];
    for (int i = 0; i < metrics->count; i++) {
        const char *name = metrics->name[i];
        bool own = strchr(name, '/') != NULL;
        snprintf(tags[i], sizeof tags[i], "%s%s%s", own ? "" : kind, own ? "" : "/", name);
        rlrun_tb__summary__value__init(&values[i]);
        values[i].tag = tags[i];
        values[i].has_simple_value = 1;
        values[i].simple_value = (float)metrics_mean(metrics, i);
        pointers[i] = &values[i];
    }
    return write_values(file, wall_time_s, step, pointers, (size_t)metrics->count, err);
}

enum rl_status event_file_text(struct event_file *file, double wall_time_s, int64_t step,
                               const char *tag, const char *text, struct rl_error *err) {
    RlrunTb__Summary__Value value = RLRUN_TB__SUMMARY__VALUE__INIT, *pointer = &value;
    RlrunTb__Metadata metadata = RLRUN_TB__METADATA__INIT;
    RlrunTb__Metadata__PluginData plugin = RLRUN_TB__METADATA__PLUGIN_DATA__INIT;
    RlrunTb__Tensor tensor = RLRUN_TB__TENSOR__INIT;
    RlrunTb__Tensor__Shape shape = RLRUN_TB__TENSOR__SHAPE__INIT;
    RlrunTb__Tensor__Shape__Dim dim = RLRUN_TB__TENSOR__SHAPE__DIM__INIT, *dims = &dim;
    ProtobufCBinaryData bytes = {strlen(text), (uint8_t *)(uintptr_t)text}; // only read
    plugin.plugin_name = (char[]){"text"};
    metadata.plugin_data = &plugin;
    dim.has_size = 1;
    dim.size = 1;
    shape.n_dim = 1;
    shape.dim = &dims;
    tensor.has_dtype = 1;
    tensor.dtype = DTYPE_STRING;
    tensor.tensor_shape = &shape;
    tensor.n_string_val = 1;
    tensor.string_val = &bytes;
    value.tag = (char *)(uintptr_t)tag;
    value.metadata = &metadata;
    value.tensor = &tensor;
    return write_values(file, wall_time_s, step, &pointer, 1, err);
}

// Width and height of a PNG (IHDR, big-endian) or a GIF (screen descriptor, little-endian).
static void image_size(const uint8_t *data, size_t size, RlrunTb__Summary__Image *image) {
    if (!memcmp(data, "GIF8", 4)) {
        RL_ASSERT(size >= 13);
        image->width = data[6] | data[7] << 8;
        image->height = data[8] | data[9] << 8;
        image->colorspace = 3;
        return;
    }
    RL_ASSERT(size >= 33 && !memcmp(data + 1, "PNG", 3));
    image->width = data[16] << 24 | data[17] << 16 | data[18] << 8 | data[19];
    image->height = data[20] << 24 | data[21] << 16 | data[22] << 8 | data[23];
    image->colorspace = data[25] & 2 ? 3 : 1;
}

enum rl_status event_file_image(struct event_file *file, double wall_time_s, int64_t step,
                                const char *tag, const uint8_t *file_bytes, size_t size,
                                struct rl_error *err) {
    RlrunTb__Summary__Value value = RLRUN_TB__SUMMARY__VALUE__INIT, *pointer = &value;
    RlrunTb__Summary__Image image = RLRUN_TB__SUMMARY__IMAGE__INIT;
    image.has_width = image.has_height = image.has_colorspace = image.has_encoded_image_string = 1;
    image_size(file_bytes, size, &image);
    image.encoded_image_string = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)file_bytes};
    value.tag = (char *)(uintptr_t)tag;
    value.image = &image;
    return write_values(file, wall_time_s, step, &pointer, 1, err);
}

// The event that carries a plug-in's data beside an empty tensor.
static enum rl_status write_plugin_data(struct event_file *file, double wall_time_s,
                                        const char *tag, const char *plugin_name,
                                        ProtobufCBinaryData content, struct rl_error *err) {
    RlrunTb__Summary__Value value = RLRUN_TB__SUMMARY__VALUE__INIT, *pointer = &value;
    RlrunTb__Metadata metadata = RLRUN_TB__METADATA__INIT;
    RlrunTb__Metadata__PluginData plugin = RLRUN_TB__METADATA__PLUGIN_DATA__INIT;
    RlrunTb__Tensor tensor = RLRUN_TB__TENSOR__INIT;
    RlrunTb__Tensor__Shape shape = RLRUN_TB__TENSOR__SHAPE__INIT;
    float zero = 0;
    plugin.plugin_name = (char *)(uintptr_t)plugin_name;
    plugin.has_content = 1;
    plugin.content = content;
    metadata.plugin_data = &plugin;
    metadata.has_data_class = 1;
    metadata.data_class = DATA_CLASS_TENSOR;
    tensor.has_dtype = 1;
    tensor.dtype = DTYPE_FLOAT;
    tensor.tensor_shape = &shape; // a scalar
    tensor.n_float_val = 1;
    tensor.float_val = &zero;
    value.tag = (char *)(uintptr_t)tag;
    value.metadata = &metadata;
    value.tensor = &tensor;
    return write_values(file, wall_time_s, 0, &pointer, 1, err);
}

enum rl_status event_file_hparams(struct event_file *file, double wall_time_s, const char *run_name,
                                  const struct event_hparam *values, size_t count,
                                  struct rl_error *err) {
    RlrunTb__HParamValue *value = MEM_ARRAY(RlrunTb__HParamValue, count + 1);
    RlrunTb__HParam *entry = MEM_ARRAY(RlrunTb__HParam, count + 1);
    RlrunTb__HParam **entries = MEM_ARRAY(RlrunTb__HParam *, count + 1);
    for (size_t i = 0; i < count; i++) {
        rlrun_tb__hparam_value__init(&value[i]);
        rlrun_tb__hparam__init(&entry[i]);
        value[i].has_number_value = !values[i].text;
        value[i].number_value = values[i].number;
        value[i].string_value = (char *)(uintptr_t)values[i].text;
        entry[i].key = (char *)(uintptr_t)values[i].name;
        entry[i].value = &value[i];
        entries[i] = &entry[i];
    }
    RlrunTb__HParamsSession session = RLRUN_TB__HPARAMS_SESSION__INIT;
    RlrunTb__HParamsData data = RLRUN_TB__HPARAMS_DATA__INIT;
    session.n_hparams = count;
    session.hparams = entries;
    session.group_name = (char *)(uintptr_t)run_name;
    session.has_start_time_secs = 1;
    session.start_time_secs = wall_time_s;
    data.has_version = 1;
    data.session_start_info = &session;
    size_t size = rlrun_tb__hparams_data__get_packed_size(&data);
    uint8_t *packed = mem_alloc(size);
    rlrun_tb__hparams_data__pack(&data, packed);
    enum rl_status status = write_plugin_data(file, wall_time_s, "_hparams_/session_start_info",
                                              "hparams", (ProtobufCBinaryData){size, packed}, err);
    mem_free(packed);
    mem_free(value);
    mem_free(entry);
    mem_free(entries);
    return status;
}

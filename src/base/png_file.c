#include "base/png_file.h"

#include <png.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

// libpng's simplified interface; it keeps its own error text in the image.
enum rl_status png_write(const char *path, const uint8_t *pixels, int width, int height,
                         int channels, struct rl_error *err) {
    RL_ASSERT(channels == 1 || channels == 3);
    RL_ASSERT(width > 0 && height > 0);
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *memory = mem_try_alloc(size, path, err);
    if (!memory) return RL_ENOMEM;
    enum rl_status status;
    if (png_image_write_to_memory(&image, memory, &size, 0, pixels, 0, NULL)) {
        status = file_write_atomic(path, memory, size, err);
    } else {
        status = rl_fail(err, RL_EIO, "%s: %s", path, image.message);
    }
    png_image_free(&image);
    mem_free(memory);
    return status;
}

static enum rl_status decode(const char *path, png_image *from, struct png_image *image,
                             struct rl_error *err) {
    if (from->width > 16384 || from->height > 16384 ||
        (uint64_t)from->width * from->height > 64u << 20) {
        return rl_fail(err, RL_EFORMAT,
                       "%s: %ux%u pixels; at most 16384 on a side and 64 M are read", path,
                       from->width, from->height);
    }
    from->format = from->format & PNG_FORMAT_FLAG_COLOR ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    image->channels = from->format == PNG_FORMAT_RGB ? 3 : 1;
    image->width = (int)from->width, image->height = (int)from->height;
    image->pixels = mem_try_alloc(PNG_IMAGE_SIZE(*from), path, err);
    if (!image->pixels) return RL_ENOMEM;
    png_color black = {0, 0, 0}; // behind transparent pixels
    if (!png_image_finish_read(from, &black, image->pixels, 0, NULL)) {
        return rl_fail(err, RL_EFORMAT, "%s: %s", path, from->message);
    }
    return RL_OK;
}

enum rl_status png_read(const char *path, struct png_image *image, struct rl_error *err) {
    *image = (struct png_image){0};
    struct bytes bytes;
    enum rl_status status = file_read(path, 256u << 20, &bytes, err);
    if (status != RL_OK) return status;
    png_image from = {.version = PNG_IMAGE_VERSION};
    if (png_image_begin_read_from_memory(&from, bytes.data, bytes.size)) {
        status = decode(path, &from, image, err);
    } else {
        status = rl_fail(err, RL_EFORMAT, "%s: %s", path, from.message);
    }
    png_image_free(&from);
    mem_free(bytes.data);
    if (status != RL_OK) {
        mem_free(image->pixels);
        *image = (struct png_image){0};
    }
    return status;
}

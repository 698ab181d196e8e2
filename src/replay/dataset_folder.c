// Pictures from folders, and which files belong together.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/png_file.h"
#include "replay/dataset_parts.h"

bool dataset_labels_path(const char *images, char *out, size_t size) {
    const char *slash = strrchr(images, '/'), *name = slash ? slash + 1 : images;
    const char *word = strstr(name, "images");
    if (!word || strlen(images) + 1 > size) return false;
    int before = (int)(word - images);
    snprintf(out, size, "%.*slabels%s", before, images, word + strlen("images"));
    char *kind = strstr(out + before, "idx3");
    if (kind) kind[3] = '1';
    return file_exists(out);
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static bool is_png(const char *name) {
    size_t length = strlen(name);
    return length > 4 && !strcmp(name + length - 4, ".png");
}

// Pictures of one size gathered into one growing buffer.
struct gathered {
    int64_t dim[4]; // n, h, w, c
    int64_t capacity;
    uint8_t *images;
    int *label;
};

static enum rl_status add_picture(struct gathered *all, const char *path, int label,
                                  struct rl_error *err) {
    struct png_image image;
    enum rl_status status = png_read(path, &image, err);
    if (status != RL_OK) return status;
    int64_t *dim = all->dim;
    if (dim[0] == 0) dim[1] = image.height, dim[2] = image.width, dim[3] = image.channels;
    size_t each = (size_t)(dim[1] * dim[2] * dim[3]);
    if (image.height != dim[1] || image.width != dim[2] || image.channels != dim[3]) {
        status = rl_fail(err, RL_EFORMAT,
                         "%s: %dx%d with %d channels, the first picture has %lldx%lld with %lld",
                         path, image.width, image.height, image.channels, (long long)dim[2],
                         (long long)dim[1], (long long)dim[3]);
    }
    int64_t wanted[4] = {dim[0] + 1, dim[1], dim[2], dim[3]};
    if (status == RL_OK) status = dataset_check_dims(path, wanted, err);
    if (status == RL_OK && dim[0] == all->capacity) {
        size_t old = (size_t)all->capacity, more = old + old / 2 + 1;
        all->images = mem_grow(all->images, old * each, more * each);
        all->label = mem_grow(all->label, old * sizeof(int), more * sizeof(int));
        all->capacity = (int64_t)more;
    }
    if (status == RL_OK) {
        memcpy(all->images + (size_t)dim[0] * each, image.pixels, each);
        all->label[dim[0]++] = label;
    }
    mem_free(image.pixels);
    return status;
}

// The pictures right in dir, by name.
static enum rl_status add_folder(struct gathered *all, const char *dir, int label,
                                 struct rl_error *err) {
    struct dirent **names;
    int count = scandir(dir, &names, visible, alphasort);
    if (count < 0) return rl_fail(err, RL_EIO, "cannot read the folder %s", dir);
    enum rl_status status = RL_OK;
    for (int i = 0; i < count; i++) {
        char path[4096];
        if (status == RL_OK && is_png(names[i]->d_name)) {
            file_join(path, sizeof path, dir, names[i]->d_name);
            status = add_picture(all, path, label, err);
        }
        free(names[i]);
    }
    free(names);
    return status;
}

enum rl_status dataset_load_pictures(const char *dir, struct dataset *out, struct rl_error *err) {
    struct gathered all = {0};
    struct dirent **names;
    int count = scandir(dir, &names, visible, alphasort), classes = 0;
    if (count < 0) return rl_fail(err, RL_EIO, "cannot read the folder %s", dir);
    enum rl_status status = RL_OK;
    for (int i = 0; i < count; i++) {
        char path[4096];
        file_join(path, sizeof path, dir, names[i]->d_name);
        if (status == RL_OK && file_is_dir(path)) status = add_folder(&all, path, classes++, err);
        free(names[i]);
    }
    free(names);
    if (status == RL_OK && classes == 0) status = add_folder(&all, dir, 0, err);
    if (status == RL_OK && all.dim[0] == 0)
        status =
            rl_fail(err, RL_EFORMAT, "%s: no PNG file, nor IDX files named train-images*", dir);
    if (status != RL_OK || classes == 0) {
        mem_free(all.label);
        all.label = NULL;
    }
    if (status == RL_OK) return dataset_take(out, dir, all.dim, all.images, all.label, err);
    mem_free(all.images);
    return status;
}

#include "cli/config_names.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define DEPTH_LIMIT 4

static void add_name(struct config_names *names, const char *relative) {
    if (names->count == names->capacity) {
        int capacity = names->capacity ? 2 * names->capacity : 16;
        names->name = mem_grow(names->name, (size_t)names->capacity * sizeof *names->name,
                               (size_t)capacity * sizeof *names->name);
        names->capacity = capacity;
    }
    char *copy = mem_strdup(relative);
    copy[strlen(copy) - strlen(".yaml")] = '\0';
    names->name[names->count++] = copy;
}

static void read_folder(struct config_names *names, const char *root, const char *relative,
                        int depth) {
    char path[4096];
    file_join(path, sizeof path, root, relative);
    DIR *dir = opendir(path);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char inner[1024];
        int length = snprintf(inner, sizeof inner, "%s%s%s", relative, relative[0] ? "/" : "",
                              entry->d_name);
        if (entry->d_name[0] == '.' || length < 0 || (size_t)length >= sizeof inner) continue;
        file_join(path, sizeof path, root, inner);
        if (file_is_dir(path)) {
            if (depth < DEPTH_LIMIT) read_folder(names, root, inner, depth + 1);
        } else if (length > 5 && !strcmp(inner + length - 5, ".yaml")) {
            add_name(names, inner);
        }
    }
    closedir(dir);
}

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void config_names_read(struct config_names *names) {
    *names = (struct config_names){0};
    char root[4096];
    file_join(root, sizeof root, file_data_dir(), "configs");
    read_folder(names, root, "", 0);
    if (names->count) qsort(names->name, (size_t)names->count, sizeof *names->name, compare);
}

void config_names_release(struct config_names *names) {
    for (int i = 0; i < names->count; i++) mem_free(names->name[i]);
    mem_free(names->name);
    *names = (struct config_names){0};
}

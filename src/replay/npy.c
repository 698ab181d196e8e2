#include "replay/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The header's dictionary, walked once; data ends at end and is not terminated.
struct cursor {
    const char *at, *end;
};

static void skip_space(struct cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t')) c->at++;
}

static bool take(struct cursor *c, char wanted) {
    skip_space(c);
    if (c->at == c->end || *c->at != wanted) return false;
    c->at++;
    return true;
}

static bool take_word(struct cursor *c, const char *word) {
    size_t length = strlen(word);
    skip_space(c);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0) return false;
    c->at += length;
    return true;
}

static bool take_string(struct cursor *c, char *out, size_t size) {
    skip_space(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return false;
    char quote = *c->at++;
    size_t length = 0;
    for (; c->at < c->end && *c->at != quote; c->at++) {
        if (length + 1 == size || *c->at == '\\') return false;
        out[length++] = *c->at;
    }
    out[length] = 0;
    return take(c, quote);
}

static bool take_count(struct cursor *c, int64_t *out) {
    skip_space(c);
    int digits = 0;
    for (*out = 0; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, digits++) {
        if (digits == 15) return false;
        *out = *out * 10 + (*c->at - '0');
    }
    return digits > 0;
}

static bool take_shape(struct cursor *c, struct npy *out) {
    if (!take(c, '(')) return false;
    for (out->n_dims = 0; !take(c, ')');) {
        if (out->n_dims == NPY_MAX_DIMS || !take_count(c, &out->dim[out->n_dims++])) return false;
        if (take(c, ',')) continue;
        return take(c, ')');
    }
    return true;
}

static bool parse_descr(const char *descr, struct npy *out) {
    if (strlen(descr) != 3 || !strchr("<|>", descr[0])) return false;
    const char *kinds = "biuf", *kind = strchr(kinds, descr[1]);
    if (!kind || !strchr("1248", descr[2])) return false;
    out->type = (enum npy_type)(kind - kinds);
    out->item_bytes = descr[2] - '0';
    if (out->type == NPY_BOOL && out->item_bytes != 1) return false;
    if (out->type == NPY_FLOAT && out->item_bytes < 4) return false;
    return descr[0] != '>' || out->item_bytes == 1;
}

// false with descr filled as far as it was understood
static bool parse_header(struct cursor c, struct npy *out, char *descr, size_t descr_size,
                         bool *fortran) {
    int seen = 0;
    char key[32];
    *out = (struct npy){.dim = {1, 1, 1, 1}};
    if (!take(&c, '{')) return false;
    while (!take(&c, '}')) {
        if (!take_string(&c, key, sizeof key) || !take(&c, ':')) return false;
        if (!strcmp(key, "descr") && !(seen & 1)) {
            if (!take_string(&c, descr, descr_size)) return false;
            seen |= 1;
        } else if (!strcmp(key, "fortran_order") && !(seen & 2)) {
            *fortran = take_word(&c, "True");
            if (!*fortran && !take_word(&c, "False")) return false;
            seen |= 2;
        } else if (!strcmp(key, "shape") && !(seen & 4)) {
            if (!take_shape(&c, out)) return false;
            seen |= 4;
        } else {
            return false;
        }
        if (take(&c, ',')) continue;
        if (!take(&c, '}')) return false;
        break;
    }
    return seen == 7;
}

enum rl_status npy_parse(const char *name, const unsigned char *data, size_t size, struct npy *out,
                         struct rl_error *err) {
    static const char magic[6] = "\x93NUMPY";
    if (size < 10 || memcmp(data, magic, sizeof magic) != 0)
        return rl_fail(err, RL_EFORMAT, "%s: not a .npy array", name);
    int version = data[6];
    size_t prefix = version == 1 ? 10 : 12, header = data[8] | (size_t)data[9] << 8;
    if (version < 1 || version > 3 || size < prefix)
        return rl_fail(err, RL_EFORMAT, "%s: .npy version %d; 1 to 3 are read", name, version);
    if (version > 1) header |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    char descr[16] = "";
    bool fortran = false;
    struct cursor c = {(const char *)data + prefix, (const char *)data + prefix + header};
    if (header > size - prefix || !parse_header(c, out, descr, sizeof descr, &fortran)) {
        return rl_fail(err, RL_EFORMAT,
                       "%s: bad .npy header; arrays of numbers with up to %d dimensions are read",
                       name, NPY_MAX_DIMS);
    }
    if (!parse_descr(descr, out)) {
        return rl_fail(
            err, RL_EFORMAT,
            "%s: dtype '%s'; bool, int, unsigned and float32/64 (little endian) are read", name,
            descr);
    }
    if (fortran)
        return rl_fail(err, RL_EFORMAT, "%s: Fortran order; save np.ascontiguousarray(x)", name);
    out->data = data + prefix + header;
    size_t left = size - prefix - header, need = (size_t)out->item_bytes;
    for (int i = 0; i < NPY_MAX_DIMS; i++) {
        if (__builtin_mul_overflow(need, (size_t)out->dim[i], &need)) need = SIZE_MAX;
        if (need == SIZE_MAX) break;
    }
    if (need != left) {
        return rl_fail(err, RL_EFORMAT,
                       "%s: the header asks for %zu bytes of values, %zu are there", name, need,
                       left);
    }
    out->count = (int64_t)(need / (size_t)out->item_bytes);
    return RL_OK;
}

double npy_value(const struct npy *array, int64_t at) {
    const unsigned char *p = array->data + (size_t)at * (size_t)array->item_bytes;
    uint64_t bits = 0;
    memcpy(&bits, p, (size_t)array->item_bytes);
    if (array->type == NPY_FLOAT) {
        float single;
        double value;
        memcpy(&single, p, sizeof single);
        if (array->item_bytes == 4) return (double)single;
        memcpy(&value, p, sizeof value);
        return value;
    }
    if (array->type != NPY_INT) return (double)bits;
    int shift = 64 - 8 * array->item_bytes; // sign extension
    return (double)((int64_t)(bits << shift) >> shift);
}

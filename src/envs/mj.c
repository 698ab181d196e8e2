#include "envs/mj.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

struct guard {
    jmp_buf back;
    char message[384];
};

static _Thread_local struct guard *current;

// MuJoCo must not get control back from its error handler. A fatal error outside any guard is our
// bug.
static void on_error(const char *message) {
    RL_ASSERT(current != NULL);
    snprintf(current->message, sizeof current->message, "%s", message);
    longjmp(current->back, 1);
}

static void on_warning(const char *message) {
    (void)message; // counted in mjData.warning; printing (and a log file) is MuJoCo's default
}

static void install_handlers(void) {
    mju_user_error = on_error;
    mju_user_warning = on_warning;
}

enum rl_status mj_guard(void (*body)(void *context), void *context, struct rl_error *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_handlers);
    struct guard guard, *outer = current;
    if (setjmp(guard.back) == 0) {
        current = &guard;
        body(context);
        current = outer;
        return RL_OK;
    }
    current = outer;
    return rl_fail(err, RL_EMODEL, "MuJoCo: %s", guard.message);
}

struct load {
    const char *path;
    mj_edit_fn edit;
    const void *context;
    mjModel *model;
    char reason[384];
};

static void load_body(void *context) {
    struct load *load = context;
    mjSpec *spec = mj_parseXML(load->path, NULL, load->reason, sizeof load->reason);
    if (!spec) return;
    if (load->edit && !load->edit(spec, load->context)) {
        snprintf(load->reason, sizeof load->reason, "an element that the task changes is missing");
    } else {
        load->model = mj_compile(spec, NULL);
        if (!load->model) {
            snprintf(load->reason, sizeof load->reason, "%s", mjs_getError(spec));
        }
    }
    mj_deleteSpec(spec);
}

static void on_one_line(char *text) {
    size_t length = strlen(text);
    while (length && (text[length - 1] == '\n' || text[length - 1] == ' ')) text[--length] = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') text[i] = ' ';
    }
}

mjModel *mj_load_file(const char *path, mj_edit_fn edit, const void *context,
                      struct rl_error *err) {
    if (!file_exists(path)) {
        rl_fail(err, RL_ENOTFOUND, "%s: no such model file", path);
        return NULL;
    }
    struct load load = {.path = path, .edit = edit, .context = context};
    if (mj_guard(load_body, &load, err) != RL_OK) {
        rl_fail_context(err, "%s", path);
        return NULL;
    }
    on_one_line(load.reason);
    if (!load.model) rl_fail(err, RL_EMODEL, "%s: %s", path, load.reason);
    return load.model;
}

struct make_data {
    const mjModel *model;
    mjData *data;
};

static void make_data_body(void *context) {
    struct make_data *make = context;
    make->data = mj_makeData(make->model);
}

mjData *mj_make_data(const mjModel *model, struct rl_error *err) {
    struct make_data make = {.model = model};
    if (mj_guard(make_data_body, &make, err) != RL_OK) return NULL;
    if (!make.data) rl_fail(err, RL_ENOMEM, "MuJoCo could not allocate the state of a model");
    return make.data;
}

bool mj_has_warnings(const mjData *data) {
    for (int i = 0; i < mjNWARNING; i++) {
        if (data->warning[i].number) return true;
    }
    return false;
}

void mj_clear_warnings(mjData *data) {
    memset(data->warning, 0, sizeof data->warning);
}

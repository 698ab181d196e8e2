#include "envs/domain.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "envs/env.h"

#define DOMAIN(name) &domain_##name,
const struct domain *const domains[] = {
#include "envs/domains.def"
};
#undef DOMAIN
const int domain_count = (int)(sizeof domains / sizeof *domains);

#define MAX_NAMES  192
#define NAME_BYTES 64

// Every name that env_create knows: all tasks, then all domains. Filled once.
static struct {
    char text[MAX_NAMES][NAME_BYTES];
    const char *names[MAX_NAMES];
    const struct domain *domain[MAX_NAMES];
    const struct task *task[MAX_NAMES];
    int n_tasks, n_names;
} known;

static void add_name(const struct domain *domain, const struct task *task, const char *task_name) {
    RL_ASSERT(known.n_names < MAX_NAMES);
    int at = known.n_names++;
    snprintf(known.text[at], NAME_BYTES, "%s%s%s", domain->name, *task_name ? "-" : "", task_name);
    known.names[at] = known.text[at];
    known.domain[at] = domain;
    known.task[at] = task;
}

static void fill_known(void) {
    for (int d = 0; d < domain_count; d++) {
        for (const struct task *task = domains[d]->tasks; task->name; task++) {
            add_name(domains[d], task, task->name);
        }
    }
    known.n_tasks = known.n_names;
    for (int d = 0; d < domain_count; d++) add_name(domains[d], domains[d]->tasks, "");
}

static void know(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_known);
}

static bool same_name(const char *known_name, const char *asked) {
    for (; *known_name && *asked; known_name++, asked++) {
        bool joint = *known_name == '-' || *known_name == '_';
        if (joint ? !strchr("-_/", *asked) : *known_name != *asked) return false;
    }
    return *known_name == *asked;
}

enum rl_status domain_find(const char *name, const struct domain **domain, const struct task **task,
                           struct rl_error *err) {
    know();
    for (int i = 0; i < known.n_names; i++) {
        if (!same_name(known.names[i], name)) continue;
        *domain = known.domain[i];
        *task = known.task[i];
        return RL_OK;
    }
    char suggestion[128];
    text_suggestion(suggestion, sizeof suggestion, name, known.names, (size_t)known.n_names);
    return rl_fail(err, RL_EUSAGE, "unknown environment '%s'%s", name, suggestion);
}

int env_task_count(void) {
    know();
    return known.n_tasks;
}

const char *env_task_name(int index) {
    RL_ASSERT(index >= 0 && index < env_task_count());
    return known.names[index];
}

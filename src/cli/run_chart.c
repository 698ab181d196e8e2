#include "cli/run_chart.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

const char *const run_chart_x_names[] = {"frames", "steps", "updates", "wall_s", NULL};

const char *run_chart_axis(const char *x_key) {
    static const char *const texts[] = {"frames (control steps)", "agent steps", "agent updates",
                                        "wall time, s"};
    for (int i = 0; run_chart_x_names[i]; i++) {
        if (!strcmp(x_key, run_chart_x_names[i])) return texts[i];
    }
    return x_key;
}

// Names of metrics.jsonl that a reader should not need to know.
static const char *figure_name(const char *key) {
    static const char *const names[][2] = {{"return_mean", "evaluation return"},
                                           {"episode_return", "training return"},
                                           {"critic_loss", "critic loss"},
                                           {"q_mean", "mean Q"},
                                           {"ssl/latent_rank", "effective rank of latents"},
                                           {"ssl/std", "std of SSL outputs"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!strcmp(key, names[i][0])) return names[i][1];
    }
    return key;
}

static enum rl_status read_curves(struct run_chart *rc, const struct run_chart_request *request,
                                  struct rl_error *err) {
    const struct run_set *set = rc->set;
    for (int k = 0; k < request->n_keys; k++) {
        for (int g = 0; g < set->n_groups; g++) {
            struct curve *curve = &rc->curves[k * set->n_groups + g];
            enum rl_status status =
                run_set_curve(set, &set->groups[g], request->kind, request->keys[k], request->x_key,
                              request->statistic, curve, err);
            if (status != RL_OK) return status;
            rc->n_points += curve->count;
        }
    }
    return RL_OK;
}

// The statistic, its interval's ends: three arrays of curve->count in values.
static struct chart_curve line_of(const struct curve *curve, int colour, double *values) {
    int n = curve->count;
    double *y = values, *low = values + n, *high = values + 2 * n;
    for (int i = 0; i < n; i++) {
        y[i] = curve->y[i].value;
        low[i] = curve->y[i].low;
        high[i] = curve->y[i].high;
    }
    return (struct chart_curve){curve->x, y, low, high, n, colour};
}

static void fill_panel(struct run_chart *rc, const struct run_chart_request *request, int k,
                       double **values) {
    static const char *const over_seeds[] = {"IQM", "mean", "median"};
    int n_groups = rc->set->n_groups, most_seeds = 0;
    struct chart_panel *panel = &rc->panels[k];
    *panel = (struct chart_panel){.title = rc->title[k],
                                  .x_label = run_chart_axis(request->x_key),
                                  .y_label = figure_name(request->keys[k]),
                                  .curves = rc->lines + (size_t)k * n_groups};
    for (int g = 0; g < n_groups; g++) {
        const struct curve *curve = &rc->curves[k * n_groups + g];
        if (curve->count == 0) continue;
        rc->lines[k * n_groups + panel->n_curves++] = line_of(curve, g, *values);
        *values += 3 * (size_t)curve->count;
        most_seeds = curve->seeds > most_seeds ? curve->seeds : most_seeds;
    }
    snprintf(rc->title[k], sizeof(rc->title[k]), most_seeds > 1 ? "%s: %s and 95%% interval" : "%s",
             figure_name(request->keys[k]), over_seeds[request->statistic]);
}

static void make_legend(struct run_chart *rc, int n_keys) {
    const struct run_set *set = rc->set;
    rc->legend = MEM_ARRAY(const char *, set->n_groups);
    rc->labels = mem_alloc(mem_size((size_t)set->n_groups, sizeof(*rc->labels)));
    for (int g = 0; g < set->n_groups; g++) {
        int seeds = 0;
        for (int k = 0; k < n_keys; k++) {
            int here = rc->curves[k * set->n_groups + g].seeds;
            seeds = here > seeds ? here : seeds;
        }
        const char *label = set->groups[g].label;
        if (seeds == 1 && set->groups[g].n_runs == 1) {
            snprintf(rc->labels[g], sizeof(*rc->labels), "%s", label);
        } else {
            snprintf(rc->labels[g], sizeof(*rc->labels), "%s (%d of %d seeds)", label, seeds,
                     set->groups[g].n_runs);
        }
        rc->legend[g] = rc->labels[g];
    }
}

enum rl_status run_chart_make(struct run_chart *rc, const struct run_set *set,
                              const struct run_chart_request *request, struct rl_error *err) {
    RL_ASSERT(request->n_keys <= RUN_CHART_MAX_KEYS && request->statistic <= STATISTIC_MEDIAN);
    int n = request->n_keys * set->n_groups;
    *rc = (struct run_chart){.set = set, .curves = MEM_ARRAY(struct curve, n), .n_curves = n};
    enum rl_status status = read_curves(rc, request, err);
    if (status != RL_OK) return status;
    rc->lines = MEM_ARRAY(struct chart_curve, n);
    double *values = rc->values = MEM_ARRAY(double, 3 * (rc->n_points + 1));
    for (int k = 0; k < request->n_keys; k++) fill_panel(rc, request, k, &values);
    make_legend(rc, request->n_keys);
    rc->chart = (struct chart){.panels = rc->panels,
                               .n_panels = request->n_keys,
                               .legend = rc->legend,
                               .n_legend = set->n_groups,
                               .width = 720,
                               .height = 400};
    return RL_OK;
}

void run_chart_release(struct run_chart *rc) {
    for (int i = 0; i < rc->n_curves; i++) curve_release(&rc->curves[i]);
    mem_free(rc->curves);
    mem_free(rc->lines);
    mem_free(rc->values);
    mem_free((void *)rc->legend);
    mem_free(rc->labels);
    *rc = (struct run_chart){0};
}

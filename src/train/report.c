#include "train/report.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "train/progress.h"

static const char style[] =
    "body{font:15px/1.5 system-ui,'DejaVu Sans',sans-serif;color:#23272e;background:#f5f6f8;"
    "margin:0}main{max-width:1120px;margin:0 auto;padding:24px}h1{font-size:24px;margin:0 0 4px}"
    "h2{font-size:18px;margin:0 0 10px}section{background:#fff;border:1px solid #e2e4e8;"
    "border-radius:8px;padding:18px 22px;margin:18px 0;overflow-x:auto}p{margin:4px 0 10px;"
    "color:#565e69}table{border-collapse:collapse;font-size:14px;"
    "font-variant-numeric:tabular-nums}th,td{text-align:left;padding:5px 14px 5px 0;"
    "border-bottom:1px solid #eceef1;vertical-align:top}th{color:#565e69;font-weight:600}"
    "td.n,th.n{text-align:right}.dot{display:inline-block;width:11px;height:11px;"
    "border-radius:50%;margin-right:8px}.bad{color:#b3261e}.charts{display:grid;"
    "grid-template-columns:repeat(auto-fit,minmax(480px,1fr));gap:12px}.charts>div:first-child{"
    "grid-column:1/-1;max-width:860px}svg{width:100%;height:auto}.clips{display:grid;"
    "grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:14px}figure{margin:0}"
    "figure video,figure img{width:100%;border-radius:6px;display:block;background:#000}"
    "figcaption{font-size:13px;margin-top:4px;overflow-wrap:anywhere}"
    "code,pre{font:13px/1.45 'DejaVu Sans Mono',monospace}pre{margin:6px 0;white-space:pre-wrap}"
    "summary{cursor:pointer;margin:4px 0}";

static void add_escaped(struct text *out, const char *words) {
    for (; *words; words++) {
        switch (*words) {
        case '<': text_add(out, "&lt;"); break;
        case '>': text_add(out, "&gt;"); break;
        case '&': text_add(out, "&amp;"); break;
        case '"': text_add(out, "&quot;"); break;
        default: text_add_bytes(out, words, 1);
        }
    }
}

static void add_element(struct text *out, const char *open, const char *words, const char *close) {
    text_add(out, "%s", open);
    add_escaped(out, words);
    text_add(out, "%s", close);
}

static void add_number(struct text *out, double value, int decimals) {
    if (isfinite(value)) {
        text_add(out, "<td class=n>%.*f</td>", decimals, value);
    } else {
        text_add(out, "<td class=n>&ndash;</td>");
    }
}

static void add_base64(struct text *out, const struct bytes *bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char chunk[4];
    for (size_t i = 0; i < bytes->size; i += 3) {
        size_t left = bytes->size - i;
        uint32_t word = (uint32_t)bytes->data[i] << 16;
        if (left > 1) word |= (uint32_t)bytes->data[i + 1] << 8;
        if (left > 2) word |= bytes->data[i + 2];
        for (int k = 0; k < 4; k++) chunk[k] = digits[word >> (18 - 6 * k) & 63];
        if (left < 3) chunk[3] = '=';
        if (left < 2) chunk[2] = '=';
        text_add_bytes(out, chunk, 4);
    }
}

static void add_group_name(const struct report *report, int group, struct text *out) {
    text_add(out, "<td><span class=dot style=\"background:%s\"></span>", report->colours[group]);
    add_element(out, "", report->set->groups[group].label, "</td>");
}

// --- results ---

// Scores of the counted runs, NaN for those without an evaluation; owned by the caller.
static struct scores scores_of(const struct run_set *set, const struct run_group *group) {
    int *runs = MEM_ARRAY(int, group->n_runs);
    int count = run_set_counted(set, group, runs);
    double *values = MEM_ARRAY(double, count);
    for (int i = 0; i < count; i++) values[i] = set->runs[runs[i]].score;
    mem_free(runs);
    return (struct scores){values, count, 1};
}

// P(a seed of this setting beats a seed of the first).
static void add_improvement(const struct report *report, int group, struct text *out) {
    const struct run_set *set = report->set;
    struct scores mine = scores_of(set, &set->groups[group]);
    struct scores first = scores_of(set, &set->groups[0]);
    bool both = scores_count(&mine) > 0 && scores_count(&first) > 0;
    double p = both ? statistics_improvement(&mine, &first, &bootstrap_default).value : NAN;
    add_number(out, group == 0 ? NAN : p, 2);
    mem_free((void *)(uintptr_t)mine.value);
    mem_free((void *)(uintptr_t)first.value);
}

static void add_seeds(const struct report *report, const struct run_group *group,
                      struct text *out) {
    text_add(out, "<td>");
    for (int i = 0; i < group->n_runs; i++) {
        const struct run_info *run = &report->set->runs[group->run[i]];
        const char *state = run_state_names[run->state];
        bool whole = run->state == RUN_STATE_ENDED;
        text_add(out, "%s<span%s title=\"seed %lld, %s at frame %lld\">", i ? ", " : "",
                 whole ? "" : " class=bad", (long long)run->seed, state, (long long)run->frames);
        if (isnan(run->score)) {
            text_add(out, "%s", whole ? "no evaluation" : state);
        } else {
            text_add(out, "%.0f", run->score);
            if (!whole) text_add(out, " (%s)", state);
        }
        text_add(out, "</span>");
    }
    text_add(out, "</td>");
}

static void add_results(const struct report *report, struct text *out) {
    const struct run_set *set = report->set;
    text_add(out, "<section><h2>Results</h2><p>Return of the last evaluation. IQM, mean and "
                  "median are over the seeds that ended, with the IQM's 95%% bootstrap interval; "
                  "of a setting where none has ended yet, over all its seeds. With two or three "
                  "seeds the interval is narrower than the truth.</p>"
                  "<table><tr><th>setting<th class=n>IQM<th>95%% interval<th class=n>mean<th "
                  "class=n>median<th class=n>P(beats the first)<th>seeds</tr>");
    for (int g = 0; g < set->n_groups; g++) {
        const struct run_group *group = &set->groups[g];
        struct estimate iqm = run_set_score(set, group, STATISTIC_IQM);
        text_add(out, "<tr>");
        add_group_name(report, g, out);
        add_number(out, iqm.value, 1);
        if (isfinite(iqm.low)) {
            text_add(out, "<td>%.1f to %.1f</td>", iqm.low, iqm.high);
        } else {
            text_add(out, "<td>one seed</td>");
        }
        add_number(out, run_set_score(set, group, STATISTIC_MEAN).value, 1);
        add_number(out, run_set_score(set, group, STATISTIC_MEDIAN).value, 1);
        add_improvement(report, g, out);
        add_seeds(report, group, out);
        text_add(out, "</tr>\n");
    }
    text_add(out, "</table></section>\n");
}

static void add_failures(const struct report *report, struct text *out) {
    const struct run_set *set = report->set;
    int count = set->n_failures;
    for (int i = 0; i < set->n_runs; i++) count += set->runs[i].state == RUN_STATE_FAILED;
    if (count == 0) return;
    text_add(out, "<section><h2>Failed</h2><table><tr><th>run<th>what it said</tr>");
    for (int i = 0; i < set->n_runs; i++) {
        if (set->runs[i].state != RUN_STATE_FAILED) continue;
        add_element(out, "<tr><td>", set->runs[i].name, "</td>");
        add_element(out, "<td class=bad>", set->runs[i].error, "</td></tr>");
    }
    for (int i = 0; i < set->n_failures; i++) {
        add_element(out, "<tr><td>", set->failures[i].name, "</td>");
        add_element(out, "<td class=bad>", set->failures[i].error, "</td></tr>");
    }
    text_add(out, "</table></section>\n");
}

// --- curves and clips ---

// From "<svg" on: what stands before it (XML's own header) has no place inside a page.
static const char *svg_body(const struct bytes *svg) {
    const char *body = svg->data ? strstr((const char *)svg->data, "<svg") : NULL;
    return body ? body : "";
}

// PLplot names its clipping paths alike in all pictures; on one page each needs names of its own.
static void add_svg(const struct bytes *svg, int number, struct text *out) {
    static const char name[] = "text-clipping";
    const char *from = svg_body(svg), *next;
    for (; (next = strstr(from, name)); from = next + sizeof(name) - 1) {
        text_add_bytes(out, from, (size_t)(next - from));
        text_add(out, "chart%d-clip", number);
    }
    text_add(out, "%s", from);
}

static void add_charts(const struct report *report, struct text *out) {
    text_add(out, "<section><h2>Curves</h2><p>Lines are the statistic over seeds, bands its 95%% "
                  "bootstrap interval.</p><div class=charts>");
    for (int i = 0; i < report->n_charts; i++) {
        const struct report_chart *chart = &report->charts[i];
        text_add(out, "<div>");
        if (chart->svg.data) add_svg(&chart->svg, i, out);
        if (chart->text) add_element(out, "<pre>", chart->text, "</pre>");
        if (chart->note) add_element(out, "<p>", chart->note, "</p>");
        text_add(out, "</div>\n");
    }
    text_add(out, "</div></section>\n");
}

static void add_clips(const struct report *report, struct text *out) {
    bool any = false;
    for (int i = 0; i < report->set->n_runs; i++) any = any || report->clips[i].file.size;
    if (!any) return;
    text_add(out, "<section><h2>Policies</h2><div class=clips>");
    for (int i = 0; i < report->set->n_runs; i++) {
        const struct report_clip *clip = &report->clips[i];
        const struct run_info *run = &report->set->runs[i];
        if (clip->file.size == 0) continue;
        bool video = !strncmp(clip->type, "video", 5);
        text_add(out, "<figure><%s src=\"data:%s;base64,",
                 video ? "video autoplay loop muted playsinline controls" : "img", clip->type);
        add_base64(out, &clip->file);
        text_add(out, "\">%s<figcaption><span class=dot style=\"background:%s\"></span>",
                 video ? "</video>" : "", report->colours[run->group]);
        add_element(out, "", run->name, "<br>");
        add_element(out, "", clip->caption, "</figcaption></figure>\n");
    }
    text_add(out, "</div></section>\n");
}

// --- runs, their latents, options, machines ---

static void add_runs(const struct report *report, struct text *out) {
    static const struct {
        const char *key, *head;
        int decimals;
    } figures[] = {{"ssl/std", "std", 4},
                   {"ssl/std_healthy", "healthy std", 4},
                   {"ssl/latent_rank", "latent rank", 1},
                   {"ssl/cosine", "cosine", 3},
                   {"q_mean", "Q", 1}};
    enum { N = sizeof(figures) / sizeof(*figures) };
    text_add(out, "<section><h2>Runs</h2><p>The newest figures of each log. An encoder has "
                  "collapsed when std is near 0 beside its healthy value, or its latents' "
                  "effective rank near 1.</p><table><tr><th>run<th>state<th class=n>seed<th "
                  "class=n>frames<th class=n>updates<th>trained<th class=n>return<th "
                  "class=n>best");
    for (int k = 0; k < N; k++) text_add(out, "<th class=n>%s", figures[k].head);
    text_add(out, "</tr>");
    for (int i = 0; i < report->set->n_runs; i++) {
        const struct run_info *run = &report->set->runs[i];
        char time[32];
        progress_format_time(time, sizeof(time), run->wall_s);
        text_add(out, "<tr><td><span class=dot style=\"background:%s\"></span>",
                 report->colours[run->group]);
        add_element(out, "", run->name, "</td>");
        text_add(out,
                 "<td%s>%s</td><td class=n>%lld</td><td class=n>%lld</td><td class=n>%lld</td>"
                 "<td>%s</td>",
                 run->state == RUN_STATE_ENDED ? "" : " class=bad", run_state_names[run->state],
                 (long long)run->seed, (long long)run->frames, (long long)run->updates, time);
        add_number(out, run->score, 1);
        add_number(out, run->best, 1);
        for (int k = 0; k < N; k++) {
            add_number(out, metrics_get(&run->last, figures[k].key), figures[k].decimals);
        }
        text_add(out, "</tr>\n");
    }
    text_add(out, "</table></section>\n");
}

static void add_differences(const struct report *report, struct text *out) {
    enum { MAX = 200 };
    const struct run_set *set = report->set;
    struct option_name *names = MEM_ARRAY(struct option_name, MAX);
    int count = run_set_differences(set, names, MAX);
    text_add(out, "<section><h2>Configurations</h2>");
    if (set->n_groups > 1) {
        text_add(out, "<p>Options that differ between settings; all others are the same.</p>"
                      "<table><tr><th>option");
        for (int g = 0; g < set->n_groups; g++) add_element(out, "<th>", set->groups[g].label, "");
        text_add(out, "</tr>");
        for (int i = 0; i < count; i++) {
            text_add(out, "<tr><td><code>%s%s%s</code></td>", names[i].section,
                     *names[i].section ? "." : "", names[i].key);
            for (int g = 0; g < set->n_groups; g++) {
                add_element(out, "<td>", run_set_option(set, &set->groups[g], &names[i]), "</td>");
            }
            text_add(out, "</tr>\n");
        }
        text_add(out, "</table>");
    }
    mem_free(names);
    for (int g = 0; g < set->n_groups; g++) {
        const struct run_info *run = &set->runs[set->groups[g].run[0]];
        char path[RUN_DIR_PATH_BYTES + 64];
        struct bytes yaml;
        snprintf(path, sizeof(path), "%s/" RUN_DIR_CONFIG, run->path);
        if (file_read(path, 1 << 20, &yaml, NULL) != RL_OK) continue;
        add_element(out, "<details><summary>all options of ", run->name, "</summary>");
        add_element(out, "<pre>", (const char *)yaml.data, "</pre></details>\n");
        mem_free(yaml.data);
    }
    text_add(out, "</section>\n");
}

// machine.json of a run without its start, as "key value, ...".
static void describe_machine(const struct run_info *run, struct text *out) {
    char path[RUN_DIR_PATH_BYTES + 64];
    snprintf(path, sizeof(path), "%s/" RUN_DIR_MACHINE, run->path);
    json_t *facts = json_load_file(path, 0, NULL), *value;
    const char *key;
    json_object_foreach(facts, key, value) {
        if (!strcmp(key, "started")) continue;
        text_add(out, "%s%s ", out->length ? ", " : "", key);
        if (json_is_string(value)) text_add(out, "%s", json_string_value(value));
        if (json_is_number(value)) text_add(out, "%g", json_number_value(value));
    }
    json_decref(facts);
}

// Each machine once, with how many of the runs it made.
static void add_machines(const struct report *report, struct text *out) {
    const struct run_set *set = report->set;
    struct text *machines = MEM_ARRAY(struct text, set->n_runs);
    for (int i = 0; i < set->n_runs; i++) describe_machine(&set->runs[i], &machines[i]);
    text_add(out, "<section><h2>Machines</h2>");
    for (int i = 0; i < set->n_runs; i++) {
        int same = 0;
        bool seen = false;
        for (int k = 0; k < set->n_runs && machines[i].data; k++) {
            bool equal = machines[k].data && !strcmp(machines[k].data, machines[i].data);
            same += equal;
            seen = seen || (equal && k < i);
        }
        if (seen || !machines[i].data) continue;
        text_add(out, "<p>%d of %d runs: ", same, set->n_runs);
        add_element(out, "", machines[i].data, "</p>");
    }
    text_add(out, "</section>\n");
    for (int i = 0; i < set->n_runs; i++) text_release(&machines[i]);
    mem_free(machines);
}

void report_html(const struct report *report, struct text *out) {
    const struct run_set *set = report->set;
    text_add(out, "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
                  "<meta name=viewport content=\"width=device-width\">");
    add_element(out, "<title>", report->title, "</title>");
    text_add(out, "<style>%s</style></head><body><main>", style);
    add_element(out, "<h1>", report->title, "</h1>");
    text_add(out, "<p>%d run%s, %d setting%s. rlrun " RLRUN_VERSION ", made by ", set->n_runs,
             set->n_runs == 1 ? "" : "s", set->n_groups, set->n_groups == 1 ? "" : "s");
    add_element(out, "<code>", report->command, "</code></p>\n");
    add_results(report, out);
    add_charts(report, out);
    add_clips(report, out);
    add_failures(report, out);
    add_runs(report, out);
    add_differences(report, out);
    add_machines(report, out);
    text_add(out, "</main></body></html>\n");
}

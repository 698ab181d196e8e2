// Configuration files: what is accepted must come back the same through the dump.
#include <string.h>

#include "base/config.h"
#include "fuzz/fuzz.h"

struct sample {
    int64_t batch;
    double rate;
    bool on;
    int kind;
    char name[OPT_STRING_BYTES];
};
static const char *const kinds[] = {"mean", "sum", NULL};
static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct sample, batch, "256", 1, 65536, "rows"),
    OPT_ROW_REAL(struct sample, rate, "1e-4", 0, 1, "rate"),
    OPT_ROW_BOOL(struct sample, on, "true", "switch"),
    OPT_ROW_CHOICE(struct sample, kind, "mean", kinds, "kind"),
    OPT_ROW_STRING(struct sample, name, "", "name"),
    OPT_END,
};
static const struct opt_table table = {"sample", specs};

static enum rl_status read_sample(const char *text, size_t size, struct sample *sample) {
    const struct opt_table *tables[] = {&table};
    struct config config = {0};
    struct rl_error err = {0};
    memset(sample, 0, sizeof *sample);
    enum rl_status status = config_add_yaml_text(&config, text, size, "fuzz", &err);
    if (status == RL_OK) status = config_apply(&config, &table, sample, &err);
    if (status == RL_OK) status = config_check_used(&config, tables, 1, &err);
    FUZZ_REQUIRE((status == RL_OK) == (err.message[0] == '\0'));
    config_release(&config);
    return status;
}

// A copy of the exact size lets the address sanitizer see a read beyond the end.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sample sample, again;
    char *text = malloc(size + 1);
    if (size) memcpy(text, data, size);
    enum rl_status status = read_sample(text, size, &sample);
    free(text);
    if (status != RL_OK) return 0;
    struct text dump = {0};
    opt_dump_yaml(&table, &sample, &dump);
    FUZZ_REQUIRE(read_sample(dump.data, dump.length, &again) == RL_OK);
    bool same = again.batch == sample.batch && again.rate == sample.rate && again.on == sample.on &&
                again.kind == sample.kind && !strcmp(again.name, sample.name);
    FUZZ_REQUIRE(same);
    text_release(&dump);
    return 0;
}

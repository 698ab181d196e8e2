// A file of latents. The first byte: 1 puts the checksum right, 2 offers the file as raw rows of a
// publish under way, else it is what the policy sees; the second is where the checkpoint says that
// the rows end. What loads is finite.
#include <math.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "train/latent_store.h"

#define SIDE      6
#define ENTRIES   9
#define DIM       4
#define LATENT_FD 902

// Its weights play no part.
static struct param_item item;
static real weight;
static struct encoder encoder = {
    .spec.in_dim = {SIDE, SIDE, 3},
    .params = {.n_items = 1, .items = &item, .count = 1, .value = &weight},
    .out_dim = DIM,
};
static struct replay *replay;
static struct snapshot snapshot;
static struct publisher publisher;
static char folder[64], link_path[128];

static void release(void) {
    unlink(link_path);
    rmdir(folder);
    publisher_release(&publisher);
    snapshot_release(&snapshot);
    replay_destroy(replay);
}

// A folder whose only file, of version 1, is the descriptor LATENT_FD of this process.
static void make_folder(void) {
    char target[64];
    strcpy(folder, "/tmp/rlrun_fuzz_latents_XXXXXX");
    FUZZ_REQUIRE(mkdtemp(folder));
    snprintf(target, sizeof target, "/proc/self/fd/%d", LATENT_FD);
    snprintf(link_path, sizeof link_path, "%s/latents-1-0.bin", folder);
    FUZZ_REQUIRE(symlink(target, link_path) == 0);
}

// A replay of a few entries under a published encoder.
static void make_run(void) {
    struct rl_error err = {0};
    struct replay_spec spec = {.capacity = 20,
                               .frame_dim = {SIDE, SIDE, 3},
                               .frame_stack = 1,
                               .action_dim = 1,
                               .latent_dim = DIM,
                               .reserve = 4};
    uint8_t frame[SIDE * SIDE * 3] = {0};
    replay = replay_create(&spec, &err);
    FUZZ_REQUIRE(replay);
    for (int i = 0; i < ENTRIES; i++) {
        struct replay_entry entry = {.frame = frame, .discount = 1, .first = i == 0};
        replay_append(replay, &entry);
        replay_set_action(replay, (const real[]){0});
    }
    snapshot_init(&snapshot, &encoder, 5);
    FUZZ_REQUIRE(publisher_init(&publisher, &encoder, replay, 5, &err) == RL_OK);
    publisher.next = ENTRIES;
    make_folder();
    FUZZ_REQUIRE(atexit(release) == 0);
}

static void require_finite(bool raw) {
    for (int64_t entry = 0; entry < ENTRIES; entry++) {
        for (int i = 0; i < DIM; i++) {
            FUZZ_REQUIRE(isfinite(raw ? publisher_row(&publisher, replay, entry)[i]
                                      : replay_latent(replay, entry)[i]));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!replay) make_run();
    if (size < 2) return 0;
    size_t length = size - 2;
    bool raw = data[0] & 2;
    uint64_t hash = 0;
    uint8_t *copy = malloc(length + 1);
    memcpy(copy, data + 2, length);
    if (length >= sizeof hash) {
        if (data[0] & 1) hash = XXH3_64bits(copy, length - sizeof hash);
        if (data[0] & 1) memcpy(copy + length - sizeof hash, &hash, sizeof hash);
        memcpy(&hash, copy + length - sizeof hash, sizeof hash);
    }
    char path[64];
    int fd = fuzz_file(copy, length, path);
    FUZZ_REQUIRE(dup2(fd, LATENT_FD) == LATENT_FD);
    // Of a chain of one file: what latent_store.c makes of its checksum.
    struct latent_chain chain = {
        .version = 1, .end = data[1], .checksum = XXH3_64bits(&hash, sizeof hash)};
    struct latent_store_state state = {0};
    *(raw ? &state.next : &state.latents) = chain;
    snapshot.version = raw ? 0 : 1; // of the publish under way: one more
    publisher.active = raw;
    struct latent_store *store = latent_store_create(folder, replay, &snapshot, &publisher);
    struct rl_error err = {0};
    enum rl_status status = latent_store_load(store, &state, NULL, &err);
    if (status == RL_OK) {
        require_finite(raw);
    } else {
        FUZZ_REQUIRE(err.message[0]);
    }
    latent_store_destroy(store);
    close(LATENT_FD);
    close(fd);
    free(copy);
    return 0;
}

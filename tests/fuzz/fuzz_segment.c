// A replay's segment file. The first byte chooses: 1 puts the checksum right, 2 a compressed
// replay; the second is where the checkpoint says that the replay ends. What loads can be read.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "replay/replay_store.h"

#define SIDE  6
#define STACK 2

// A folder whose only segment is the descriptor 900 of this process.
#define SEGMENT_FD 900
static const char *segment_folder(void) {
    static char folder[64];
    char link[128], target[64];
    if (folder[0]) return folder;
    snprintf(folder, sizeof folder, "/tmp/rlrun_fuzz_segment_%d", (int)getpid());
    FUZZ_REQUIRE(mkdtemp(strcat(folder, "_XXXXXX")));
    snprintf(link, sizeof link, "%s/seg-0.bin", folder);
    snprintf(target, sizeof target, "/proc/self/fd/%d", SEGMENT_FD);
    FUZZ_REQUIRE(symlink(target, link) == 0);
    return folder;
}

static void remove_folder(void) {
    char link[128];
    snprintf(link, sizeof link, "%s/seg-0.bin", segment_folder());
    unlink(link);
    rmdir(segment_folder());
}

static void read_all(const struct replay *replay) {
    uint8_t stack[SIDE * SIDE * 3 * STACK];
    struct replay_window window = replay_window(replay);
    for (int64_t entry = window.begin; entry < window.end; entry++) {
        replay_stack(replay, entry, stack);
        FUZZ_REQUIRE(replay_obs(replay, entry) && replay_action(replay, entry));
        replay_is_transition(replay, window, entry);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool registered;
    if (!registered) registered = atexit(remove_folder) == 0;
    if (size < 2) return 0;
    size_t length = size - 2;
    uint8_t *copy = malloc(length + 1);
    memcpy(copy, data + 2, length);
    if ((data[0] & 1) && length >= 8) {
        uint64_t hash = XXH3_64bits(copy, length - 8);
        memcpy(copy + length - 8, &hash, sizeof hash);
    }
    char path[64];
    int fd = fuzz_file(copy, length, path);
    FUZZ_REQUIRE(dup2(fd, SEGMENT_FD) == SEGMENT_FD);
    struct replay_spec spec = {.capacity = 20,
                               .frame_dim = {SIDE, SIDE, 3},
                               .frame_stack = STACK,
                               .obs_dim = 3,
                               .action_dim = 2,
                               .reserve = 4,
                               .compress = data[0] & 2};
    struct rl_error err = {0};
    struct replay *replay = replay_create(&spec, &err);
    struct replay_store *store = replay_store_create(segment_folder());
    FUZZ_REQUIRE(replay && store);
    struct replay_store_state state = {.end = data[1]};
    if (length >= 8) { // of the one segment: what replay_store.c makes of its checksum
        uint64_t hash;
        memcpy(&hash, copy + length - 8, sizeof hash);
        state.checksum = XXH3_64bits(&hash, sizeof hash);
    }
    enum rl_status status = replay_store_load(store, &state, replay, NULL, &err);
    if (status == RL_OK) {
        read_all(replay);
    } else {
        FUZZ_REQUIRE(err.message[0] && replay_end(replay) == 0);
    }
    replay_store_destroy(store);
    replay_destroy(replay);
    close(SEGMENT_FD);
    close(fd);
    free(copy);
    return 0;
}

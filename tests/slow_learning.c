// Learning from pixels, whole: DDPG on the latents of a BYOL encoder that learns beside it must run
// ten times as far as the random policy does (about 8) within 16,000 frames of cheetah-run, and its
// embeddings must not have collapsed. Fixed seed, so the same bits on machines of one SIMD level
// (131.5 with AVX2 and with AVX-512); the bounds have room for others. With target networks that
// never follow the return is 59.8, with the reward's sign turned 2.8; without BYOL's stop-gradient
// and slow target it is 78.3 (the inverse and reward heads alone still teach the encoder), with a
// std of 0.004.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/program.h"
#include "train/metrics_file.h"

#define BOUND     90.0
#define LEAST_STD 0.03 // of the normalised embeddings; healthy is 0.088

static double last_std(void) {
    struct metrics_series series = {0};
    struct rl_error err;
    assert_int_equal(metrics_file_series("slow_learning.tmp/metrics.jsonl", "train", "ssl/std",
                                         "frames", &series, &err),
                     RL_OK);
    assert_true(series.count > 0);
    double last = series.y[series.count - 1];
    metrics_series_release(&series);
    return last;
}

static void byol_beside_ddpg_learns(void **state) {
    (void)state;
    struct text output = {0}, errors = {0};
    assert_int_equal(system("rm -rf slow_learning.tmp"), 0);
    int code =
        program_run("ddpg --env cheetah --encoder byol --steps 8000 --seed 1 --env.image_size 64 "
                    "--ssl.batch 64 --loop.ssl_first 300 "
                    "--eval-every 16000 --run-dir slow_learning.tmp",
                    &output, &errors);
    if (code) fail_msg("exits %d: %s", code, errors.data);
    const char *at = strstr(output.data, "evaluation return ");
    assert_non_null(at);
    double value = strtod(at + strlen("evaluation return "), NULL);
    double std = last_std();
    print_message("evaluation return %.1f (bound %.0f), std %.3f (bound %.2f)\n", value, BOUND, std,
                  LEAST_STD);
    assert_true(value >= BOUND && std >= LEAST_STD);
    text_release(&output);
    text_release(&errors);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(byol_beside_ddpg_learns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

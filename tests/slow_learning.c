// Learning from pixels, whole: DDPG on the latents of a BYOL encoder that learns beside it must run
// ten times as far as the random policy does (about 8) within 16,000 frames of cheetah-run. Fixed
// seed, so the same bits on machines of one SIMD level; the bound has room for the others.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/program.h"

#define BOUND 60.0

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
    print_message("evaluation return %.1f (bound %.0f)\n", value, BOUND);
    assert_true(value >= BOUND);
    text_release(&output);
    text_release(&errors);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(byol_beside_ddpg_learns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

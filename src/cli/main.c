// The program: finds the command, runs it, prints the one error line and turns a status into an
// exit code.
#include <stdio.h>

int main(int argc, char **argv) {
    (void)argc;
    (void)argv;
    fprintf(stderr, "rlrun: no command yet\n");
    return 2;
}

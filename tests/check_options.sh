#!/usr/bin/env bash
# docs/options.md is what `rlrun list options --markdown` prints: a table that changed changes both.
# usage: check_options.sh PROGRAM DOCS_FILE
set -eu
head='# Options

Every option with its default, as `rlrun list options --markdown` prints it. Without a section: `--steps 5000`
(a dash counts as `_`); in a YAML file the sections are mappings.
'
diff <(printf '%s\n' "$head"; "$1" list options --markdown) "$2" && exit 0
echo "docs/options.md is not what the program prints; write it anew with tests/check_options.sh's head" >&2
exit 1

#!/usr/bin/env bash
# Runs every libFuzzer target: run.sh BUILD_DIR SECONDS. New inputs go to BUILD_DIR/corpus/NAME, findings to
# BUILD_DIR/findings; prints one line a target (executions, coverage) and fails on the first finding.
set -eu
build=${1:?usage: run.sh BUILD_DIR SECONDS} seconds=${2:-60}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$build/findings"
for program in "$build"/tests/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    name=$(basename "$program"); name=${name#fuzz_}
    mkdir -p "$build/corpus/$name"
    log=$build/findings/$name.log
    if ! "$program" -max_total_time="$seconds" -rss_limit_mb=1024 -malloc_limit_mb=256 -timeout=10 \
        -artifact_prefix="$build/findings/$name-" "$build/corpus/$name" "$here/corpus/$name" \
        >"$log" 2>&1 </dev/null; then
        tail -30 "$log"
        echo "fuzz: $name has a finding, see $build/findings" >&2
        exit 1
    fi
    echo "$name: $(grep -E '^Done|cov:' "$log" | tail -2 | tr '\n' ' ' | tr -s ' \t' ' ')"
done

#!/bin/sh
# The example of docs/embed compiled against an installed tree that was moved, as another program would be.
# usage: check_embed.sh BUILD SOURCE COMPILER
set -e
work=$PWD/embed_tree
rm -rf "$work" && mkdir "$work"
cmake --install "$1" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/moved"
PKG_CONFIG_PATH=$(dirname "$(find "$work/moved" -name rlrun.pc)")
export PKG_CONFIG_PATH
unset RLRUN_DATA
"$3" -std=c99 -pedantic -Wall -Wextra -Werror "$2/docs/embed/play.c" $(pkg-config --cflags --libs rlrun) -o "$work/play"
"$work/play" cheetah-run | tee "$work/out"
grep -q "cheetah-run: [0-9]* steps" "$work/out"
status=0
"$work/play" nothing 2>"$work/errors" || status=$?
[ "$status" = 1 ] && grep -q "unknown environment" "$work/errors"
# A trained policy acts: a short run of the installed program, then by its folder and by its final weights.
"$work/moved/bin/rlrun" ddpg --env cartpole --encoder state --steps 300 --ddpg.random_steps 200 --run-dir "$work/run" \
    >/dev/null 2>&1
a=$("$work/play" cartpole-balance "$work/run")
b=$("$work/play" cartpole-balance "$work/run/final.safetensors")
[ "$a" = "$b" ] && echo "$a" | grep -q "steps, return"
rm -rf "$work"

#!/bin/bash
# Kills one of two ranks at a random moment, N times, resuming each time; the run that was killed must end with the
# weights of one that was not. usage: kill_ranks.sh PROGRAM [N]      exit status 77: no mpirun, or built without MPI
set -u
program=$1 kills=${2:-3} work=$PWD/kill_ranks
command -v mpirun >/dev/null || exit 77
ldd "$program" | grep -q libmpi || exit 77
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_mpi_yield_when_idle=1 # ranks that share a core wait without spinning
ranks="mpirun --bind-to none --oversubscribe -n 2 $program"
options="ddpg --env cartpole --encoder byol --env.image_size 36 --ddpg.random_steps 320 --ddpg.hidden 32
    --ddpg.batch 32 --loop.latent_dim 16 --loop.ssl_first 12 --loop.publish_min 40 --cnn.channels 8 --ssl.batch 16
    --eval_every 1000000000 --eval_episodes 1 --checkpoint_every 50 --threads 1 --seed 5"
rm -rf "$work" && mkdir "$work"

# A name that ends in .ckpt must be whole, in both shards.
whole() {
    local file
    for file in "$work"/cut/checkpoints/*.ckpt "$work"/cut/ranks/1/checkpoints/*.ckpt; do
        [ -s "$file" ] || { echo "no checkpoint: $file"; exit 1; }
    done
}

newest_step() { ls "$work/cut/ranks/1/checkpoints" | grep 'ckpt$' | tail -1; }

for ((i = 1; i <= kills; i++)); do
    if ((i == 1)); then
        $ranks $options --steps 1000000 --run-dir "$work/cut" >/dev/null 2>"$work/log" &
    else
        $ranks resume "$work/cut" >/dev/null 2>"$work/log" &
    fi
    job=$!
    # Until both shards have a checkpoint, then a random while longer.
    until ls "$work"/cut/checkpoints/*.ckpt "$work"/cut/ranks/1/checkpoints/*.ckpt >/dev/null 2>&1; do sleep 0.05; done
    ((i == 1)) || until grep -q "run folder" "$work/log"; do
        kill -0 $job 2>/dev/null || { echo "kill $i: not resumed"; cat "$work/log"; exit 1; }
        sleep 0.02
    done
    # Every second kill comes after a further checkpoint, so that the run gets on however slow the machine is.
    newest=$(newest_step)
    ((i % 2)) || until [ "$(newest_step)" != "$newest" ]; do
        kill -0 $job 2>/dev/null || { echo "kill $i: ended before the next checkpoint"; cat "$work/log"; exit 1; }
        sleep 0.02
    done
    sleep "$((RANDOM % 3)).$((RANDOM % 10))"
    mapfile -t pids < <(pgrep -P $job -f "$program")
    [ "${#pids[@]}" = 2 ] || { echo "kill $i: the run ended too early"; cat "$work/log"; exit 1; }
    victim=$((RANDOM % 2))
    kill -9 "${pids[$victim]}"
    if wait $job 2>/dev/null; then echo "kill $i: the job did not end with a failure"; exit 1; fi
    whole
    echo "kill $i: rank process $victim; newest checkpoints $(ls "$work/cut/checkpoints" | tail -1)," \
        "$(ls "$work/cut/ranks/1/checkpoints" | tail -1)"
done
# Both to the same step, at the end of a tick: 50 steps after the random ones.
newest=$(basename "$(ls "$work"/cut/checkpoints/*.ckpt | tail -1)" .ckpt)
steps=$((10#${newest#step-} + 100))
$ranks resume "$work/cut" --steps $steps >/dev/null 2>"$work/log" || { cat "$work/log"; exit 1; }
# A kill before a checkpoint had its name is told, and is no damage.
grep -i "skipping\|damaged" "$work/log" | grep -v "or was never finished" && exit 1
$ranks $options --steps $steps --run-dir "$work/whole" >/dev/null 2>"$work/log2" || { cat "$work/log2"; exit 1; }
cmp "$work/whole/final.safetensors" "$work/cut/final.safetensors" || exit 1
echo "$kills kills: no corrupt checkpoint; $steps steps, the weights of a run that was never killed"
rm -rf "$work"

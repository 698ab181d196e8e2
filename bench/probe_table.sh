#!/usr/bin/env bash
# How much of cheetah's true state and reward a linear map reads from frozen latents, for every SSL method after equally
# many steps, beside new weights, an encoder that the critic trained end to end, and SSL with the control heads (inverse
# dynamics, reward) that runs have by default. Rollouts: those of the end-to-end run's policy (one file to learn from,
# one of another seed to probe), and of random actions (to probe only). Results go to OUT/results.jsonl, two lines an
# encoder; what is there already is left out. Afterwards prints the table of docs/results.md.
# usage: bench/probe_table.sh [METHOD[+heads] ...]
# environment: RLRUN (build/rlrun), OUT (probe_table), RUN (OUT/end-to-end: trained if it is not there; half an hour or
# less), STEPS (500), BATCH (64), ROLLOUT (8000), THREADS (1)
set -eu
rlrun=${RLRUN:-build/rlrun} out=${OUT:-probe_table} steps=${STEPS:-500} batch=${BATCH:-64} threads=${THREADS:-1}
run=${RUN:-$out/end-to-end} rollout=${ROLLOUT:-8000}
methods=(byol moco dino simclr simsiam barlow vicreg swav mocov3 atc curl spr cpc instdisc cmc dim margin rotation jigsaw
    dino-vit mae-vit byol+heads)
[ $# = 0 ] || methods=("$@")
env=(--env cheetah-run --env.image_size 64 --env.action_repeat 4)
mkdir -p "$out"
touch "$out/results.jsonl"

[ -d "$run" ] || "$rlrun" ddpg --config "$(dirname "$0")/../configs/ablations/small.yaml" --encoder cnn --seed 1 \
    --threads "$threads" --run-dir "$run"
[ -e "$out/learn.npz" ] || "$rlrun" collect --run "$run" --steps "$rollout" --seed 1 -o "$out/learn.npz"
[ -e "$out/policy.npz" ] || "$rlrun" collect --run "$run" --steps "$rollout" --seed 2 -o "$out/policy.npz"
[ -e "$out/random.npz" ] || "$rlrun" collect "${env[@]}" --steps "$rollout" --seed 3 -o "$out/random.npz"

settings() {
    case $1 in
    *-vit) echo "--encoder vit --vit.patch 8 --vit.width 64 --vit.depth 4 --vit.heads 4" ;;
    *) echo "--encoder cnn --cnn.arch fast" ;;
    esac
    case $1 in
    *+heads) ;;
    *) echo "--ssl.inverse_weight 0 --ssl.reward_weight 0" ;;
    esac
    case $1 in
    mae-vit) echo "--vit.pool mean" ;;
    esac
}

probe() { # probe DATA FILE [OPTION]
    local data=$1
    shift
    "$rlrun" probe "$@" --data "$out/$data.npz" --threads "$threads" --json
}

for name in "${methods[@]}"; do
    file=$out/$name.safetensors method=${name%-vit}
    grep -q "\"weights\": *\"$name\"" "$out/results.jsonl" && continue
    # shellcheck disable=SC2046
    [ -e "$file" ] || "$rlrun" pretrain "${method%+heads}" --data "$out/learn.npz" --latent_dim 128 --steps "$steps" \
        --ssl.batch "$batch" --ssl.total_steps "$steps" --ssl.warmup_steps 20 --ssl.lr 5e-4 --ssl.shift_pad 3 \
        --threads "$threads" $(settings "$name") -o "$file" >"$out/$name.log"
    for data in policy random; do probe "$data" "$file" --yardsticks=false; done >>"$out/results.jsonl"
done
# The first encoder's shape with new weights, then the end-to-end run and its shape with new weights.
first=$(find "$out" -maxdepth 1 -name '*.safetensors' ! -name '*-vit*' | sort | head -1)
grep -q '"random"' "$out/results.jsonl" || {
    for data in policy random; do
        probe "$data" "$first" | tail -1
        probe "$data" "$run" |
            sed "s|\"$(basename "$run")\"|\"end to end\"|; s|\"random\"|\"random, not projected\"|"
    done >>"$out/results.jsonl"
}

echo "| latents of | qpos | qvel | reward | qpos, random actions | qvel | reward | rank |"
echo "|---|---|---|---|---|---|---|---|"
python3 - "$out" <<'PY'
import json, os, re, sys
rows = {}
for line in open(f"{sys.argv[1]}/results.jsonl"):
    row = json.loads(line)
    rows.setdefault(row["weights"], {})["random" if row["data"].endswith("random.npz") else "policy"] = row
for name, both in rows.items():
    log = f"{sys.argv[1]}/{name}.log"
    rank = re.findall(r"latent_rank ([\d.]+)", open(log).read()) if os.path.exists(log) else []
    cells = [f"{both[data]['r2_' + key]:.2f}" for data in ("policy", "random") for key in ("qpos", "qvel", "reward")]
    print("|", name, "|", " | ".join(cells), "|", rank[-1] if rank else "", "|")
PY

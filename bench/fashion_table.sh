#!/usr/bin/env bash
# Fashion-MNIST (Debian's dataset-fashion-mnist) by every SSL method that learns from single pictures without colour:
# pre-training without labels, then nearest neighbours, a linear classifier, and fine-tuning with 1% and 10% of the
# labels, all on the convolutions' own features (latent_dim 0). Results go to OUT/results.jsonl, a line each; a method
# that is there already is left out, so that the job may be cut into pieces. Afterwards prints the table of
# docs/results.md.
# usage: bench/fashion_table.sh [METHOD ...]     ("random" makes the rows of new weights and of raw pixels)
# environment: RLRUN (build/rlrun), OUT (fashion_table), STEPS (1500), BATCH (256), FINETUNE (0.01,0.1), DATA, THREADS (1)
set -eu
rlrun=${RLRUN:-build/rlrun} out=${OUT:-fashion_table} steps=${STEPS:-1500} batch=${BATCH:-256} threads=${THREADS:-1}
finetune=${FINETUNE-0.01,0.1} data=${DATA:-/usr/share/datasets/fashion-mnist}
methods=(simclr byol moco dino barlow vicreg swav simsiam mocov3 instdisc dim margin rotation jigsaw atc curl
    dino-vit mae-vit random)
[ $# = 0 ] || methods=("$@")
mkdir -p "$out"
touch "$out/results.jsonl"

# What a method wants beside the common settings.
settings() {
    case $1 in
    *-vit) echo "--encoder vit --vit.patch 4 --vit.width 64 --vit.depth 4 --vit.heads 4" ;;
    *) echo "--encoder cnn --cnn.arch drqv2" ;;
    esac
    case $1 in
    mae-vit) echo "--ssl.augment none --vit.pool mean" ;;
    rotation | jigsaw) echo "--ssl.augment shift --ssl.shift_pad 2" ;; # a mirror image or a turn would give it away
    instdisc) echo "--instdisc.temperature 0.1 --ssl.lr 1e-4" ;; # faster, the embedding runs away from its own bank
    esac
}

probe() {
    "$rlrun" probe "$@" --data "$data" "--finetune=$finetune" --finetune_steps 200 --threads "$threads" --json
}

for name in "${methods[@]}"; do
    grep -q "\"weights\": *\"$name\"" "$out/results.jsonl" && continue
    file=$out/$name.safetensors
    if [ "$name" = random ]; then # the yardsticks follow the last encoder's row
        first=$(find "$out" -name '*.safetensors' ! -name '*-vit*' | head -1)
        probe "$first" | tail -2 >>"$out/results.jsonl"
        continue
    fi
    # shellcheck disable=SC2046
    [ -e "$file" ] || "$rlrun" pretrain "${name%-vit}" --data "$data" --latent_dim 0 --steps "$steps" \
        --ssl.batch "$batch" --ssl.total_steps "$steps" --ssl.warmup_steps 20 --ssl.crop_min 0.3 \
        --threads "$threads" $(settings "$name") -o "$file" >"$out/$name.log"
    probe "$file" --yardsticks=false >>"$out/results.jsonl"
done

echo "| method | steps | kNN | linear | fine-tuned, 1% | fine-tuned, 10% | rank |"
echo "|---|---|---|---|---|---|---|"
python3 - "$out" <<'PY'
import json, os, re, sys
for line in open(f"{sys.argv[1]}/results.jsonl"):
    row = json.loads(line)
    log = f"{sys.argv[1]}/{row['weights']}.log"
    last = open(log).read().split("\n")[-2] if os.path.exists(log) else ""
    steps, rank = re.match(r"step (\d+)", last), re.search(r"latent_rank ([\d.]+)", last)
    cell = lambda key: f"{100 * row[key]:.1f}" if key in row else ""
    print("|", row["weights"], "|", steps[1] if steps else "", "|",
          " | ".join(map(cell, ["knn", "linear", "finetune_0.01", "finetune_0.1"])), "|", rank[1] if rank else "", "|")
PY

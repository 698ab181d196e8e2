#!/usr/bin/env bash
# Holds the direction of DESIGN: reads every #include "folder/..." and every library header of src/ and
# fails, naming the line, on one that the table does not allow.
set -u
src=${1:?usage: check_layers.sh SRC}
declare -A may=(
    [base]="base" [math]="math base" [nn]="nn math base" [render]="render base math"
    [envs]="envs render base" [replay]="replay math base" [encoders]="encoders nn math base"
    [ssl]="ssl encoders replay nn math base" [density]="density nn math base"
    [agents]="agents encoders replay nn math base"
    [train]="train agents ssl encoders envs replay render density nn math base"
    [viewer]="viewer envs render base" [cli]="cli viewer export train agents ssl encoders envs replay render density nn math base"
    [api]="api train agents ssl encoders envs nn base"
    [export]="export train agents ssl encoders envs nn math base"
)
declare -A library=( # header pattern -> folders that may include it
    [cblas]="math" [yaml.h]="base" [xxhash]="base replay train" [jansson]="nn train render" [lz4]="replay" [zlib.h]="replay"
    [mujoco/]="render envs viewer train cli" [GLFW/]="viewer" [libav]="viewer" [plplot]="viewer" [EGL/]="render" [mpi.h]="train"
    [png.h]="base" [pb-c]="train export"
)
bad=0
while IFS=: read -r file line text; do
    folder=${file#"$src"/}; folder=${folder%%/*}
    target=${text#*\"}; target=${target%%/*}
    case " ${may[$folder]:-} " in *" $target "*) ;; *) echo "$file:$line: $folder may not include $target/"; bad=1 ;; esac
done < <(grep -rnE '^#include "' "$src" --include='*.[ch]')
for pattern in "${!library[@]}"; do
    while IFS=: read -r file line _; do
        folder=${file#"$src"/}; folder=${folder%%/*}
        case " ${library[$pattern]} " in *" $folder "*) ;; *) echo "$file:$line: $pattern belongs to ${library[$pattern]}"; bad=1 ;; esac
    done < <(grep -rnE "^#include <[^>]*$pattern" "$src" --include='*.[ch]')
done
exit $bad

#!/usr/bin/env python3
"""State steps a second of CheetahRun: rlrun, dm_control and EnvPool side by side on this machine.

usage: bench/env_peers.py [build/rlrun]      a peer that is not installed is left out
Control steps (frames) without action repeat; one environment on one thread, and 8 on 2 threads. Wall time."""
import json
import os
import subprocess
import sys
import time

os.environ.setdefault("MUJOCO_GL", "disable")
program = sys.argv[1] if len(sys.argv) > 1 else "build/rlrun"
SECONDS = 3


def rate(step, frames_a_call):
    step()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        step()
        count += frames_a_call
    return count / (time.perf_counter() - start)


def rlrun_rates():
    text = subprocess.run([program, "bench", "env", "--json", "--filter", "cheetah", "--seconds", str(SECONDS)],
                          check=True, capture_output=True, text=True).stdout
    rows = {row["case"]: row["value"] for row in map(json.loads, text.splitlines())}
    return rows["cheetah-state"], rows["cheetah-vec8"]


def dm_control_rate():
    import numpy as np
    from dm_control import suite
    env = suite.load("cheetah", "run")
    rng, spec = np.random.default_rng(1), env.action_spec()
    env.reset()
    return rate(lambda: env.step(rng.uniform(spec.minimum, spec.maximum)), 1)


def envpool_rate(count, threads):
    import envpool
    import numpy as np
    env = envpool.make("CheetahRun-v1", env_type="dm", num_envs=count, num_threads=threads)
    rng = np.random.default_rng(1)
    env.reset()
    return rate(lambda: env.step(rng.uniform(-1, 1, (count, 6))), count)


one, eight = rlrun_rates()
print(f"{'rlrun':12} 1 environment {one:10,.0f} frames/s    8 on 2 threads {eight:10,.0f} frames/s")
try:
    peer = dm_control_rate()
    print(f"{'dm_control':12} 1 environment {peer:10,.0f} frames/s    rlrun is {one / peer:.1f}x")
except ImportError as problem:
    print(f"dm_control: not installed ({problem})")
try:
    single, vector = envpool_rate(1, 1), envpool_rate(8, 2)
    print(f"{'EnvPool':12} 1 environment {single:10,.0f} frames/s    8 on 2 threads {vector:10,.0f} frames/s    "
          f"rlrun is {one / single:.1f}x and {eight / vector:.1f}x")
except ImportError as problem:
    print(f"EnvPool: not installed ({problem})")

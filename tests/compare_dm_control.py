#!/usr/bin/env python3
"""Our models and tasks beside dm_control's own, where that package is installed (otherwise exit status 77: skipped).

1. Every MJCF of assets/ compiled beside dm_control's: all arrays of the model equal to the bit.
2. Every task: `rlrun env-trace` from a seed; dm_control, put into the same initial state and model fields and given
   the same actions, must give the same states, observations and rewards.

usage: compare_dm_control.py RLRUN ASSETS"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("MUJOCO_GL", "disable")
try:
    import mujoco
    import numpy as np
    from dm_control import suite
    from dm_control.mujoco import engine
except ImportError as problem:
    print(f"skipped: {problem}")
    sys.exit(77)

STEPS = 25
# of the file's text, not of the model
IGNORED = {"names", "names_map", "nnames", "nnames_map", "paths", "npaths", "nbuffer", "narena", "signature"}
engine.Physics.contexts = property(lambda self: None)  # quadruped asks for a window at a reset


def compare_arrays(domain, own, other):
    count = 0
    for key in dir(other):
        value = getattr(other, key, None) if not key.startswith("_") and key not in IGNORED else None
        if not isinstance(value, np.ndarray):
            continue
        count += 1
        if not np.array_equal(getattr(own, key), value):
            sys.exit(f"{domain}: mjModel.{key} differs")
    return count


def read(path):
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    types = {"F64": "<f8", "F32": "<f4"}
    return {key: np.frombuffer(raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]],
                               types[v["dtype"]]).reshape(v["shape"])
            for key, v in json.loads(raw[8:8 + n]).items() if key != "__metadata__"}


def near(what, own, other):
    error = np.max(np.abs(own - other) / np.maximum(1, np.abs(other)), initial=0)
    if not error < 1e-6:
        sys.exit(f"{what}: off by {error}")
    return error


def compare_task(program, name, folder):
    domain, _, task = name.partition("-")
    path = folder / f"{name}.safetensors"
    subprocess.run([program, "env-trace", "--env", name, "--steps", str(STEPS), "-o", path], check=True,
                   stdout=subprocess.DEVNULL)
    trace = read(path)
    env = suite.load(domain, task)
    env.reset()
    physics = env.physics
    for key, value in trace.items():
        if key.startswith("model."):
            getattr(physics.model, key[6:]).flat[:] = value
    with physics.reset_context():
        physics.data.qpos[:], physics.data.qvel[:] = trace["qpos"][0], trace["qvel"][0]
    physics.data.qacc_warmstart[:] = trace["qacc_warmstart"][0]
    worst = 0
    for t, action in enumerate(trace["action"]):
        step = env.step(action)
        observed = np.concatenate([np.ravel(v) for v in step.observation.values()])
        worst = max(worst, near(f"{name} qpos, step {t}", trace["qpos"][t + 1], physics.data.qpos),
                    near(f"{name} observation, step {t}", trace["obs"][t + 1], observed),
                    near(f"{name} reward, step {t}", trace["reward"][t], step.reward))
    print(f"{name}: {len(trace['action'])} steps, largest error {worst:.2g}")


program, assets = sys.argv[1], pathlib.Path(sys.argv[2])
theirs = pathlib.Path(suite.__file__).parent
models = [path for path in sorted(assets.glob("*.xml")) if (theirs / path.name).exists()]
for path in models:
    count = compare_arrays(path.stem, mujoco.MjModel.from_xml_path(str(path)),
                           mujoco.MjModel.from_xml_path(str(theirs / path.name)))
    print(f"{path.name}: {count} arrays equal")
known = {f"{domain}-{task}" for domain, task in suite.ALL_TASKS}
listed = subprocess.run([program, "list", "envs", "--json"], check=True, capture_output=True, text=True).stdout
names = [row["name"] for row in map(json.loads, listed.splitlines()) if row["name"] in known]
if len(models) < 15 or len(names) < 39:
    sys.exit(f"only {len(models)} models and {len(names)} tasks to compare")
with tempfile.TemporaryDirectory() as folder:
    for name in names:
        compare_task(program, name, pathlib.Path(folder))

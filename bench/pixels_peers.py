#!/usr/bin/env python3
"""Pixel steps a second of cheetah-run at 84x84 in Python: rlrun (python/rlrun), dm_control and EnvPool side by side.

usage: bench/pixels_peers.py [seconds]        a peer that is not installed, or cannot draw here, is left out and says why
One step is one frame of the task (action repeat 1) with its picture, one environment, one thread of Python; random
actions. CPU time of the process and wall time. dm_control draws with MUJOCO_GL (default egl, Mesa without a GPU)."""
import os
import sys
import time

import numpy

os.environ.setdefault("MUJOCO_GL", "egl")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 3
rng = numpy.random.default_rng(1)


def rate(step):
    for _ in range(5):
        step()
    count, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < SECONDS:
        step()
        count += 1
    return count / (time.perf_counter() - wall), count / (time.process_time() - cpu)


def rlrun_step():
    import rlrun
    task = rlrun.Task("cheetah-run", pixels=True, action_repeat=1, seed=1)
    task.reset()

    def step():
        if task.step(rng.uniform(-1, 1, 6)).last:
            task.reset()
        return task.frame()
    return step


def gym_step():
    import gymnasium
    import rlrun.gym  # noqa: F401
    env = gymnasium.make("rlrun/cheetah-run-v0", action_repeat=1)
    env.reset(seed=1)

    def step():
        if env.step(rng.uniform(-1, 1, 6).astype(numpy.float32))[3]:
            env.reset()
    return step


def dm_control_step():
    from dm_control import suite
    env = suite.load("cheetah", "run", task_kwargs={"random": 1})
    env.reset()

    def step():
        env.step(rng.uniform(-1, 1, 6))  # resets itself after an episode's end
        return env.physics.render(84, 84, camera_id=0)
    return step


def envpool_step():
    import envpool
    env = envpool.make("CheetahRun-v1", env_type="gymnasium", num_envs=1, num_threads=1, from_pixels=True,
                       render_width=84, render_height=84)
    env.reset()
    return lambda: env.step(rng.uniform(-1, 1, (1, 6)))


own = None
for name, make in (("rlrun.Task", rlrun_step), ("rlrun.gym", gym_step), ("dm_control", dm_control_step),
                   ("EnvPool", envpool_step)):
    try:
        wall, cpu = rate(make())
    except Exception as problem:  # whatever a peer raises: it is left out
        print(f"{name:12} left out: {str(problem).splitlines()[0][:100]}")
        continue
    own = own or cpu
    ratio = "" if name == "rlrun.Task" else f"    rlrun.Task is {own / cpu:.1f}x in CPU time"
    print(f"{name:12} {wall:10,.0f} frames/s of wall time  {cpu:10,.0f} of CPU time{ratio}", flush=True)

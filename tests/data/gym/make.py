#!/usr/bin/env python3
"""Writes one short trajectory of each Gymnasium MuJoCo task (v5) beside this file, for tests/test_gym.c.

Needs gymnasium[mujoco] with the MuJoCo of this project. Keys: init.qpos, init.qvel (after the reset), action
(T, nu) in the task's own range, obs (T + 1, n), reward (T), terminated (T)."""
import json
import pathlib

import gymnasium
import numpy as np

TASKS = {
    "half-cheetah": "HalfCheetah-v5", "hopper": "Hopper-v5", "walker2d": "Walker2d-v5", "swimmer": "Swimmer-v5",
    "ant": "Ant-v5", "humanoid": "Humanoid-v5", "reacher": "Reacher-v5", "pusher": "Pusher-v5",
    "inverted-pendulum": "InvertedPendulum-v5", "inverted-double-pendulum": "InvertedDoublePendulum-v5",
}
STEPS = {"humanoid": 25, "ant": 40, "reacher": 49}


def write(path, tensors):
    head, data = {}, b""
    for key, value in tensors.items():
        raw = np.ascontiguousarray(value, dtype="<f8").tobytes()
        head[key] = {"dtype": "F64", "shape": list(np.shape(value)), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


for name, task in TASKS.items():
    env = gymnasium.make(task).unwrapped
    rng = np.random.default_rng(7)
    obs, _ = env.reset(seed=3)
    out = {"init.qpos": env.data.qpos.copy(), "init.qvel": env.data.qvel.copy()}
    rows, actions, rewards, ends = [obs], [], [], []
    low, high = env.action_space.low.astype(float), env.action_space.high.astype(float)
    for _ in range(STEPS.get(name, 60)):
        action = rng.uniform(low, high)
        obs, reward, terminated, _, _ = env.step(action)
        actions.append(action)
        rows.append(obs)
        rewards.append(reward)
        ends.append(float(terminated))
        if terminated:
            break
    out.update(action=actions, obs=rows, reward=rewards, terminated=ends)
    write(pathlib.Path(__file__).parent / f"{name}.safetensors", out)
    print(name, len(actions), "steps, ended" if ends[-1] else "steps")

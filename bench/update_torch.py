#!/usr/bin/env python3
"""One gradient update by rlrun and by its peers: PyTorch (DrQ-v2), Stable-Baselines3 and SBX (DDPG, TD3 on states).

usage: bench/update_torch.py [--rlrun build/rlrun] [--case drqv2] [--threads 1 2] [--rounds 5] [--json]
Every contender is a process of its own that keeps its memory; they take turns, a few updates each, for so many rounds,
so that what else runs on the machine hits all alike. One thread is compared by CPU time, more by wall time; a figure is
the median of its rounds' medians, `best` the fastest update. A peer that is not installed is left out (torch 2.15,
stable_baselines3 2.9, sbx-rl 0.28 were used). Nobody's time includes sampling, each gets one batch and keeps it; with --sampling the
peers on states sample from their own buffers (100,000 transitions) as their train() does, rlrun does not."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

BATCH, ACTIONS, STATE, HIDDEN, STORED = 256, 6, 17, 256, 100_000
ARENA = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "1000000000000"}  # glibc keeps freed pages
PEERS = {
    "drqv2": {"torch, as published": {}, "torch, tuned": {"tuned": True},
              "torch, tuned, channels last": {"tuned": True, "channels_last": True},
              "torch, tuned, bf16": {"tuned": True, "channels_last": True, "bf16": True}},
    "ddpg-state": {"sb3": {}, "sbx": {"calls": 1}, "sbx, 64 a call": {"calls": 64}},
    "td3-state": {"sb3": {}, "sbx": {"calls": 1}, "sbx, 64 a call": {"calls": 64}},
}


# --- DrQ-v2 (Yarats et al. 2021), the published sizes and order of the update ---

def drqv2(tuned=False, channels_last=False, bf16=False):
    """The update as a function. tuned: Adam fused, shift by copying (its process also keeps freed memory)."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    def net(*sizes):
        layers = [m for a, b in zip(sizes, sizes[1:]) for m in (nn.Linear(a, b), nn.ReLU(inplace=True))]
        return nn.Sequential(*layers[:-1])

    def trunk():
        return nn.Sequential(nn.Linear(32 * 35 * 35, 50), nn.LayerNorm(50), nn.Tanh())

    class Critic(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk, self.q1, self.q2 = trunk(), net(50 + ACTIONS, 1024, 1024, 1), net(50 + ACTIONS, 1024, 1024, 1)

        def forward(self, h, action):
            x = torch.cat([self.trunk(h), action], 1)
            return self.q1(x), self.q2(x)

    convs = [nn.Conv2d(9, 32, 3, 2)] + [nn.Conv2d(32, 32, 3) for _ in range(3)]
    encoder = nn.Sequential(*[m for c in convs for m in (c, nn.ReLU())])
    actor = nn.Sequential(trunk(), net(50, 1024, 1024, ACTIONS), nn.Tanh())
    critic, target = Critic(), Critic()
    target.load_state_dict(critic.state_dict())
    if channels_last:
        encoder.to(memory_format=torch.channels_last)
    optimizers = [torch.optim.Adam(m.parameters(), lr=1e-4, fused=tuned or None) for m in (encoder, critic, actor)]
    std = 0.5
    pixels = torch.randint(0, 256, (2, BATCH, 9, 84, 84), dtype=torch.uint8)
    action, reward, discount = torch.rand(BATCH, ACTIONS) * 2 - 1, torch.rand(BATCH, 1), torch.full((BATCH, 1), 0.97)

    def shift(x):
        x = F.pad(x, (4, 4, 4, 4), mode="replicate")
        if tuned:
            out = x.new_empty(BATCH, 9, 84, 84)
            for i, (top, left) in enumerate(torch.randint(0, 9, (BATCH, 2)).tolist()):
                out[i] = x[i, :, top:top + 84, left:left + 84]
            return out
        size = 92
        line = (2 * torch.arange(84) + 1) / size - 1
        grid = torch.stack([line.expand(84, 84), line[:, None].expand(84, 84)], -1).expand(BATCH, 84, 84, 2)
        moves = torch.randint(0, 9, (BATCH, 1, 1, 2)).float() * 2 / size
        return F.grid_sample(x, grid + moves, padding_mode="zeros", align_corners=False)

    def encode(x):
        x = shift(x.float())
        if channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        return encoder(x / 255 - 0.5).flatten(1)

    def sample(mean):
        noisy = mean + (torch.randn_like(mean) * std).clamp(-0.3, 0.3)
        return mean + (noisy.clamp(-1 + 1e-6, 1 - 1e-6) - mean).detach()

    def update():
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            h = encode(pixels[0])
            with torch.no_grad():
                after = encode(pixels[1])
                goal = reward + discount * torch.min(*target(after, sample(actor(after))))
            q1, q2 = critic(h, action)
            loss = F.mse_loss(q1, goal) + F.mse_loss(q2, goal)
        for o in optimizers[:2]:
            o.zero_grad(set_to_none=True)
        loss.backward()
        for o in optimizers[:2]:
            o.step()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            h = h.detach()
            policy_loss = -torch.min(*critic(h, sample(actor(h)))).mean()
        optimizers[2].zero_grad(set_to_none=True)
        policy_loss.backward()
        optimizers[2].step()
        with torch.no_grad():
            for p, t in zip(critic.parameters(), target.parameters()):
                t.lerp_(p, 0.01)
        return loss.item(), policy_loss.item()
    return update, 1


# --- Stable-Baselines3 and SBX on states ---

def baselines(library, algorithm, sampling, calls=1):
    """`calls` updates in one call of train(); without sampling every call gets the same batch."""
    import gymnasium
    import numpy as np
    from stable_baselines3.common.logger import Logger

    class Blank(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (STATE,), np.float32)
        action_space = gymnasium.spaces.Box(-1, 1, (ACTIONS,), np.float32)

        def reset(self, seed=None, options=None):
            return np.zeros(STATE, np.float32), {}

    agent = getattr(library, algorithm.upper())
    model = agent("MlpPolicy", Blank(), policy_kwargs={"net_arch": [HIDDEN, HIDDEN]}, batch_size=BATCH,
                  buffer_size=STORED, seed=1)
    model.set_logger(Logger(None, []))
    rng = np.random.default_rng(1)
    for _ in range(STORED if sampling else BATCH):
        obs, after = rng.standard_normal((2, 1, STATE), dtype=np.float32)
        model.replay_buffer.add(obs, after, rng.uniform(-1, 1, (1, ACTIONS)), rng.random(1), np.zeros(1), [{}])
    if not sampling:
        batch = model.replay_buffer.sample(BATCH * calls)
        model.replay_buffer.sample = lambda *_, **__: batch
    return (lambda: model.train(gradient_steps=calls, batch_size=BATCH)), calls


def make_update(case, peer, threads, sampling):
    if peer.startswith("sbx") and threads == 1:  # before JAX starts its threads
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    import torch
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    if case == "drqv2":
        return drqv2(**PEERS[case][peer])
    if peer == "sb3":
        import stable_baselines3 as library
    else:
        import sbx as library
    return baselines(library, case.split("-")[0], sampling, **PEERS[case][peer])


def worker(case, peer, threads, sampling):
    """Answers each line of standard input with the milliseconds of some updates."""
    update, calls = make_update(case, peer, threads, sampling)
    clock = time.process_time if threads == 1 else time.perf_counter
    for _ in range(3):
        update()
    print("ready", flush=True)
    for line in sys.stdin:
        times, end = [], time.perf_counter() + float(line)
        while len(times) < 2 or time.perf_counter() < end:
            start = clock()
            update()
            times.append((clock() - start) / calls * 1e3)
        print(json.dumps({"value": statistics.median(times), "best": min(times)}), flush=True)


# --- taking turns ---

class Peer:
    def __init__(self, case, name, threads, sampling):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
        if PEERS[case][name].get("tuned"):
            environment.update(ARENA)
        self.process = subprocess.Popen([sys.executable, __file__, "--worker", case, name, str(threads),
                                         "sampling" if sampling else ""], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=environment)
        self.ready = self.process.stdout.readline().strip() == "ready"
        if not self.ready:
            self.why = self.process.communicate()[1].strip().splitlines()[-1:]

    def measure(self, seconds):
        print(seconds, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


def measure_rlrun(program, case, threads, seconds):
    text = subprocess.run([program, "bench", "update", "--json", "--filter", case, "--threads", str(threads),
                           "--seconds", str(seconds)], check=True, capture_output=True, text=True).stdout
    return json.loads(text.splitlines()[0])


def compare(options, case, threads):
    wanted = [name for name in PEERS[case] if not options.peer or name in options.peer]
    peers = {name: Peer(case, name, threads, options.sampling) for name in wanted}
    for name in [name for name, peer in peers.items() if not peer.ready]:
        print(f"{case}: {name} left out: {' '.join(peers.pop(name).why)}", file=sys.stderr)
    rounds = {name: [] for name in ["rlrun", *peers]}
    for _ in range(options.rounds):
        rounds["rlrun"].append(measure_rlrun(options.rlrun, case, threads, options.seconds))
        for name, peer in peers.items():
            rounds[name].append(peer.measure(options.seconds))
    for peer in peers.values():
        peer.process.stdin.close()
        peer.process.wait()
    ours = summary(rounds.pop("rlrun"))
    for name, rows in rounds.items():
        report(options, case, threads, ours, name, summary(rows))


def summary(rows):
    out = {"value": statistics.median(r["value"] for r in rows), "best": min(r["best"] for r in rows)}
    if "peak_fraction" in rows[0]:
        out["peak_fraction"] = statistics.median(r["peak_fraction"] for r in rows)
    return out


def report(options, case, threads, ours, name, peer):
    row = {"bench": "update", "case": case, "threads": threads, "value": round(ours["value"], 3), "unit": "ms",
           "best": round(ours["best"], 3), "peak_fraction": round(ours["peak_fraction"], 3), "peer": name,
           "peer_value": round(peer["value"], 3), "peer_best": round(peer["best"], 3),
           "ratio": round(peer["value"] / ours["value"], 2), "best_ratio": round(peer["best"] / ours["best"], 2)}
    if options.json:
        print(json.dumps(row), flush=True)
        return
    print(f"{case:11} {threads} threads  rlrun {row['value']:8.2f} ms (best {row['best']:.2f}, "
          f"{100 * row['peak_fraction']:.0f} % of peak)   {name:28} {row['peer_value']:8.2f} ms "
          f"(best {row['peer_best']:.2f})   x{row['ratio']:.2f} (best x{row['best_ratio']:.2f})", flush=True)


def main():
    if sys.argv[1:2] == ["--worker"]:
        return worker(sys.argv[2], sys.argv[3], int(sys.argv[4]), bool(sys.argv[5]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rlrun", default="build/rlrun")
    parser.add_argument("--case", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--peer", nargs="+", help="only these, by name")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each turn")
    parser.add_argument("--sampling", action="store_true", help="the peers on states sample their own batches")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    for case in options.case:
        for threads in options.threads:
            compare(options, case, threads)


if __name__ == "__main__":
    main()

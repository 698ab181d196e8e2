#!/usr/bin/env python3
"""One SSL step by rlrun and by PyTorch with lightly's losses: byol, moco, simclr, dino at batch 128, 84x84x9.

usage: bench/ssl_torch.py [--rlrun build/rlrun] [--methods byol moco simclr dino] [--threads 1 2] [--rounds 5]
       [--seconds 4] [--json]
Both sides: DrQ-v2's four convolutions (2,1,1,1), a linear layer and layer norm to 50, the heads of rlrun's defaults, two
randomly shifted views, Adam, momentum copies. They take turns, so that what else runs on the machine hits all alike. One
thread is compared by CPU time, more by wall time; a figure is the median of the rounds. torch's variants: as it is, and
channels last. Needs torch and lightly (2.15 and 1.6 were used)."""
import argparse
import copy
import json
import statistics
import subprocess
import sys
import time

BATCH, LATENT, MOMENTUM = 128, 50, 0.99


def worker(method, channels_last, threads):
    """Builds the step, then answers each line "SECONDS" by the seconds of one step, measured for so long."""
    import torch
    import torch.nn.functional as F
    from lightly.loss import DINOLoss, NegativeCosineSimilarity, NTXentLoss
    from torch import nn
    torch.set_num_threads(threads)

    def mlp(sizes):
        layers = []
        for a, b in zip(sizes, sizes[1:-1]):
            layers += [nn.Linear(a, b, bias=False), nn.BatchNorm1d(b), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))

    convs = [nn.Conv2d(9, 32, 3, 2)] + [nn.Conv2d(32, 32, 3) for _ in range(3)]
    encoder = nn.Sequential(*[m for c in convs for m in (c, nn.ReLU(inplace=True))], nn.Flatten(),
                            nn.Linear(32 * 35 * 35, LATENT), nn.LayerNorm(LATENT))
    if channels_last:
        encoder.to(memory_format=torch.channels_last)
    heads = {"byol": mlp([LATENT, 256, 128]), "moco": nn.Sequential(nn.Linear(LATENT, 256), nn.ReLU(), nn.Linear(256, 128)),
             "simclr": mlp([LATENT, 256, 128]), "dino": mlp([LATENT, 256, 256, 64])}
    net = nn.Sequential(encoder, heads[method])
    predictor = mlp([128, 256, 128])
    prototypes = nn.utils.parametrizations.weight_norm(nn.Linear(64, 512, bias=False))
    target, target_prototypes = copy.deepcopy(net), copy.deepcopy(prototypes)
    params = list(net.parameters())
    params += list(predictor.parameters()) if method == "byol" else list(prototypes.parameters()) if method == "dino" else []
    optimizer = torch.optim.Adam(params, lr=1e-3, fused=True)
    losses = {"byol": NegativeCosineSimilarity(), "moco": NTXentLoss(0.2, memory_bank_size=(4096, 128)),
              "simclr": NTXentLoss(0.1), "dino": DINOLoss(output_dim=512)}
    loss = losses[method]
    images = torch.randint(0, 256, (512, 9, 84, 84), dtype=torch.uint8)

    def view(index):
        """A random shift by up to 4 pixels, copied by picture, which is faster than a sampling grid."""
        x = F.pad(images[index].float(), (4, 4, 4, 4), mode="replicate")
        out = x.new_empty(BATCH, 9, 84, 84)
        for i, (top, left) in enumerate(torch.randint(0, 9, (BATCH, 2)).tolist()):
            out[i] = x[i, :, top:top + 84, left:left + 84]
        out = out.div_(255).sub_(0.5)
        return out.contiguous(memory_format=torch.channels_last) if channels_last else out

    def value(a, b):
        if method == "byol":
            with torch.no_grad():
                za, zb = target(a), target(b)
            return loss(predictor(net(a)), zb) + loss(predictor(net(b)), za)
        if method == "moco":
            with torch.no_grad():
                key = target(b)
            return loss(net(a), key)
        if method == "simclr":
            return loss(net(a), net(b))
        with torch.no_grad():
            teacher = [target_prototypes(F.normalize(target(x))) for x in (a, b)]
        return loss(teacher, [prototypes(F.normalize(net(x))) for x in (a, b)], epoch=0)

    def step():
        index = torch.randint(0, 512, (BATCH,))
        optimizer.zero_grad(set_to_none=True)
        value(view(index), view(index)).backward()
        optimizer.step()
        if method != "simclr":
            with torch.no_grad():
                torch._foreach_lerp_(list(target.parameters()), list(net.parameters()), 1 - MOMENTUM)

    step()
    print("ready", flush=True)
    clock = time.process_time if threads == 1 else time.perf_counter
    for line in sys.stdin:
        samples, end = [], time.perf_counter() + float(line)
        while len(samples) < 2 or time.perf_counter() < end:
            begin = clock()
            step()
            samples.append(clock() - begin)
        print(statistics.median(samples), flush=True)


def rlrun_rate(args, method, threads):
    command = [args.rlrun, "bench", "ssl", "--json", "--filter", method, "--threads", str(threads), "--seconds",
               str(args.seconds)]
    row = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return row["value"], row["peak_fraction"]


def compare(args, method, threads):
    variants = {"torch": False, "torch, channels last": True}
    workers = {}
    for name, channels_last in variants.items():
        command = [sys.executable, __file__, "--worker", method, str(int(channels_last)), str(threads)]
        workers[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if workers[name].stdout.readline() != "ready\n":
            sys.exit(f"{name} did not start")
    rates = {name: [] for name in ("rlrun", *variants)}
    peaks = []
    for _ in range(args.rounds):
        rate, peak = rlrun_rate(args, method, threads)
        rates["rlrun"].append(rate)
        peaks.append(peak)
        for name, process in workers.items():
            process.stdin.write(f"{args.seconds}\n")
            process.stdin.flush()
            rates[name].append(BATCH / float(process.stdout.readline()))
    for process in workers.values():
        process.stdin.close()
        process.wait()
    row = {"method": method, "threads": threads} | {name: statistics.median(x) for name, x in rates.items()}
    row["ratio"] = row["rlrun"] / max(row[name] for name in variants)
    row["peak_fraction"] = statistics.median(peaks)
    if args.json:
        print(json.dumps(row), flush=True)
    else:
        print(f"{method:7} {threads} threads: rlrun {row['rlrun']:6.0f} images/s ({row['peak_fraction']:.0%} of peak), "
              + ", ".join(f"{n} {row[n]:.0f}" for n in variants) + f": {row['ratio']:.2f}x", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rlrun", default="build/rlrun")
    parser.add_argument("--methods", nargs="+", default=["byol", "moco", "simclr", "dino"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for threads in args.threads:
        for method in args.methods:
            compare(args, method, threads)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], sys.argv[3] == "1", int(sys.argv[4]))
    else:
        main()

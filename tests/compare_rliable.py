#!/usr/bin/env python3
"""`rlrun stats` beside the rliable package on the scores of tests/data/scores, where that package is installed
(otherwise exit status 77: skipped). Values must agree to rounding; ends of intervals, which both draw at random, to
what the bootstrap's own noise allows.

usage: compare_rliable.py RLRUN SCORES_FOLDER"""
import json
import pathlib
import subprocess
import sys

try:
    import numpy as np
    from rliable import library, metrics
except (ImportError, TypeError) as problem:  # TypeError: its dependency arch with a newer pandas
    print(f"skipped: {problem}")
    sys.exit(77)

RESAMPLES = 20000
TAUS = np.linspace(0, 1, 5)


def ours(program, *words):
    out = subprocess.run([program, "stats", *words, "--resamples", str(RESAMPLES), "--profile", str(len(TAUS)), "--json"],
                         check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    return {(row["statistic"], row.get("tau")): row for row in rows}


def compare(what, row, value, interval, spread):
    """spread: width of the interval, or of the scores where the interval has none."""
    off = [abs(row["value"] - value), abs(row["low"] - interval[0]), abs(row["high"] - interval[1])]
    limit = [1e-7 * max(1, abs(value)), 0.05 * spread, 0.05 * spread]
    print(f"{what:34} {value:.6f} [{interval[0]:.6f}, {interval[1]:.6f}]  off by {off[0]:.1e} {off[1]:.1e} {off[2]:.1e}")
    if not all(a <= b for a, b in zip(off, limit)):
        sys.exit(f"{what}: rlrun has {row}, rliable {value} {interval}")


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    files = sorted(folder.glob("*.csv"))
    if len(files) < 4:
        sys.exit(f"only {len(files)} files of scores in {folder}")
    scores = {f: np.loadtxt(f, delimiter=",", skiprows=1, ndmin=2) for f in files}
    aggregates = {"iqm": metrics.aggregate_iqm, "mean": metrics.aggregate_mean, "median": metrics.aggregate_median,
                  "optimality_gap": metrics.aggregate_optimality_gap}
    for f, x in scores.items():
        rows = ours(program, f)
        for name, function in aggregates.items():
            point, interval = library.get_interval_estimates({"x": x}, lambda s, f=function: np.array([f(s)]),
                                                             reps=RESAMPLES, random_state=np.random.RandomState(1))
            low, high = interval["x"][:, 0]
            compare(f"{f.name} {name}", rows[name, None], point["x"][0], (low, high), high - low)
        profile, interval = library.create_performance_profile({"x": x}, TAUS, reps=RESAMPLES)
        for i, tau in enumerate(TAUS):
            # The profile moves in steps of one run: an end may fall on either side of a step.
            compare(f"{f.name} profile {tau}", rows["profile", tau], profile["x"][i], interval["x"][:, i],
                    1.01 / 0.05 / x.size)
    for a, b in zip(files, files[1:]):
        if scores[a].shape[1] != scores[b].shape[1]:
            continue
        pair = {"x,y": (scores[a], scores[b])}
        point, interval = library.get_interval_estimates(pair, metrics.probability_of_improvement, reps=RESAMPLES // 10,
                                                         random_state=np.random.RandomState(1))
        low, high = interval["x,y"][:, 0]
        compare(f"{a.name} > {b.name}", ours(program, a, b)["improvement", None], point["x,y"], (low, high),
                max(2 * (high - low), 1 / len(scores[a])))


main()

"""A run's event file as the tensorboard package reads it: every figure of metrics.jsonl, the clip of
the policy, the configuration as text and as hyperparameters. Skipped (77) without the package.
usage: compare_tensorboard.py PROGRAM"""
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata as hparams
except ImportError as reason:
    print(f"skipped: {reason}")
    sys.exit(77)


def train(program, folder):
    subprocess.run(
        [program, "ddpg", "--env", "cartpole", "--encoder", "state", "--steps", "600", "--eval-every", "300",
         "--eval-episodes", "1", "--ddpg.random_steps", "200", "--ddpg.batch", "32", "--log-every", "100",
         "--clip-every", "1", "--threads", "1", "--run-dir", str(folder)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def check_scalars(events, rows):
    tags = set(events.Tags()["scalars"])
    count = 0
    for row in rows:
        for key, value in row.items():
            if key in ("kind", "frames", "steps", "updates", "wall_s") or value is None:
                continue
            tag = key if "/" in key else f"{row['kind']}/{key}"
            assert tag in tags, f"no {tag}"
            found = [e.value for e in events.Scalars(tag) if e.step == row["frames"]]
            assert any(math.isclose(value, f, rel_tol=1e-6, abs_tol=1e-9) for f in found), (tag, value, found)
            count += 1
    assert count > 20, count


def check_clip(events, rows):
    clips = events.Images("eval/policy")
    assert len(clips) == sum(row["kind"] == "eval" for row in rows), len(clips)
    for clip in clips:
        data = clip.encoded_image_string
        assert data[:6] == b"GIF89a" and (clip.width, clip.height) == (112, 84)
        assert data.count(b"\x21\xf9\x04") == 40, "pictures"  # a graphic control block each
    assert clips[0].encoded_image_string != clips[-1].encoded_image_string


def check_hparams(events):
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    session = hparams.parse_session_start_info_plugin_data(content)
    values = session.hparams
    assert values["agent"].string_value == "ddpg" and values["env"].string_value == "cartpole"
    assert values["steps"].number_value == 600 and values["ddpg.batch"].number_value == 32
    assert session.group_name == "run"


def main():
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        train(sys.argv[1], run)
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        events = EventAccumulator(str(run), size_guidance={"images": 0, "scalars": 0, "tensors": 0}).Reload()
        check_scalars(events, rows)
        check_clip(events, rows)
        check_hparams(events)
        text = events.Tensors("config")[0].tensor_proto.string_val[0].decode()
        assert "agent: \"ddpg\"" in text
    print("TensorBoard reads every figure back")


main()

"""The Gymnasium environments of python/rlrun against the real packages: gymnasium's own checker, reproducible
episodes, and, where it is installed, some thousand steps of Stable-Baselines3 (argument: how many, 0 = leave out).

Exit status 77 (skipped) without gymnasium or numpy."""
import os
import sys
import warnings

try:
    import gymnasium
    import numpy
    from gymnasium.utils.env_checker import check_env
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import rlrun  # noqa: E402
import rlrun.gym  # noqa: E402

LEARN_STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 0


def checker():
    for task in ("cheetah-run", "reacher-easy"):
        for observation in ("pixels", "states"):
            with warnings.catch_warnings():
                warnings.filterwarnings("error", category=UserWarning, module="gymnasium")
                # The checker remarks that unbounded states are unbounded: that is all it may say.
                warnings.filterwarnings("ignore", message=".*infinity.*")
                env = gymnasium.make(f"rlrun/{task}-v0", observation=observation, render_mode="rgb_array")
                check_env(env.unwrapped)
            env.close()
            print(f"{task}, {observation}: passes gymnasium's checker")


def episode(seed):
    env = gymnasium.make("rlrun/cheetah-run-v0", observation="pixels", image_size=48)
    rng = numpy.random.default_rng(1)
    frame, _ = env.reset(seed=seed)
    frames, rewards, truncated = [frame], [], False
    while not truncated:
        frame, reward, terminated, truncated, _ = env.step(rng.uniform(-1, 1, 6).astype(numpy.float32))
        assert not terminated
        frames.append(frame)
        rewards.append(reward)
    env.close()
    return numpy.stack(frames), numpy.array(rewards)


def reproducible():
    frames, rewards = episode(3)
    again, same = episode(3)
    other, _ = episode(4)
    assert len(rewards) in (250, 500, 1000) and frames.shape == (len(rewards) + 1, 48, 48, 3)
    assert (frames == again).all() and (rewards == same).all() and (frames != other).any()
    assert len({frame.tobytes() for frame in frames}) > 200
    print("episodes: same seed, same bits; another seed, another episode")


def mistakes():
    for make, word in ((lambda: rlrun.Task("chetah"), "cheetah"), (lambda: rlrun.Policy("/nothing"), "nothing")):
        try:
            make()
            raise SystemExit(f"no error that names {word}")
        except ValueError as problem:
            assert word in str(problem), problem
    task = rlrun.Task("cheetah-run")
    task.reset()
    try:
        task.step([0.0])
        raise SystemExit("an action of the wrong size was taken")
    except ValueError:
        pass
    print("mistakes are said")


def learns():
    try:
        import torch
        from stable_baselines3 import SAC
        from stable_baselines3.common.evaluation import evaluate_policy
    except ImportError as missing:
        print(f"Stable-Baselines3 left out: {missing}")
        return
    torch.set_num_threads(1)
    env = gymnasium.make("rlrun/cartpole-balance-v0", observation="states")
    test = gymnasium.make("rlrun/cartpole-balance-v0", observation="states")
    model = SAC("MlpPolicy", env, seed=1, learning_starts=300, policy_kwargs={"net_arch": [64, 64]})
    before = evaluate_policy(model, test, 1, warn=False)[0]
    model.learn(LEARN_STEPS)
    after = evaluate_policy(model, test, 1, warn=False)[0]
    print(f"SAC of Stable-Baselines3, cartpole-balance, states: return {before:.0f}, after {LEARN_STEPS} steps {after:.0f}")
    assert after > before + 100
    pixels = gymnasium.make("rlrun/cartpole-balance-v0", observation="pixels", image_size=36)
    model = SAC("CnnPolicy", pixels, seed=1, buffer_size=500, learning_starts=60, batch_size=16,
                policy_kwargs={"net_arch": [32]})
    model.learn(100)
    print("SAC of Stable-Baselines3 with its CnnPolicy takes our pixels")


checker()
reproducible()
mistakes()
if LEARN_STEPS:
    learns()

"""rlrun's tasks as Gymnasium environments.

    import gymnasium, rlrun.gym
    env = gymnasium.make("rlrun/cheetah-run-v0", observation="pixels")
"""
import gymnasium
import numpy

from .core import Task, tasks


class RlrunEnv(gymnasium.Env):
    """observation: "pixels" (size, size, 3) u8, or "states" float32. Actions are in [-1, 1]. One step is one
    decision: action_repeat frames of the task (0 = recommended). An episode that runs out of time is truncated."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}

    def __init__(self, task="cheetah-run", observation="pixels", image_size=84, action_repeat=0, camera=None,
                 render_mode=None):
        if observation not in ("pixels", "states"):
            raise ValueError(f"observation is '{observation}'; it can be 'pixels' or 'states'")
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode is '{render_mode}'; it can be None or 'rgb_array'")
        self._pixels = observation == "pixels"
        self.render_mode = render_mode
        self._task = Task(task, self._pixels or render_mode is not None, image_size, action_repeat, camera)
        facts = self._task.facts
        self.metadata = dict(self.metadata, render_fps=max(1, round(1 / facts.step_s)))
        self.action_space = gymnasium.spaces.Box(-1, 1, (facts.action_dim,), numpy.float32)
        if self._pixels:
            self.observation_space = gymnasium.spaces.Box(0, 255, self._task.frame_shape, numpy.uint8)
        else:
            self.observation_space = gymnasium.spaces.Box(-numpy.inf, numpy.inf, (facts.observation_dim,),
                                                          numpy.float32)
        self._seeded = False

    def _observe(self):
        return self._task.frame() if self._pixels else self._task.state().astype(numpy.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None or not self._seeded:
            self._task.seed(int(self.np_random.integers(2**63)))
            self._seeded = True
        self._task.reset()
        return self._observe(), {}

    def step(self, action):
        step = self._task.step(action)
        terminated = step.discount == 0
        return self._observe(), step.reward, terminated, bool(step.last) and not terminated, {}

    def render(self):
        return self._task.frame() if self.render_mode == "rgb_array" else None

    def close(self):
        self._task.close()


def register():
    """Makes every task known to gymnasium.make as rlrun/NAME-v0."""
    for name in tasks():
        key = f"rlrun/{name}-v0"
        if key not in gymnasium.registry:
            gymnasium.register(id=key, entry_point=RlrunEnv, kwargs={"task": name})


register()

"""Environments and policies of rlrun as Python objects, without Gymnasium."""
import ctypes

import numpy

from ._library import BYTES, DOUBLES, PolicyFacts, Step, TaskFacts, TaskOptions, fail, library


def tasks():
    """Names of all tasks: "cheetah-run", ..."""
    names, name = [], library.rlrun_task_name(0)
    while name is not None:
        names.append(name.decode())
        name = library.rlrun_task_name(len(names))
    return names


class Task:
    """An environment that runs. reset() and step() return the C struct; state() and frame() copy what it shows."""

    def __init__(self, name, pixels=False, image_size=0, action_repeat=0, camera=None, seed=0):
        camera = 0 if camera is None else camera + 1
        options = TaskOptions(int(pixels), image_size, action_repeat, camera, seed)
        self._handle = library.rlrun_task_create(str(name).encode(), ctypes.byref(options))
        if not self._handle:
            fail()
        self.facts = TaskFacts()
        library.rlrun_task_describe(self._handle, ctypes.byref(self.facts))
        self.name = self.facts.name.decode()
        self.frame_shape = tuple(self.facts.frame_dim)
        self._step = Step()

    def close(self):
        if getattr(self, "_handle", None):
            library.rlrun_task_destroy(self._handle)
        self._handle = None

    __del__ = close

    def seed(self, seed):
        library.rlrun_task_seed(self._handle, seed)

    def reset(self):
        if library.rlrun_task_reset(self._handle, ctypes.byref(self._step)) < 0:
            fail(RuntimeError)
        return self._step

    def step(self, action):
        action = numpy.ascontiguousarray(action, dtype=numpy.float64)
        if action.shape != (self.facts.action_dim,):
            raise ValueError(f"action has shape {action.shape}, {self.name} takes ({self.facts.action_dim},)")
        if library.rlrun_task_step(self._handle, action.ctypes.data_as(DOUBLES), ctypes.byref(self._step)) < 0:
            fail(RuntimeError)
        return self._step

    def state(self):
        return numpy.ctypeslib.as_array(self._step.observation, (self.facts.observation_dim,)).copy()

    def frame(self):
        if not self._step.frame:
            raise RuntimeError("this task was made without pixels")
        return numpy.ctypeslib.as_array(self._step.frame, self.frame_shape).copy()


class Policy:
    """The mean action of a trained run: its folder, or its final.safetensors."""

    def __init__(self, run):
        self._handle = library.rlrun_policy_load(str(run).encode())
        if not self._handle:
            fail()
        self.facts = PolicyFacts()
        library.rlrun_policy_describe(self._handle, ctypes.byref(self.facts))
        self.task = self.facts.task.decode()
        self.frame_shape = tuple(self.facts.frame_dim)
        self._action = numpy.zeros(self.facts.action_dim)

    def close(self):
        if getattr(self, "_handle", None):
            library.rlrun_policy_destroy(self._handle)
        self._handle = None

    __del__ = close

    def act(self, seen, first):
        """One action from a frame (height, width, 3) u8, or from an observation; first: an episode begins."""
        state = self.facts.observation_dim
        shape = (state,) if state else self.frame_shape
        seen = numpy.ascontiguousarray(seen, dtype=numpy.float64 if state else numpy.uint8)
        if seen.shape != shape:
            raise ValueError(f"the policy sees {shape}, not {seen.shape}")
        frame = None if state else seen.ctypes.data_as(BYTES)
        observation = seen.ctypes.data_as(DOUBLES) if state else None
        if library.rlrun_policy_act(self._handle, frame, observation, int(first),
                                    self._action.ctypes.data_as(DOUBLES)) < 0:
            fail()
        return self._action.copy()

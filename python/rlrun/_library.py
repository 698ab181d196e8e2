"""librlrun by ctypes. The declarations follow include/rlrun.h; nothing is compiled."""
import ctypes
import os
import pathlib

API = 1


class TaskOptions(ctypes.Structure):
    _fields_ = [("pixels", ctypes.c_int), ("image_size", ctypes.c_int), ("action_repeat", ctypes.c_int),
                ("camera", ctypes.c_int), ("seed", ctypes.c_uint64)]


class TaskFacts(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 64), ("observation_dim", ctypes.c_int), ("action_dim", ctypes.c_int),
                ("frame_dim", ctypes.c_int * 3), ("action_repeat", ctypes.c_int), ("episode_steps", ctypes.c_int),
                ("step_s", ctypes.c_double), ("reward_max", ctypes.c_double)]


class Step(ctypes.Structure):
    _fields_ = [("observation", ctypes.POINTER(ctypes.c_double)), ("frame", ctypes.POINTER(ctypes.c_uint8)),
                ("reward", ctypes.c_double), ("discount", ctypes.c_double), ("first", ctypes.c_int),
                ("last", ctypes.c_int)]


class PolicyFacts(ctypes.Structure):
    _fields_ = [("action_dim", ctypes.c_int), ("observation_dim", ctypes.c_int), ("frame_dim", ctypes.c_int * 3),
                ("frame_stack", ctypes.c_int), ("task", ctypes.c_char * 64), ("action_repeat", ctypes.c_int)]


DOUBLES = ctypes.POINTER(ctypes.c_double)
BYTES = ctypes.POINTER(ctypes.c_uint8)
SIGNATURES = {
    "rlrun_api": (ctypes.c_int, []),
    "rlrun_version": (ctypes.c_char_p, []),
    "rlrun_error": (ctypes.c_char_p, []),
    "rlrun_task_create": (ctypes.c_void_p, [ctypes.c_char_p, ctypes.POINTER(TaskOptions)]),
    "rlrun_task_destroy": (None, [ctypes.c_void_p]),
    "rlrun_task_describe": (None, [ctypes.c_void_p, ctypes.POINTER(TaskFacts)]),
    "rlrun_task_seed": (None, [ctypes.c_void_p, ctypes.c_uint64]),
    "rlrun_task_reset": (ctypes.c_int, [ctypes.c_void_p, ctypes.POINTER(Step)]),
    "rlrun_task_step": (ctypes.c_int, [ctypes.c_void_p, DOUBLES, ctypes.POINTER(Step)]),
    "rlrun_task_name": (ctypes.c_char_p, [ctypes.c_int]),
    "rlrun_policy_load": (ctypes.c_void_p, [ctypes.c_char_p]),
    "rlrun_policy_destroy": (None, [ctypes.c_void_p]),
    "rlrun_policy_describe": (None, [ctypes.c_void_p, ctypes.POINTER(PolicyFacts)]),
    "rlrun_policy_act": (ctypes.c_int, [ctypes.c_void_p, BYTES, DOUBLES, ctypes.c_int, DOUBLES]),
}


def _candidates():
    """$RLRUN_LIBRARY; the build tree or the installed tree that this file is in; the system's folders."""
    forced = os.environ.get("RLRUN_LIBRARY")
    if forced:
        return [forced]
    found = []
    for parent in pathlib.Path(__file__).resolve().parents:
        found += [parent / "build" / "librlrun.so", *sorted(parent.glob("lib*/librlrun.so")),
                  *sorted(parent.glob("lib/*/librlrun.so"))]
    return [str(path) for path in found if path.exists()] + ["librlrun.so"]


def _load():
    problems = []
    for path in _candidates():
        try:
            library = ctypes.CDLL(path)
            break
        except OSError as problem:
            problems.append(str(problem))
    else:
        raise ImportError("librlrun.so is not found (make build makes build/librlrun.so; or set RLRUN_LIBRARY): "
                          + "; ".join(problems))
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    if library.rlrun_api() != API:
        raise ImportError(f"{path} has API {library.rlrun_api()}, this package needs {API}")
    return library


library = _load()


def fail(kind=ValueError):
    raise kind(library.rlrun_error().decode())

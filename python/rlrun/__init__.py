"""rlrun for Python: tasks with pixels and trained policies, through librlrun. rlrun.gym has Gymnasium's interface."""
from .core import Policy, Task, tasks

__all__ = ["Policy", "Task", "tasks"]

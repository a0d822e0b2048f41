"""The words of the field as frozen values; every floor above speaks in them, and they import nothing of ours.

Durations are seconds, sizes are bytes unless a name says otherwise, money is US dollars,
moments are aware UTC ``datetime`` values or ISO 8601 strings in records.
"""

from ralph.domain.evidence import (
    Change,
    Comparison,
    Execution,
    Finding,
    FollowUp,
    GateResult,
    GuardResult,
    Mutant,
    ProofResult,
    Review,
    Run,
    Strength,
    TestCounts,
    TestFailure,
)
from ralph.domain.iteration import AgentResult, Feedback, IterationResult, IterationSpec, Reflection
from ralph.domain.task import Budget, Task, TaskResult
from ralph.domain.usage import Usage, Wait
from ralph.domain.words import Cause, Grade, Kind, Outcome, Proof, Status, Verdict

__all__ = [
    "AgentResult",
    "Budget",
    "Cause",
    "Change",
    "Comparison",
    "Execution",
    "Feedback",
    "Finding",
    "FollowUp",
    "GateResult",
    "Grade",
    "GuardResult",
    "IterationResult",
    "IterationSpec",
    "Kind",
    "Mutant",
    "Outcome",
    "Proof",
    "ProofResult",
    "Reflection",
    "Review",
    "Run",
    "Status",
    "Strength",
    "Task",
    "TaskResult",
    "TestCounts",
    "TestFailure",
    "Usage",
    "Verdict",
    "Wait",
]

"""The fault lab: every vendor in one process, answering in its own wire format and failing on demand."""

from faultmaven.testing.lab.fault_lab import FaultLab, LabRequest
from faultmaven.testing.lab.faults import Fault
from faultmaven.testing.lab.replies.table import REPLIES
from faultmaven.testing.lab.reply import ANSWER, NO_ROUTE, LabReply

__all__ = ["ANSWER", "NO_ROUTE", "REPLIES", "Fault", "FaultLab", "LabReply", "LabRequest"]

"""The fault lab: simulated vendors in one process, each with its own wire format and with faults on demand."""

from .fault_lab import FaultLab, LabRequest
from .faults import Fault
from .replies.table import REPLIES
from .reply import ANSWER, NO_ROUTE, LabReply

__all__ = ["ANSWER", "NO_ROUTE", "REPLIES", "Fault", "FaultLab", "LabReply", "LabRequest"]

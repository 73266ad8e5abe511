"""The exit codes of the command line, and the exit code of each error."""

from ..domain.errors import ConfigurationError, InvalidRequestError, LLMError

OK = 0
CONFIGURATION = 1
USAGE = 2
PROVIDER = 3
INTERRUPTED = 130
READER_GONE = 141

MEANINGS = {
    OK: "success; for doctor and config --check: no problem and no warning",
    CONFIGURATION: "the configuration is invalid, or a requirement of the command is missing",
    USAGE: "the command line is invalid",
    PROVIDER: "the request failed: no provider gave a complete answer",
    INTERRUPTED: "interrupted with Ctrl-C",
    READER_GONE: "the reader of the output closed the pipe, as head does",
}


def exit_code_for(error: LLMError) -> int:
    """Return the exit code of `error`.

    An `InvalidRequestError` means wrong usage, unless a provider refused the request and another one could accept it.
    """
    if isinstance(error, ConfigurationError):
        return CONFIGURATION
    if isinstance(error, InvalidRequestError) and (not error.attempts or not error.elsewhere):
        return USAGE
    return PROVIDER

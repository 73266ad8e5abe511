"""The exit codes of the command line, and the exit code of each error."""

from ..domain.errors import ConfigurationError, InvalidRequestError, LLMError

OK = 0
CONFIGURATION = 1
USAGE = 2
PROVIDER = 3
INTERRUPTED = 130
READER_GONE = 141

MEANINGS = {
    OK: "done; for doctor and config --check: nothing is wrong",
    CONFIGURATION: "the configuration is wrong, or something that the command needs is missing",
    USAGE: "the command line is wrong",
    PROVIDER: "a provider failed, or all of them did",
    INTERRUPTED: "interrupted with Ctrl-C",
    READER_GONE: "whoever read the output went away, as head does",
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

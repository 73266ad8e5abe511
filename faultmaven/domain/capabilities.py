"""The capabilities of models, by name.

"text" is a response to a prompt, "stream" a streamed response, "tools" functions that the model may call, "schema" a
response that follows a JSON schema, "images" and "files" attachments of a message, "image addresses" images at URLs
that the vendor fetches, and "reasoning" control of how long the model thinks.
"""

from dataclasses import dataclass

CAPABILITIES = ("text", "stream", "tools", "schema", "images", "reasoning", "files", "image addresses")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The features and token limits of one model at one provider.

    Attributes:
        features: Names of `CAPABILITIES` and further features of the dialect, such as "turns" and "seed".
        context_window: The most tokens of a prompt, None if unknown.
        max_output: The most tokens of a response, None if unknown.
    """

    features: frozenset[str] = frozenset()
    context_window: int | None = None
    max_output: int | None = None

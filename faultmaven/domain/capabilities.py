"""What a model can take and give, by name.

"text" is an answer to a prompt, "stream" its answer in pieces, "tools" functions to call, "schema" an answer of a given
form, "images" and "files" what a message holds beside text, "image addresses" those that the vendor fetches itself, and
"reasoning" a say in how much it thinks.
"""

from dataclasses import dataclass

CAPABILITIES = ("text", "stream", "tools", "schema", "images", "reasoning", "files", "image addresses")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one model takes at one provider.

    Attributes:
        features: Of `CAPABILITIES`, and what a dialect carries besides, such as "turns" and "seed".
        context_window: Tokens of prompt that it takes, None where that is not known.
        max_output: Tokens that it answers at most, None where that is not known.
    """

    features: frozenset[str] = frozenset()
    context_window: int | None = None
    max_output: int | None = None

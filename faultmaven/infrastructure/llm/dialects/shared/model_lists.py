"""Reading list routes: the names of the models that a vendor or a server offers."""

from ....http.types import WireReply
from .errors import raise_for_error_body
from .reading import objects_in, parse_json, read_object


def read_model_names(reply: WireReply, list_name: str, id_name: str) -> list[str]:
    """Return the names at `id_name` of the list at `list_name`, or of a list that stands alone (Together).

    Raises:
        MalformedResponseError: the body is no JSON object or list.
        LLMError: the body is the vendor's error.
    """
    listed = parse_json(reply.body)
    if not isinstance(listed, list):
        data = read_object(reply)
        raise_for_error_body(reply, data)
        listed = data.get(list_name)
    return [row[id_name] for row in objects_in(listed) if isinstance(row.get(id_name), str)]

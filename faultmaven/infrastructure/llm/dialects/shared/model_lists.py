"""Model names in the replies of list routes."""

from ....http.types import WireReply
from .errors import raise_for_error_body
from .reading import objects_in, parse_json, read_object


def read_model_names(reply: WireReply, list_name: str, id_name: str) -> list[str]:
    """Return the names at `id_name` of the list at `list_name`, or of a bare list (Together).

    Raises:
        MalformedResponseError: the body is neither a JSON object nor a list.
        LLMError: the body is an error object of the vendor.
    """
    models = parse_json(reply.body)
    if not isinstance(models, list):
        data = read_object(reply)
        raise_for_error_body(reply, data)
        models = data.get(list_name)
    return [model[id_name] for model in objects_in(models) if isinstance(model.get(id_name), str)]

"""Write a llama model with random weights, so that a real server can run without any download.

Run as `python tiny_model.py OUT.gguf`. The answers are random; tokens, counts and stop reasons are real. The
vocabulary has the 256 bytes, so that any text can be read, and some words, which the model prefers in answers.
"""

import sys
from pathlib import Path

import gguf
import numpy as np

CONTEXT = 2048
WIDTH = 64
HEADS = 4
INNER_WIDTH = 128
LAYERS = 2
WORDS = ("the", "pod", "is", "down", "restart", "error", "log", "node", "because", "memory", "limit", "again")
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"

CONTROL = [b"<unk>", b"<s>", b"</s>"]
BYTES = [f"<0x{byte:02X}>".encode() for byte in range(256)]
# U+2581 is how the llama tokenizer writes a space.
TOKENS = [*CONTROL, *BYTES, *(f"\u2581{word}".encode() for word in WORDS)]
FIRST_WORD = len(CONTROL) + len(BYTES)


def main(path: Path) -> None:
    """Write the model to `path`."""
    writer = gguf.GGUFWriter(str(path), "llama")
    write_shape(writer)
    write_vocabulary(writer)
    write_weights(writer, np.random.default_rng(7))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_shape(writer: gguf.GGUFWriter) -> None:
    """Write the metadata that the server needs to load the tensors."""
    writer.add_name("tiny-random")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(len(TOKENS))
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER_WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)


def write_vocabulary(writer: gguf.GGUFWriter) -> None:
    """Write the tokens: known words are matched first, by a higher score, and bytes cover the rest of a text."""
    token_types = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    token_types += [gguf.TokenType.BYTE] * len(BYTES) + [gguf.TokenType.NORMAL] * len(WORDS)
    scores = [0.0] * len(CONTROL) + [-1000.0] * len(BYTES) + [-float(rank) for rank in range(len(WORDS))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(TOKENS)
    writer.add_token_scores(scores)
    writer.add_token_types(token_types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)


def write_weights(writer: gguf.GGUFWriter, random: np.random.Generator) -> None:
    """Write random tensors, with output weights that prefer words to bytes and to the end of the text."""

    def tensor(*shape: int) -> np.ndarray:
        return random.normal(0, 0.3, shape).astype(np.float32)

    output = tensor(len(TOKENS), WIDTH)
    output[:FIRST_WORD] *= 0.01
    writer.add_tensor("token_embd.weight", tensor(len(TOKENS), WIDTH))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    writer.add_tensor("output.weight", output)
    for layer in range(LAYERS):
        writer.add_tensor(f"blk.{layer}.attn_norm.weight", np.ones(WIDTH, np.float32))
        writer.add_tensor(f"blk.{layer}.ffn_norm.weight", np.ones(WIDTH, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", tensor(WIDTH, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_gate.weight", tensor(INNER_WIDTH, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_up.weight", tensor(INNER_WIDTH, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_down.weight", tensor(WIDTH, INNER_WIDTH))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Draw `docs/pictures/demo.svg`, the scene of `faultmaven demo` in which the primary fails.

Run `python -m tests.docs.demo_picture` after a change of the demo or of an error message. `test_pictures.py` compares
the file with the output.
"""

import os
import re
import subprocess
import sys
import textwrap
from html import escape

from .pages import ROOT

PICTURE = ROOT / "docs" / "pictures" / "demo.svg"
SCENE = 2
COLUMNS = 44
CHARACTER_WIDTH, LINE_HEIGHT, TOP, LEFT = 7.8, 18, 44, 10
INDENT = "   "
CONTINUATION = " " * 10

STYLES = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "amber"}
"""The class of each SGR code that the demo prints."""

CSS = """
    .paper { fill: #ffffff; stroke: #d0d7de } .bar { fill: #f6f8fa } .dot { fill: #d0d7de }
    text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; fill: #1f2328 }
    .bold { font-weight: 700 } .dim { fill: #59636e } .red { fill: #cf222e }
    .green { fill: #1a7f37 } .amber { fill: #9a6700 }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #0d1117; stroke: #3d444d } .bar { fill: #151b23 } .dot { fill: #3d444d } text { fill: #e6edf3 }
      .dim { fill: #9198a1 } .red { fill: #ff7b72 } .green { fill: #3fb950 } .amber { fill: #d29922 }
    }
"""


def demo_output() -> str:
    """Return the coloured output of the demo."""
    environment = {**os.environ, "FORCE_COLOR": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "faultmaven.cli", "demo"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=True).stdout


def styled_lines(output: str) -> list[tuple[str, str]]:
    """Return the lines of the scene, each with its class, without their indent and folded to the picture's width."""
    folded = []
    for line in output.split("\n\n")[SCENE - 1].splitlines():
        codes = re.findall(r"\x1b\[(\d+)m", line)
        style = next((STYLES[code] for code in codes if code in STYLES), "")
        text = re.sub(r"\x1b\[\d+m", "", line).removeprefix(INDENT)
        is_timed = re.match(r" +\d+\.\d+ s ", text)
        wrapped = textwrap.wrap(text, COLUMNS, subsequent_indent=CONTINUATION if is_timed else "  ")
        folded += [(part, style) for part in wrapped]
    return folded


def picture(output: str) -> str:
    """Return the demo's output as an SVG terminal."""
    lines = [("$ faultmaven demo", "dim"), ("", ""), *styled_lines(output)]
    width, height = round(LEFT * 2 + COLUMNS * CHARACTER_WIDTH), TOP + len(lines) * LINE_HEIGHT
    rows = [
        f'  <text x="{LEFT}" y="{TOP + index * LINE_HEIGHT}" class="{style}" xml:space="preserve">{escape(text)}</text>'
        for index, (text, style) in enumerate(lines)
        if text
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * 5 // 4}" height="{height * 5 // 4}"'
            f' viewBox="0 0 {width} {height}" role="img">',
            "  <title>The output of faultmaven demo: a failing provider, and the answer of the next one</title>",
            f"  <style>{CSS}  </style>",
            f'  <rect class="paper" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
            f'  <path class="bar" d="M1 24V9a8 8 0 0 1 8-8h{width - 18}a8 8 0 0 1 8 8v15z"/>',
            *(f'  <circle class="dot" cx="{x}" cy="12.5" r="4.5"/>' for x in (16, 32, 48)),
            *rows,
            "</svg>",
            "",
        ]
    )


def steady(svg: str) -> str:
    """Return the words of `svg` without the seconds, which differ from run to run and may move a line's end."""
    lines = re.findall(r"<text [^>]*>(.*)</text>", svg)
    return re.sub(r" *\d+(\.\d+)? s\b", " N s", re.sub(r"\s+", " ", " ".join(lines)))


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(demo_output()), "utf-8")

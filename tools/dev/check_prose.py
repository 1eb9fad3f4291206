"""Check the English of docs, docstrings, comments and messages against `prose_rules.yml`.

    python tools/dev/check_prose.py [PATH ...]      # default: all files that git tracks

Prints `file:line: "phrase" -> suggestion` for each finding and exits with 1 if there is one.
Checked are Markdown, YAML, TOML and shell files, notebooks, and in Python files docstrings,
comments, string literals with a space, and the names of classes and functions. Code in backticks is
skipped.
`# prose: ok` or `<!-- prose: ok -->` on the line of a finding, or on the last line of a multi-line
string, permits it: for data that happens to be English, never for prose.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
ALLOWANCE = "prose: ok"
_SENTENCE = re.compile(r"(?:\A|(?<=[.:!?;] )|(?<=[.:]\n)|(?<=\n\n)|(?<=\| ))\s*(?=\w)")
SUFFIXES = (".md", ".py", ".ipynb", ".yml", ".yaml", ".toml", ".sh")
# The rules name what they forbid.
SKIPPED = ("tools/dev/prose_rules.yml", "tests/tools/dev/test_check_prose.py")

Kind = Literal["prose", "module", "text", "name"]


class Rule(NamedTuple):
    """A forbidden pattern and its replacement."""

    pattern: re.Pattern[str]
    say: str


class Rules(NamedTuple):
    """Rules by the part of a text that they apply to."""

    phrases: list[Rule]
    sentence_starts: list[Rule]
    module_starts: list[Rule]
    argument_starts: list[Rule]
    spelling: list[Rule]


class Segment(NamedTuple):
    """Piece of text with its place.

    Attributes:
        text: Text without comment signs and quotes.
        line: Number of its first line, from 1.
        kind: "module" is the docstring of a module; "prose" is any other docstring, a comment or a
            page; "text" is a string literal; "name" is the name of a function or class.
        last_line: Number of its last line, where an allowance for a docstring may be.
    """

    text: str
    line: int
    kind: Kind
    last_line: int


@dataclass(frozen=True)
class Finding:
    """Forbidden phrase with its place and a suggestion."""

    path: Path
    line: int
    phrase: str
    say: str

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: "{self.phrase}" -> {self.say}'


def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern whose spaces also match one line break."""
    return re.compile(pattern.replace(" ", r"[ \n]"), re.IGNORECASE)


def load_rules() -> Rules:
    """Read the rules from `prose_rules.yml`."""
    raw = yaml.safe_load(Path(__file__).with_name("prose_rules.yml").read_text(encoding="utf-8"))
    starts = {
        key: [Rule(_compile(entry["pattern"]), entry["say"]) for entry in raw[key]]
        for key in ("phrases", "sentence_starts", "module_starts", "argument_starts")
    }
    spelling = [
        Rule(_compile(rf"(?<![a-z])({old})(\w*)"), new) for old, new in raw["spelling"].items()
    ]
    stems = "|".join(sorted(set(raw["ise_stems"].split()), key=len, reverse=True))
    ending = "(?:e|ing|ation|able)"
    ise = _compile(rf"(?<![a-z])((?:re|de|un|pre)?(?:{stems})is)({ending}\w*)")
    return Rules(**starts, spelling=[*spelling, Rule(ise, "-ize")])


def _blank(match: re.Match[str]) -> str:
    """Replace a match with fillers of the same length that no rule matches."""
    return re.sub(r"[^\n]", "¤", match.group())


def _without_code(text: str) -> str:
    """Blank code in backticks, links' targets and doctest lines."""
    text = re.sub(r"``[^`]+``|`[^`\n]*(?:\n[^`\n]*)?`", _blank, text)
    text = re.sub(r"(?<=\])\([^)\s]*\)|https?://\S+", _blank, text)
    return re.sub(r"^\s*(?:>>>|\.\.\.) .*$", _blank, text, flags=re.MULTILINE)


def _docstrings(tree: ast.Module) -> dict[int, Kind]:
    """Return the kind of each docstring by its first line."""
    found: dict[int, Kind] = {}
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for child in body if isinstance(body, list) else []:
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                is_module = node is tree and child is tree.body[0]
                found[child.lineno] = "module" if is_module else "prose"
    return found


def _names(tree: ast.Module) -> Iterator[Segment]:
    """Yield names of functions and classes as words."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", node.name.replace("_", " ")).strip()
            yield Segment(words, node.lineno, "name", node.lineno)


def _literal(token: tokenize.TokenInfo) -> str:
    """Return the text of a string token, with `{...}` of an f-string blanked."""
    match = re.match(r"(?s)([a-zA-Z]*)(\"\"\"|'''|\"|')(.*)\2$", token.string)
    if match is None:  # the middle of an f-string, which Python 3.12 gives apart
        return token.string
    prefix, _, text = match.groups()
    text = re.sub(r"\\n", "  ", text)
    return re.sub(r"\{[^{}]*\}", _blank, text) if "f" in prefix.lower() else text


def _joined(tokens: list[tuple[str, tokenize.TokenInfo]], kind: Kind) -> Segment:
    """Join the texts of neighboring tokens, a line break where a new line begins."""
    text, row = tokens[0][0], tokens[0][1].end[0]
    for more, token in tokens[1:]:
        text += "\n" * (token.start[0] - row) + more
        row = token.end[0]
    return Segment(text, tokens[0][1].start[0], kind, row)


def _python_segments(source: str) -> Iterator[Segment]:
    """Yield docstrings, blocks of comments, string literals and names of a Python source."""
    tree = ast.parse(source)
    docstrings = _docstrings(tree)
    middle = getattr(tokenize, "FSTRING_MIDDLE", -1)
    skipped = (tokenize.NL, getattr(tokenize, "FSTRING_START", -1), tokenize.INDENT)
    comments: list[tuple[str, tokenize.TokenInfo]] = []
    strings: list[tuple[str, tokenize.TokenInfo]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            text = token.string.lstrip("#: ")
            if comments and comments[-1][1].start != (token.start[0] - 1, token.start[1]):
                yield _joined(comments, "prose")
                comments = []
            comments.append((text, token))
        elif token.type == tokenize.STRING or token.type == middle:
            strings.append((_literal(token), token))
        elif strings and token.type not in (*skipped, getattr(tokenize, "FSTRING_END", -1)):
            if token.type == tokenize.OP and token.string in "{}":
                continue
            yield _joined(strings, docstrings.get(strings[0][1].start[0], "text"))
            strings = []
    for rest, kind in ((comments, "prose"), (strings, "text")):
        if rest:
            yield _joined(rest, "prose" if kind == "prose" else "text")
    yield from _names(tree)


def _markdown_segments(source: str) -> Iterator[Segment]:
    """Yield the prose of a page, with fences blanked, and the parts of its Python fences."""

    def fence(match: re.Match[str]) -> str:
        if match.group(1) == "python":
            fences.append((source.count("\n", 0, match.start(2)), match.group(2)))
        return _blank(match)

    fences: list[tuple[int, str]] = []
    text = re.sub(r"(?ms)^```(\w*)[^\n]*\n(.*?)^```", fence, source)
    text = re.sub(r"(?m)^ {4,}\S.*$", _blank, text)
    yield Segment(text, 1, "prose", text.count("\n") + 1)
    for offset, code in fences:
        try:
            segments = list(_python_segments(code))
        except SyntaxError:  # a fragment
            continue
        for segment in segments:
            kind: Kind = "prose" if segment.kind == "module" else segment.kind
            yield Segment(segment.text, segment.line + offset, kind, segment.last_line + offset)


def _notebook_segments(source: str) -> Iterator[Segment]:
    """Yield the parts of a notebook's cells; lines are counted through all cells."""
    offset = 0
    for cell in json.loads(source)["cells"]:
        text = "".join(cell["source"])
        read = _python_segments if cell["cell_type"] == "code" else _markdown_segments
        for part in read(text):
            kind: Kind = "prose" if part.kind == "module" else part.kind
            yield Segment(part.text, part.line + offset, kind, part.last_line + offset)
        offset += text.count("\n") + 1


def segments_of(path: Path, source: str) -> Iterator[Segment]:
    """Yield the checked parts of a file, by its suffix."""
    if path.suffix == ".py":
        return _python_segments(source)
    if path.suffix == ".md":
        return _markdown_segments(source)
    if path.suffix == ".ipynb":
        return _notebook_segments(source)
    text = re.sub(r"(?m)^\s*#+ ?", _blank, source)
    return iter([Segment(text, 1, "prose", source.count("\n") + 1)])


def _arguments(text: str) -> list[int]:
    """Return where the description of each item under `Args:` and `Attributes:` begins."""
    starts = []
    for section in re.finditer(r"(?m)^( *)(?:Args|Attributes):\n((?:\1 +\S.*\n?|\s*\n)*)", text):
        inner = re.match(r" *", section.group(2))
        indent = inner.group() if inner else ""
        for item in re.finditer(rf"(?m)^{indent}\*{{0,2}}\w+(?: \([^)]*\))?: *", section.group(2)):
            starts.append(section.start(2) + item.end())
    return starts


def _matches(segment: Segment, text: str, rules: Rules) -> Iterator[tuple[int, str, str]]:
    """Yield (lines before it, phrase, suggestion) of each finding in a segment."""
    flat = re.sub(r"[ \t]*\n[ \t]*", "\n", text)
    found = [(m, rule.say) for rule in rules.phrases for m in rule.pattern.finditer(flat)]
    for rule in rules.spelling:
        for match in rule.pattern.finditer(flat):
            stem, rest = match.groups()
            american = re.sub("is$", "iz", stem) if rule.say == "-ize" else rule.say
            found.append((match, american + rest))
    if segment.kind in ("prose", "module"):
        starts = [start.end() for start in _SENTENCE.finditer(flat)]
        found += _at(starts, flat, rules.sentence_starts)
    if segment.kind == "module":
        found += _at([len(flat) - len(flat.lstrip())], flat, rules.module_starts)
    for match, say in found:
        yield flat.count("\n", 0, match.start()), match.group(), say
    if segment.kind in ("prose", "module"):
        for match, say in _at(_arguments(text), text, rules.argument_starts):
            yield text.count("\n", 0, match.start()), f"Args: {match.group()} ...", say


def _at(starts: list[int], text: str, rules: list[Rule]) -> list[tuple[re.Match[str], str]]:
    """Return the matches of rules that begin at one of `starts`."""
    pairs = ((rule.pattern.match(text, start), rule.say) for start in starts for rule in rules)
    return [(match, say) for match, say in pairs if match]


def check_source(path: Path, source: str, rules: Rules) -> list[Finding]:
    """Return the findings in a file's text, in its order."""
    lines = source.splitlines()
    found: set[Finding] = set()
    for segment in segments_of(path, source):
        if segment.kind == "text" and not re.search(r"\w\s+\S", segment.text):
            continue
        text = _without_code(segment.text)
        for breaks, phrase, say in _matches(segment, text, rules):
            line = segment.line + breaks
            places = {line} | ({segment.last_line} if path.suffix == ".py" else set())
            if not any(0 < at <= len(lines) and ALLOWANCE in lines[at - 1] for at in places):
                found.add(Finding(path, line, " ".join(phrase.split()), say))
    # The beginning of an argument's description is the beginning of a sentence too.
    arguments = {(f.line, f.phrase.split()[1]) for f in found if f.phrase.startswith("Args: ")}
    found = {f for f in found if (f.line, f.phrase) not in arguments}
    return sorted(found, key=lambda finding: (finding.line, finding.phrase))


def find_files(paths: list[Path]) -> list[Path]:
    """Return the tracked files under `paths` that are checked; all of the repository if empty."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    done = subprocess.run(
        [*command, *(str(path.resolve()) for path in paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = sorted(name for name in done.stdout.split("\0") if name.endswith(SUFFIXES))
    return [ROOT / name for name in names if name not in SKIPPED and (ROOT / name).is_file()]


def main(words: list[str] | None = None) -> int:
    """Print the findings; return 1 if there are any."""
    parser = argparse.ArgumentParser(description="Check the English of docs and code.")
    parser.add_argument("paths", nargs="*", type=Path, help="files or folders; default: all")
    rules = load_rules()
    files = find_files(parser.parse_args(words).paths)
    findings = [
        found
        for file in files
        for found in check_source(file.relative_to(ROOT), file.read_text(encoding="utf-8"), rules)
    ]
    for found in findings:
        print(found)
    print(f"{len(findings)} findings in {len(files)} files", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

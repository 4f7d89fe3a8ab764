"""Changes one value in a configuration file, and leaves every other character of it as it is.

The YAML parser says where a value stands, and only that place is written anew: comments, order and quotes stay. What
comes of it is parsed again and compared with what was meant, so an edit is exact or it is not made.
"""

from typing import Any

import yaml

from edge.errors import ConfigError

Place = tuple[int, int]


def with_value(text: str, path: str, value: Any) -> str:
    """The file's text with ``value`` at ``path`` (``cameras.top.interval_s``: a camera under its name).

    Raises:
        ConfigError: there is no such place, or the text is too unusual to be changed by a program.
    """
    keys = path.split(".")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError("the file holds no mapping of settings; see configs/device.yaml")
    changed = _changed(text, root, keys, value)
    try:
        proof = yaml.safe_load(changed)
    except yaml.YAMLError:
        proof = None
    if proof != _meant(yaml.safe_load(text), keys, value):
        raise ConfigError(f"{path} stands where a program cannot change it safely (an alias?); change it in an editor")
    return changed


def value_of(words: str) -> Any:
    """A value as it would stand in the file: ``600``, ``true``, ``null``, ``[0.1, 0.2]``, ``{kind: grid, …}``.

    Raises:
        ConfigError: it is not YAML.
    """
    try:
        return yaml.safe_load(words)
    except yaml.YAMLError as error:
        raise ConfigError(f"{words!r} is not a value in YAML: {error}") from error


def _changed(text: str, node: yaml.Node, keys: list[str], value: Any) -> str:
    found, rest = node, list(keys)
    while rest and (inner := _child(found, rest[0])) is not None:
        found, rest = inner, rest[1:]
    if not rest:
        start, end = _span(found)
        gap = "" if text[:start].endswith((" ", "\n")) else " "
        return text[:start] + gap + _words(value) + text[end:]
    if isinstance(found, yaml.ScalarNode) and found.tag.endswith(":null"):
        start, end = _span(found)
        gap = "" if text[:start].endswith((" ", "\n")) else " "
        return text[:start] + gap + _words(_nested(rest, value)) + text[end:]
    if not isinstance(found, yaml.MappingNode):
        raise ConfigError(f"there is nothing named {rest[0]} in {'.'.join(keys[: -len(rest)]) or 'the file'}")
    return _inserted(text, found, rest[0], _nested(rest[1:], value))


def _child(node: yaml.Node, key: str) -> yaml.Node | None:
    """What stands under ``key``; in a list, the entry of that name."""
    if isinstance(node, yaml.MappingNode):
        return next((inner for name, inner in node.value if name.value == key), None)
    if isinstance(node, yaml.SequenceNode):
        return next((each for each in node.value if getattr(_child(each, "name"), "value", None) == key), None)
    return None


def _inserted(text: str, mapping: yaml.MappingNode, key: str, value: Any) -> str:
    entry = f"{key}: {_words(value)}"
    if mapping.flow_style:
        end = _span(mapping.value[-1][1])[1] if mapping.value else mapping.start_mark.index + 1
        return text[:end] + (", " if mapping.value else "") + entry + text[end:]
    end = _span(mapping.value[-1][1])[1]
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    indent = " " * mapping.value[0][0].start_mark.column
    return f"{text[:line_end]}\n{indent}{entry}{text[line_end:]}"


def _span(node: yaml.Node) -> Place:
    """From where to where a value stands. A block's end mark lies past the comments after it: its last leaf tells."""
    start = node.start_mark.index
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return start, _span(last[1] if isinstance(last, tuple) else last)[1]
    return start, node.end_mark.index


def _words(value: Any) -> str:
    """A value in YAML's flow style. Letters stand as they are, and what YAML takes for an end of line is escaped."""
    plain, escaped = (
        str(yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=letters, sort_keys=False))
        .removesuffix("...\n")
        .strip("\n")
        for letters in (True, False)
    )
    return plain if len(plain.splitlines()) == 1 else escaped


def _nested(keys: list[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _meant(tree: Any, keys: list[str], value: Any) -> Any:
    """The tree with the value in its place."""
    if not keys:
        return value
    if isinstance(tree, list):
        names = [each.get("name") if isinstance(each, dict) else None for each in tree]
        return [
            _meant(each, keys[1:], value) if name == keys[0] else each for each, name in zip(tree, names, strict=True)
        ]
    inner = tree if isinstance(tree, dict) else {}
    return {**inner, keys[0]: _meant(inner.get(keys[0]), keys[1:], value)}

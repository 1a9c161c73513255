"""The grammar of CloudWatch's metric math: text to tree, pure."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>&&|\|\||==|!=|<=|>=|[-+*/^()\[\],<>!]))"
)
_WORD_OPERATORS = {"AND": "&&", "OR": "||", "NOT": "!"}
_LEVELS = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/"))


class MathError(ValueError):
    """An expression that CloudWatch would refuse, or that needs a function we do not have."""


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Name:
    """The id of another query, or a keyword such as `REPEAT`."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function or an operator with its arguments."""

    function: str
    arguments: tuple["Node", ...]


Node = Number | Name | Call


def parse(expression: str) -> Node:
    """Parse an expression.

    Raises:
        MathError: It is not metric math.
    """
    parser = _Parser(_tokens(expression), expression)
    node = parser.level(0)
    parser.expect("")
    return node


def names(node: Node) -> frozenset[str]:
    """Give the ids that an expression refers to (keywords among them)."""
    if isinstance(node, Name):
        return frozenset({node.name})
    if isinstance(node, Call):
        return frozenset().union(*(names(argument) for argument in node.arguments))
    return frozenset()


def _tokens(expression: str) -> list[str]:
    found, position = [], 0
    text = expression.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise MathError(
                f"expression {expression!r} has {text[position:].lstrip()[:1]!r} at {position}, which is "
                "not part of metric math"
            )
        found.append(_WORD_OPERATORS.get(match.group().strip(), match.group().strip()))
        position = match.end()
    return [*found, ""]


class _Parser:
    def __init__(self, tokens: list[str], expression: str) -> None:
        self._tokens = tokens
        self._expression = expression
        self._at = 0

    def expect(self, token: str) -> None:
        if self._tokens[self._at] != token:
            raise MathError(
                f"expression {self._expression!r} has {self._tokens[self._at]!r} where "
                f"{token or 'its end'!r} is expected"
            )
        self._at += 1

    def level(self, depth: int) -> Node:
        if depth == len(_LEVELS):
            return self._unary()
        node = self.level(depth + 1)
        while self._tokens[self._at] in _LEVELS[depth]:
            operator = self._next()
            node = Call(operator, (node, self.level(depth + 1)))
        return node

    def _unary(self) -> Node:
        if self._tokens[self._at] in ("-", "!"):
            operator = self._next()
            return Call("negate" if operator == "-" else "!", (self._unary(),))
        base = self._primary()
        if self._tokens[self._at] == "^":
            self._next()
            return Call("^", (base, self._unary()))
        return base

    def _primary(self) -> Node:
        symbol = self._next()
        if symbol == "(":
            node = self.level(0)
            self.expect(")")
            return node
        if symbol == "[":
            return Call("array", self._arguments("]"))
        if symbol[:1].isdigit() or symbol[:1] == ".":
            return Number(float(symbol))
        if symbol[:1].isalpha() or symbol[:1] == "_":
            if self._tokens[self._at] == "(":
                self._next()
                return Call(symbol.upper(), self._arguments(")"))
            return Name(symbol)
        raise MathError(f"expression {self._expression!r} has {symbol or 'its end'!r} where a value is expected")

    def _arguments(self, closing: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while self._tokens[self._at] != closing:
            found.append(self.level(0))
            if self._tokens[self._at] != closing:
                self.expect(",")
        self._next()
        return tuple(found)

    def _next(self) -> str:
        token = self._tokens[self._at]
        self._at += 1
        return token

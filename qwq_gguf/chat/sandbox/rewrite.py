"""A template's syntax tree, checked and changed so that every step is counted.

Jinja compiles some things straight to Python: constants, `~`, slices, list and dict
displays, comparisons, the rounds of a loop. Here each of them is led through a filter
with a name that no template can write, so `environment` sees everything. Only public
parts of Jinja are used for it: its nodes, its visitor, and filters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.exceptions import TemplateSyntaxError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer

from qwq_gguf.chat.sandbox.marked import trusted
from qwq_gguf.chat.sandbox.meter import meter
from qwq_gguf.chat.sandbox.operators import concatenate_values, slice_of

__all__ = ["STEPS", "GenerationTag", "check_tree", "lead_through_filters"]

_MAX_NODES = 12_000
_MAX_DEPTH = 200
# Python compiles a long elif chain recursively.
_MAX_ELIFS = 200

_REFUSED = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from ... import",
    nodes.Extends: "extends",
    nodes.Block: "block",
    nodes.ScopedEvalContextModifier: "autoescape",
    nodes.EvalContextModifier: "autoescape",
}


class GenerationTag(Extension):
    """`{% generation %}...{% endgeneration %}`, which marks what to train on: just its body."""

    tags = {"generation"}  # noqa: RUF012 (Jinja's own declaration)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Read up to the end tag."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def check_tree(template: nodes.Template) -> None:
    """Refuse what a chat template has no use for, and trees too large to compile.

    Raises TemplateSyntaxError. Walks without recursion, as the tree may be deep.
    """
    waiting: list[tuple[nodes.Node, int]] = [(template, 0)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        line = getattr(node, "lineno", 1) or 1
        if count > _MAX_NODES:
            raise TemplateSyntaxError(f"it has more than {_MAX_NODES} parts", line)
        if depth > _MAX_DEPTH:
            raise TemplateSyntaxError(f"it is nested more than {_MAX_DEPTH} deep", line)
        for kind, name in _REFUSED.items():
            if isinstance(node, kind):
                raise TemplateSyntaxError(f"chat templates may not use {name}", line)
        if isinstance(node, nodes.If) and len(node.elif_) > _MAX_ELIFS:
            raise TemplateSyntaxError(f"it has more than {_MAX_ELIFS} elifs in a row", line)
        waiting.extend((child, depth + 1) for child in node.iter_child_nodes())


def lead_through_filters(template: nodes.Template) -> nodes.Template:
    """Replace what Jinja would compile to plain Python by calls of `STEPS`."""
    changed: nodes.Template = _Rewriter().visit(template)
    return changed


@pass_context
def _literal(_context: Context, value: str) -> str:
    return trusted(value)


@pass_context
def _value(_context: Context, value: Any) -> Any:
    meter().step()
    return meter().value(value)


@pass_context
def _step(_context: Context, value: Any) -> Any:
    meter().step()
    return value


@pass_context
def _concatenate(_context: Context, *values: Any) -> str:
    return concatenate_values(values)


@pass_context
def _slice(_context: Context, value: Any, start: Any, stop: Any, step: Any) -> Any:
    return slice_of(value, start, stop, step)


# pass_context also keeps Jinja from running these while it compiles.
STEPS: Mapping[str, Callable[..., Any]] = {
    "step:literal": _literal,
    "step:value": _value,
    "step:step": _step,
    "step:concatenate": _concatenate,
    "step:slice": _slice,
}


def _through(name: str, value: nodes.Expr, *rest: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, f"step:{name}", list(rest), [], None, None, lineno=value.lineno)


class _Rewriter(NodeTransformer):
    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.Node:
        return self.visit_Const(nodes.Const(node.data, lineno=node.lineno))

    def visit_Const(self, node: nodes.Const) -> nodes.Node:
        return _through("literal", node) if isinstance(node.value, str) else node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        parts = [self.visit(part) for part in node.nodes]
        return _through("concatenate", *parts)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        value = self.visit(node.node)
        if not isinstance(node.arg, nodes.Slice):
            arg = node.arg if isinstance(node.arg, nodes.Const) else self.visit(node.arg)
            return nodes.Getitem(value, arg, node.ctx, lineno=node.lineno)
        none = nodes.Const(None, lineno=node.lineno)
        bounds = (node.arg.start, node.arg.stop, node.arg.step)
        return _through("slice", value, *(self.visit(b) if b is not None else none for b in bounds))

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return _through("value", self.generic_visit(node))  # type: ignore[arg-type]

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        if node.ctx != "load":
            return node  # a target: for key, value in ...
        return _through("value", self.generic_visit(node))  # type: ignore[arg-type]

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        return _through("value", self.generic_visit(node))  # type: ignore[arg-type]

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        return _through("step", self.generic_visit(node))  # type: ignore[arg-type]

    def visit_Test(self, node: nodes.Test) -> nodes.Node:
        return _through("step", self.generic_visit(node))  # type: ignore[arg-type]

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        tick = _through("step", nodes.Const(True, lineno=node.lineno))
        node.body.insert(0, nodes.ExprStmt(tick, lineno=node.lineno))
        if node.test is not None:
            node.test = nodes.And(tick, node.test, lineno=node.lineno)
        return node
